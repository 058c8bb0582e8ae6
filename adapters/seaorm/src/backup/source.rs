//! The database that is copied: opening it, checking it and copying it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sea_orm::{ConnectionTrait as _, DbErr};

use super::error::{BackupError, Summary};
use crate::connection::OwnConnection;
use crate::database_url::DatabaseUrl;
use crate::open::schema::{self, Applied, ask};
use crate::open::sqlite::{applied, check_log, checks, look, objects, open_older};
use crate::open_error::OpenError;
use crate::place;
use crate::settings::StoreSettings;
use crate::statement::statement;

/// How many steps of its virtual machine `SQLite` runs before it asks whether to stop. The number
/// is small enough for a user who waits, and large enough to cost nothing.
const STEPS: i32 = 10_000;

/// Whether to stop the work. Clones share the answer.
#[derive(Clone, Debug, Default)]
pub(super) struct Stop(Arc<AtomicBool>);

impl Stop {
    pub(super) fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(super) fn check(&self) -> Result<(), BackupError> {
        if self.is_asked() { Err(BackupError::Interrupted) } else { Ok(()) }
    }

    /// Makes each statement fail once the work has to stop.
    async fn obeyed_by(&self, connection: &OwnConnection) -> Result<(), DbErr> {
        let stop = self.clone();
        connection.stop_when(STEPS, move || stop.is_asked()).await
    }

    fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A database that is copied. Only its marks as being in use may change, nothing else.
pub(super) struct Source<'a> {
    file: &'a Path,
    settings: &'a StoreSettings,
    stop: &'a Stop,
    connection: OwnConnection,
    taken: Applied,
    had_log: bool,
}

impl<'a> Source<'a> {
    /// Opens the database of a URL as every command does, so that others can write during the copy.
    /// Fails if the log with the latest commits is missing. The caller must call
    /// [`leave`](Self::leave) at the end.
    pub(super) async fn in_use(
        (file, url): (&'a Path, &DatabaseUrl),
        settings: &'a StoreSettings,
        stop: &'a Stop,
    ) -> Result<Self, OpenError> {
        let had_log = place::has_log(file);
        let (connection, taken) = open_older(file, url, settings).await?;
        let source = Self { file, settings, stop, connection, taken, had_log };
        match source.stop.obeyed_by(&source.connection).await {
            Ok(()) => Ok(source),
            Err(error) => {
                let error = source.failed(error);
                source.leave().await;
                Err(error)
            }
        }
    }

    /// Opens a copy of this version or an older version, and does not change it.
    pub(super) async fn open(
        file: &'a Path,
        settings: &'a StoreSettings,
        stop: &'a Stop,
    ) -> Result<Self, BackupError> {
        let name = file.display().to_string();
        checks::check_absent(file, &name)?;
        if !file.exists() {
            return Err(OpenError::Missing { database: name }.into());
        }
        checks::check(file, &name)?;
        let had_log = place::has_log(file);
        let failed = |error| OpenError::of(&name, error);
        let connection = look(file, settings).await.map_err(failed)?;
        stop.obeyed_by(&connection).await.map_err(failed)?;
        // An older version is fine: it is brought up to date when it is opened.
        let taken = applied(&connection, &name, false).await?;
        schema::check_lanes(&connection, settings.lanes, &name).await?;
        Ok(Self { file, settings, stop, connection, taken, had_log })
    }

    /// Fails if the log with the latest commits is missing.
    pub(super) async fn check_log(&self) -> Result<(), OpenError> {
        check_log(&self.connection, self.file, self.had_log).await
    }

    /// Fails if the integrity check of `SQLite` finds damage.
    pub(super) async fn check_whole(&self) -> Result<(), BackupError> {
        let what = self.value::<String>("PRAGMA integrity_check(1)").await;
        match what {
            Ok(what) if what == "ok" => Ok(()),
            Ok(what) => Err(self.damaged(what)),
            Err(error @ OpenError::NotADatabase { .. }) => Err(self.damaged(error.to_string())),
            Err(error) => Err(error.into()),
        }
    }

    /// Fails if the tables, indices and triggers differ from those that the applied steps make.
    pub(super) async fn check_objects(&self) -> Result<(), OpenError> {
        let failed = |error| self.failed(error);
        let steps = self.taken.taken(&catchment_migrations::sqlite());
        let expected = objects::made_by(&steps).await.map_err(failed)?;
        let found = objects::of(&self.connection).await.map_err(failed)?;
        match objects::difference(&expected, &found) {
            None => Ok(()),
            Some(object) => Err(OpenError::Altered { database: self.name(), object }),
        }
    }

    /// Copies the database into an empty file, and reads that file back. `target` is the file's
    /// name in messages.
    pub(super) async fn copy_into(
        &self,
        file: &Path,
        target: &Path,
    ) -> Result<Summary, BackupError> {
        let invalid = BackupError::file("write", target);
        let name = file.to_str().ok_or(std::io::ErrorKind::InvalidFilename.into());
        let name = name.map_err(invalid)?;
        let sql = statement(&self.connection, "VACUUM INTO ?", [name.into()]);
        let copied = self.connection.execute_raw(sql).await;
        copied.map_err(|error| copy_failed(self.file, target, error))?;
        let copy = Source::open(file, self.settings, self.stop).await?;
        copy.check_whole().await?;
        if let Err(error) = copy.check_objects().await {
            let error = error.to_string();
            tracing::warn!(error, "the copy is whole, but `database restore` will not take it");
        }
        let summary = copy.summary().await?;
        copy.close().await?;
        Ok(summary)
    }

    async fn summary(&self) -> Result<Summary, BackupError> {
        let shops: i64 = self.value("SELECT count(*) FROM shop").await?;
        let revision: i64 = self.value("SELECT revision FROM installation").await?;
        let bytes = self.file.metadata().map_err(BackupError::file("read", self.file))?;
        let positive = |number: i64| u64::try_from(number).unwrap_or_default();
        Ok(Summary { shops: positive(shops), revision: positive(revision), bytes: bytes.len() })
    }

    /// Closes the database and leaves its log on.
    pub(super) async fn close(&self) -> Result<(), OpenError> {
        self.connection.close_as_it_is().await.map_err(|error| self.failed(error))
    }

    /// Closes the database as every command does. An error is only logged, because it does not
    /// change the result of the copy.
    pub(super) async fn leave(&self) {
        if let Err(error) = self.connection.close().await {
            tracing::debug!(%error, "could not close the database");
        }
    }

    async fn value<T: sea_orm::TryGetable + Default>(&self, sql: &str) -> Result<T, OpenError> {
        ask(&self.connection, &self.name(), sql).await
    }

    fn damaged(&self, what: String) -> BackupError {
        BackupError::Damaged { file: self.file.to_owned(), what }
    }

    fn failed(&self, error: DbErr) -> OpenError {
        OpenError::of(&self.name(), error)
    }

    fn name(&self) -> String {
        self.file.display().to_string()
    }
}

/// Blames a failed copy on the written file, unless the source is damaged or locked.
fn copy_failed(from: &Path, to: &Path, error: DbErr) -> BackupError {
    let damaged = OpenError::of(&from.display().to_string(), error.clone());
    match damaged {
        OpenError::NotADatabase { .. } | OpenError::Locked { .. } => damaged.into(),
        _ => OpenError::of(&to.display().to_string(), error).into(),
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU16;

    use catchment_domain::ports::Clock;
    use catchment_domain::{Lanes, Timestamp};

    use super::*;
    use crate::SeaOrmStore;

    struct StandingClock;

    impl Clock for StandingClock {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(0)
        }
    }

    #[tokio::test]
    async fn a_check_that_was_stopped_found_no_damage() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.db");
        let settings = StoreSettings::new(Lanes(NonZeroU16::MIN), Arc::new(StandingClock));
        let store = SeaOrmStore::connect(&format!("sqlite://{}", file.display()), &settings).await;
        store.unwrap().close().await.unwrap();
        let stop = Stop::default();
        let source = Source::open(&file, &settings, &stop).await.unwrap();
        source.check_whole().await.unwrap();
        source.connection.stop_when(1, || true).await.unwrap();
        let stopped = source.check_whole().await;
        assert!(matches!(stopped, Err(BackupError::Database(_))), "{stopped:?}");
        source.connection.stop_when(1, || false).await.unwrap();
        source.close().await.unwrap();
    }
}
