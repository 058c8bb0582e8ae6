//! Backs up a database file beside a running engine, and restores a backup.
//!
//! `SQLite` itself makes the copy, in one read transaction. The copy holds what was committed when
//! the transaction began, whatever is written meanwhile. Other processes do not wait for the copy,
//! because the backup opens the database as every command does. The copy is written beside its
//! target, read back, and only then renamed to the target: see [`output_file`](crate::output_file).

use std::path::{Path, PathBuf};
use std::pin::pin;

use self::source::{Source, Stop};
use crate::database_url::DatabaseUrl;
use crate::open::Place;
use crate::open::sqlite::{FolderLock, checks};
use crate::output_file::{Partial, PartialFile, Purpose, Target};
use crate::place;
use crate::rights::Rights;
use crate::settings::StoreSettings;
use crate::store::SeaOrmStore;

mod error;
mod replacing;
mod source;

pub use self::error::{BackupError, Restored, Summary};

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
    use std::io;

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
