//! The settings with which every app opens its database.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use catchment_domain::ports::{Clock as _, Deletions};
use catchment_domain::service::Retention;
use catchment_seaorm::StoreSettings;
use tokio::time::sleep;

use crate::clock::SystemClock;
use crate::one_line::chain;
use crate::settings::Database;

/// Returns the settings of an existing database for this many parallel readers and writers, limited
/// by `max_connections`.
#[must_use]
pub fn store_settings(database: &Database, readers: NonZeroU32, writers: u32) -> StoreSettings {
    let most = database.max_connections.get().saturating_sub(readers.get());
    StoreSettings {
        create: false,
        receipts_kept: database.receipts_kept,
        readers,
        writers: NonZeroU32::new(writers.min(most)).unwrap_or(NonZeroU32::MIN),
        lock_timeout: database.lock_timeout,
        statement_timeout: database.statement_timeout,
        idle_in_transaction_session_timeout: database.idle_in_transaction_session_timeout,
        connect_timeout: database.connect_timeout,
        ..StoreSettings::new(database.lanes, Arc::new(SystemClock))
    }
}

/// How often old campaigns are looked for.
const LOOK: Duration = Duration::from_mins(10);

/// Deletes, again and again, the campaigns that ended longer ago than `kept`. If `kept` is `None`,
/// campaigns are kept for ever. This also finishes deletions whose process was killed. Several
/// processes may do this at once.
pub async fn keep_deleting(deletions: Arc<dyn Deletions>, kept: Option<Duration>) {
    let mut retention = Retention::new(kept);
    loop {
        delete_old_campaigns(&*deletions, &mut retention).await;
        sleep(LOOK).await;
    }
}

/// Deletes the campaigns that are kept no longer, and says in the log what became of them. Clears
/// away what earlier deletions left.
async fn delete_old_campaigns(deletions: &dyn Deletions, retention: &mut Retention) {
    let deletion = match retention.look(deletions, SystemClock.now()).await {
        Ok(deletion) => deletion,
        Err(error) => {
            tracing::warn!(error = chain(&error), "could not delete campaigns");
            return;
        }
    };
    if !deletion.deleted.is_empty() {
        let campaigns = deletion.deleted.len();
        tracing::info!(campaigns, "deleted campaigns that are kept no longer");
    }
    for (_, why) in &deletion.kept {
        tracing::warn!(%why, "an old campaign stays");
    }
    for damage in &deletion.damaged {
        tracing::warn!(%damage, "an old campaign stays because it cannot be read");
    }
    if let Some(damage) = deletion.unreadable_shops.first() {
        tracing::warn!(%damage, "old campaigns stay while the limits of a shop cannot be read");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Layers, Settings};

    #[test]
    fn no_more_connections_are_made_than_the_settings_allow() {
        let database = Settings::load(&Layers::default()).unwrap().database;
        let readers = NonZeroU32::MIN.saturating_add(1);
        let allowed = database.max_connections.get();
        for writers in [1, allowed - 2, allowed, u32::MAX] {
            let store = store_settings(&database, readers, writers);
            assert_eq!(store.writers.get(), writers.min(allowed - 2), "{writers}");
            assert_eq!(store.statement_timeout, database.statement_timeout);
        }
    }
}
