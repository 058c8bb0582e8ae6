//! Backs up a database file beside a running engine, and restores a backup.
//!
//! `SQLite` itself makes the copy, in one read transaction. The copy holds what was committed when
//! the transaction began, whatever is written meanwhile. Other processes do not wait for the copy,
//! because the backup opens the database as every command does. The copy is written beside its
//! target, read back, and only then renamed to the target: see [`output_file`](crate::output_file).

use std::io;
use std::path::{Path, PathBuf};
use std::pin::pin;

use thiserror::Error;

use self::source::{Source, Stop};
use crate::database_url::DatabaseUrl;
use crate::open::Place;
use crate::open::sqlite::{FolderLock, checks};
use crate::open_error::OpenError;
use crate::output_file::{OutputFileError, Partial, PartialFile, Purpose, Target};
use crate::place;
use crate::rights::Rights;
use crate::settings::StoreSettings;
use crate::store::SeaOrmStore;

mod replacing;
mod source;

/// The content of a copy of a database, in numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The number of shops.
    pub shops: u64,
    /// The newest revision that was given out.
    pub revision: u64,
    /// The size of the file in bytes.
    pub bytes: u64,
}

/// The result of a restore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The content of the restored database.
    pub summary: Summary,
    /// The new name of the database that was replaced, if there was a database.
    pub kept: Option<PathBuf>,
}

/// Why a backup or a restore failed.
#[derive(Debug, Error)]
pub enum BackupError {
    /// A database cannot be used.
    #[error(transparent)]
    Database(#[from] OpenError),
    /// The database is on a server, which has its own tools.
    #[error("a copy of a server's database is made by the tools of the server")]
    Server,
    /// The copy must not or cannot be written to this file.
    #[error("could not write `{}`", .file.display())]
    Output {
        /// The file.
        file: PathBuf,
        /// The reason.
        #[source]
        source: OutputFileError,
    },
    /// The file to restore is the database itself.
    #[error("`{}` is the database itself; name a copy of it", .file.display())]
    Itself {
        /// The file.
        file: PathBuf,
    },
    /// Another process has the database open that is to be replaced.
    #[error("`{}` is in use by another process; stop it first", .database.display())]
    Open {
        /// The database.
        database: PathBuf,
    },
    /// The copy cannot be trusted.
    #[error("`{}` is damaged: {what}", .file.display())]
    Damaged {
        /// The copy.
        file: PathBuf,
        /// What `SQLite` reports.
        what: String,
    },
    /// The work was interrupted, and left no file behind.
    #[error("interrupted: nothing was written")]
    Interrupted,
    /// A file could not be read, written or renamed.
    #[error("could not {attempt} `{}`", .file.display())]
    File {
        /// The verb of the attempt, for the message.
        attempt: &'static str,
        /// The file.
        file: PathBuf,
        /// The reason.
        #[source]
        source: io::Error,
    },
}

impl BackupError {
    /// Returns a function that adds the attempt and the file to an error of the system.
    fn file(attempt: &'static str, file: &Path) -> impl FnOnce(io::Error) -> Self {
        let file = file.to_owned();
        move |source| Self::File { attempt, file, source }
    }
}

impl SeaOrmStore {
    /// Copies a database file while other processes may use the database. The copy gives no user
    /// more rights than the database does. If `replaces` is set, the copy may replace a file of
    /// this user. Stops when `interrupt` returns.
    ///
    /// # Errors
    ///
    /// When a file must not be replaced, the database cannot be read, the copy cannot be written,
    /// or the work was interrupted. An existing file then stays as it was, and no new file is left.
    pub async fn back_up(
        url: &str,
        file: &Path,
        replaces: bool,
        settings: &StoreSettings,
        interrupt: impl Future<Output = ()> + Send,
    ) -> Result<Summary, BackupError> {
        let stop = Stop::default();
        let work = Box::pin(async {
            let (name, url) = file_of(url)?;
            let database = canonical(&name)?;
            let source = Source::in_use((&name, &url), settings, &stop).await?;
            let copied = async {
                let failed = |source| BackupError::Output { file: file.to_owned(), source };
                let purpose = Purpose::Copy { source: rights(&database)?, replaces };
                let target = Target::new(file, Some(&database), purpose).map_err(failed)?;
                let (_, partial) = Partial::make(target).map_err(failed)?;
                let summary = source.copy_into(partial.path(), file).await?;
                stop.check()?;
                partial.finish().map_err(failed)?;
                Ok(summary)
            };
            let copied = copied.await;
            source.leave().await;
            copied
        });
        until(interrupt, &stop, work).await
    }

    /// Replaces a database file with a copy, if no process has the database open. The old database
    /// is kept beside the new one under another name, and the copy stays where it is. If
    /// `incomplete` is set, a copy that lacks its log is accepted, too. Stops when `interrupt`
    /// returns.
    ///
    /// If the process is killed, the name of the database leads either to the old database or to
    /// the copy. The old database still exists under this name or under its new name. The same
    /// restore, run again, then completes the work.
    ///
    /// # Errors
    ///
    /// When the copy is damaged, belongs to another program or a newer version, has other tables,
    /// was made for another number of lanes, or was taken without its log; when the database is in
    /// use; when the database does not exist, but the files that `SQLite` keeps beside it do; when
    /// a file cannot be written or renamed; or when the work was interrupted. The database is then
    /// as it was.
    pub async fn restore(
        url: &str,
        file: &Path,
        incomplete: bool,
        settings: &StoreSettings,
        interrupt: impl Future<Output = ()> + Send,
    ) -> Result<Restored, BackupError> {
        let stop = Stop::default();
        until(interrupt, &stop, async {
            let (named, _) = file_of(url)?;
            checks::check_regular(&named)?;
            let database = canonical(&named)?;
            let name = database.display().to_string();
            checks::check_absent(&database, &name)?;
            if canonical(file)? == database {
                return Err(BackupError::Itself { file: file.to_owned() });
            }
            let source = Source::open(file, settings, &stop).await?;
            if !incomplete {
                source.check_log().await?;
            }
            source.check_whole().await?;
            source.check_objects().await?;
            let partial = PartialFile::beside(&database);
            let (_, partial) = partial.map_err(BackupError::file("write", &database))?;
            let summary = source.copy_into(partial.path(), &database).await?;
            source.close().await?;
            let wait = settings.lock_timeout;
            let _replacing = FolderLock::Replacing.take(&database, wait, &name).await?;
            let rights = match database.metadata() {
                Ok(there) => Rights::of(&there),
                Err(_) => partial.usual.no_wider_than(rights(file)?),
            };
            let given = partial.give(rights).and_then(|()| partial.sync());
            given.map_err(BackupError::file("keep owner and rights of", &database))?;
            replacing::check_free(&database, settings).await?;
            stop.check()?;
            let kept = replacing::replace(&database, partial)?;
            Ok(Restored { summary, kept })
        })
        .await
    }
}

/// Runs the work until it is done or interrupted. Interrupted work is not dropped: a dropped
/// statement would go on and write files that nobody removes. Instead, the work sees `stop` and
/// ends.
async fn until<T: Send>(
    interrupt: impl Future<Output = ()> + Send,
    stop: &Stop,
    work: impl Future<Output = Result<T, BackupError>> + Send,
) -> Result<T, BackupError> {
    let mut work = pin!(work);
    tokio::select! {
        // The interrupt comes first: work that is already interrupted must not begin.
        biased;
        () = interrupt => stop.ask(),
        done = &mut work => return done,
    }
    // If the work was already done, it still succeeds. An error of a file may have left files behind.
    work.await.map_err(|error| match error {
        BackupError::File { .. } | BackupError::Output { .. } => error,
        _ => BackupError::Interrupted,
    })
}

fn file_of(url: &str) -> Result<(PathBuf, DatabaseUrl), BackupError> {
    match Place::parse(url)? {
        Place::File(file, url) => Ok((file, url)),
        #[cfg(feature = "postgres")]
        Place::Server(_) => Err(BackupError::Server),
    }
}

fn canonical(file: &Path) -> Result<PathBuf, BackupError> {
    place::canonical(file).map_err(BackupError::file("find", file))
}

fn rights(file: &Path) -> Result<Rights, BackupError> {
    let there = file.metadata().map_err(BackupError::file("read", file))?;
    Ok(Rights::of(&there))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_interrupt_does_not_hide_that_files_may_be_left() {
        let stop = Stop::default();
        let failing = |error| async {
            assert!(stop.check().is_err());
            Err::<(), _>(error)
        };
        let file = BackupError::file("rename a file to", Path::new("a.db"));
        let failed =
            until(std::future::ready(()), &stop, failing(file(io::Error::other("no")))).await;
        assert!(matches!(failed, Err(BackupError::File { .. })), "{failed:?}");
        let failed = until(std::future::ready(()), &stop, failing(BackupError::Server)).await;
        assert!(matches!(failed, Err(BackupError::Interrupted)), "{failed:?}");
    }
}
