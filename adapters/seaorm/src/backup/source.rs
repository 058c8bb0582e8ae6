//! A database that is copied: what it holds, whether it can be trusted, and a copy of it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use catchment_migrations::TABLE;
use sea_orm::{ConnectionTrait as _, DbErr};

use super::{BackupError, Summary};
use crate::connection::OwnConnection;
use crate::database_url::DatabaseUrl;
use crate::open::schema::Applied;
use crate::open::sqlite::{APPLICATION_ID, look, objects, open_older, place, value};
use crate::open_error::OpenError;
use crate::settings::StoreSettings;
use crate::store::statement;

/// After how many steps of its machine `SQLite` asks whether to stop: often enough for a person
/// who waits, and too rarely to cost anything.
const STEPS: i32 = 10_000;

/// Whether work is to stop.
#[derive(Clone, Debug, Default)]
pub(super) struct Stop(Arc<AtomicBool>);

impl Stop {
    pub(super) fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(super) fn check(&self) -> Result<(), BackupError> {
        if self.is_asked() { Err(BackupError::Interrupted) } else { Ok(()) }
    }

    /// Makes each statement end with an error once the work is to stop.
    async fn obeyed_by(&self, connection: &OwnConnection) -> Result<(), DbErr> {
        let stop = self.clone();
        connection.stop_when(STEPS, move || stop.is_asked()).await
    }

    fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A database that is copied. Nothing of it is changed, but its marks that it is in use may be.
pub(super) struct Source<'a> {
    file: &'a Path,
    settings: &'a StoreSettings,
    stop: &'a Stop,
    connection: OwnConnection,
    taken: Applied,
    had_log: bool,
}

impl<'a> Source<'a> {
    /// Opens the database that a URL names as every command does, so that others write while it is
    /// copied. Fails where the log is missing that held what was stored last. The caller ends with
    /// [`leave`](Self::leave).
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

    /// Opens a copy, of this version or an older one, and changes nothing of it.
    pub(super) async fn open(
        file: &'a Path,
        settings: &'a StoreSettings,
        stop: &'a Stop,
    ) -> Result<Self, BackupError> {
        let name = file.display().to_string();
        place::check_absent(file, &name)?;
        if !file.exists() {
            return Err(OpenError::Missing { database: name }.into());
        }
        place::check(file, &name)?;
        let had_log = place::has_log(file);
        let failed = |error| OpenError::of(&name, error);
        let connection = look(file, settings).await.map_err(failed)?;
        stop.obeyed_by(&connection).await.map_err(failed)?;
        let taken = check_ours(&connection, settings, &name).await?;
        Ok(Self { file, settings, stop, connection, taken, had_log })
    }

    /// Fails where the log is missing that held what was stored last.
    pub(super) async fn check_log(&self) -> Result<(), OpenError> {
        let written = self.value::<i32>("PRAGMA user_version").await?;
        let mode = self.value::<String>("PRAGMA journal_mode").await?;
        if place::lacks_log(self.file, self.had_log, written, &mode) {
            return Err(OpenError::Incomplete { database: self.name() });
        }
        Ok(())
    }

    /// Fails where the database finds anything wrong with itself.
    pub(super) async fn check_whole(&self) -> Result<(), BackupError> {
        let what = self.value::<String>("PRAGMA integrity_check(1)").await;
        match what {
            Ok(what) if what == "ok" => Ok(()),
            Ok(what) => Err(self.damaged(what)),
            Err(error) => Err(self.damaged(error.to_string())),
        }
    }

    /// Fails where tables, indices and triggers are not those that the taken steps make.
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

    /// Copies it into an empty file, and reads that back. `target` is what messages call the
    /// file.
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

    /// Closes it as it is.
    pub(super) async fn close(&self) -> Result<(), OpenError> {
        self.connection.close_as_it_is().await.map_err(|error| self.failed(error))
    }

    /// Closes it as every command does. An error is only logged: the copy is made by then.
    pub(super) async fn leave(&self) {
        if let Err(error) = self.connection.close().await {
            tracing::debug!(%error, "could not close the database");
        }
    }

    async fn value<T: sea_orm::TryGetable + Default>(&self, sql: &str) -> Result<T, OpenError> {
        value(&self.connection, sql).await.map_err(|error| self.failed(error))
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

/// Fails where it is no database of ours, one of a newer version, or one for another number of
/// lanes. An older one is as good: it is brought up to date when it is opened.
async fn check_ours(
    connection: &OwnConnection,
    settings: &StoreSettings,
    name: &str,
) -> Result<Applied, OpenError> {
    let database = || name.to_owned();
    if number(connection, name, "PRAGMA application_id").await? != APPLICATION_ID {
        return Err(OpenError::Foreign { database: database() });
    }
    let table = format!("SELECT count(*) FROM sqlite_schema WHERE name = '{TABLE}'");
    if number(connection, name, &table).await? == 0 {
        return Err(OpenError::Early { database: database() });
    }
    let taken = Applied::read(connection, &catchment_migrations::sqlite(), name).await?;
    let found = number(connection, name, "SELECT lanes FROM installation").await?;
    let found = u16::try_from(found).unwrap_or(0);
    let wanted = settings.lanes.count();
    if found == wanted {
        return Ok(taken);
    }
    Err(OpenError::LanesDiffer { database: database(), found, wanted })
}

async fn number(connection: &OwnConnection, name: &str, sql: &str) -> Result<i32, OpenError> {
    value(connection, sql).await.map_err(|error| OpenError::of(name, error))
}

/// A failure of a copy concerns the file that is written, unless the source is damaged or locked.
fn copy_failed(from: &Path, to: &Path, error: DbErr) -> BackupError {
    let damaged = OpenError::of(&from.display().to_string(), error.clone());
    match damaged {
        OpenError::NotADatabase { .. } | OpenError::Locked { .. } => damaged.into(),
        _ => OpenError::of(&to.display().to_string(), error).into(),
    }
}
