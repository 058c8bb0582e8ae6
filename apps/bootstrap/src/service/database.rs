//! The database of a service: opens it without changing it, and watches it.

use std::num::NonZeroU32;
use std::time::Duration;

use catchment_domain::Revision;
use catchment_domain::ports::CampaignRepository;
use catchment_seaorm::{OpenError, SeaOrmStore};
use tokio::time::{sleep, timeout};

use super::ending::ProcessError;
use super::readiness::Readiness;
use crate::database::store_settings;
use crate::one_line::chain;
use crate::settings::{Database, SettingsError};

/// The readiness condition that the database answers.
pub const DATABASE: &str = "database";

/// The number of connections for reading.
const READERS: NonZeroU32 = NonZeroU32::MIN.saturating_add(1);
/// How often to check that the database answers.
const LOOK: Duration = Duration::from_secs(1);
/// How long the database may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long closing the database may take.
const TO_CLOSE: Duration = Duration::from_millis(500);

/// Opens a server's database for this many parallel writers, as far as the settings allow. This
/// creates and changes nothing: `catchment database migrate` does that.
///
/// # Errors
///
/// When the URL does not lead to a server, the server does not answer in time, or this version
/// cannot use the database.
pub async fn open(database: &Database, writers: u32) -> Result<SeaOrmStore, ProcessError> {
    if !database.url.is_postgres() {
        let why = "`database.url` must be that of a PostgreSQL server, such as \
                   `postgres://user@host/database`: requester and consumer share it";
        return Err(SettingsError(why.to_owned()).into());
    }
    let settings = store_settings(database, READERS, writers);
    SeaOrmStore::connect(database.url.expose(), &settings).await.map_err(|error| refusal(&error))
}

fn refusal(error: &OpenError) -> ProcessError {
    let what = format!("could not open the database: {}", chain(error));
    match error {
        OpenError::Unreachable { .. }
        | OpenError::UnknownHost { .. }
        | OpenError::Unavailable { .. }
        | OpenError::Full { .. }
        | OpenError::Locked { .. }
        | OpenError::Standby { .. }
        | OpenError::CannotOpen { .. } => ProcessError::Unavailable(what),
        _ => ProcessError::Misfit(what),
    }
}

/// Keeps the readiness condition up to date.
pub async fn watch(store: SeaOrmStore, readiness: Readiness) {
    loop {
        // No campaign has this revision, so the query is cheap and its answer does not matter.
        match timeout(PATIENCE, store.get(Revision::NONE)).await {
            Ok(Ok(_)) => readiness.met(DATABASE),
            Ok(Err(error)) => readiness.unmet(DATABASE, chain(&error)),
            Err(_) => readiness.unmet(DATABASE, "no answer"),
        }
        sleep(LOOK).await;
    }
}

/// Closes the database. An error or a timeout is only logged, because everything that was reported
/// as stored is stored.
pub async fn close(store: &SeaOrmStore) {
    match timeout(TO_CLOSE, store.close()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(error = chain(&error), "could not close the database"),
        Err(_) => tracing::warn!("could not close the database in time"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_back_by_itself_is_told_from_what_somebody_must_look_at() {
        let database = || "postgres://db/shops".to_owned();
        let away = OpenError::Unreachable {
            database: database(),
            waited: Duration::from_secs(10),
            source: "connection refused".into(),
        };
        let newer = OpenError::Newer { database: database() };
        assert!(matches!(refusal(&away), ProcessError::Unavailable(_)));
        let ProcessError::Misfit(line) = refusal(&newer) else { panic!("it does not fit") };
        assert_eq!(
            line,
            "could not open the database: `postgres://db/shops` was written by a newer version \
             of this program; update this one"
        );
    }
}
