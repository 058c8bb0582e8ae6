//! Copies of a database that is a file: taken beside a running engine, and put back.
//!
//! `SQLite` itself makes a copy, in one read transaction. The copy holds what was committed when
//! it began, whatever is written meanwhile. Nobody waits for it, because the database is opened as
//! every command opens it. The copy is made beside its target, read back, and only then given its
//! name: see [`output_file`](crate::output_file).

use std::io;
use std::path::{Path, PathBuf};
use std::pin::pin;

use thiserror::Error;

use self::source::{Source, Stop};
use crate::database_url::DatabaseUrl;
use crate::open::Place;
use crate::open::sqlite::place::{self, FolderLock};
use crate::open_error::OpenError;
use crate::output_file::{OutputFileError, Partial, PartialFile, Purpose, Target};
use crate::rights::Rights;
use crate::settings::StoreSettings;
use crate::store::SeaOrmStore;

mod replacing;
mod source;

/// What a copy of a database holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// How many shops.
    pub shops: u64,
    /// The newest revision that was given out.
    pub revision: u64,
    /// The size of the file.
    pub bytes: u64,
}

/// A database that was put back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// What it holds.
    pub summary: Summary,
    /// Where the database is now that was there before.
    pub kept: Option<PathBuf>,
}

/// Why a copy could not be made or put back.
#[derive(Debug, Error)]
pub enum BackupError {
    /// A database cannot be used.
    #[error(transparent)]
    Database(#[from] OpenError),
    /// The database is a server's, which has its own tools.
    #[error("a copy of a server's database is made by the tools of the server")]
    Server,
    /// The copy must not or cannot be written there.
    #[error("could not write `{}`", .file.display())]
    Output {
        /// The file.
        file: PathBuf,
        /// Why not.
        #[source]
        source: OutputFileError,
    },
    /// The copy that is to be put back is the database itself.
    #[error("`{}` is the database itself; name a copy of it", .file.display())]
    Itself {
        /// The file.
        file: PathBuf,
    },
    /// Somebody has the database open that is to be replaced.
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
        /// What the database says.
        what: String,
    },
    /// The work was interrupted, and left nothing behind.
    #[error("interrupted: nothing was written")]
    Interrupted,
    /// A file could not be read, written or renamed.
    #[error("could not {attempt} `{}`", .file.display())]
    File {
        /// What was attempted.
        attempt: &'static str,
        /// The file.
        file: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

impl BackupError {
    /// What makes an error of the system one of a file.
    fn file(attempt: &'static str, file: &Path) -> impl FnOnce(io::Error) -> Self {
        let file = file.to_owned();
        move |source| Self::File { attempt, file, source }
    }
}

impl SeaOrmStore {
    /// Copies a database that is a file, while other processes may use it. The copy grants nobody
    /// what the database does not grant. Where `replaces` says so, the copy takes the place of a
    /// file of this user. Stops when `interrupt` returns.
    ///
    /// # Errors
    ///
    /// When there is a file that must stay, the database cannot be read, the copy not written, or
    /// the work was interrupted. A file that is there is as it was then, and no other is left.
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

    /// Puts a copy in the place of a database that is a file and that nobody has open. The
    /// database that was there is kept beside it under another name, and the copy stays where it
    /// is. `incomplete` takes a copy without its log, too. Stops when `interrupt` returns.
    ///
    /// A process that is killed at any moment leaves the database that was there or the copy under
    /// the name of the database, and the former under this name or the other one. The same
    /// restore then ends the work.
    ///
    /// # Errors
    ///
    /// When the copy is damaged, of another program or of a newer version, has other tables, was
    /// made for another number of lanes, or was taken without its log; when the database is in
    /// use; when it is not there, but what `SQLite` keeps beside it is; when a file cannot be
    /// written or renamed; when the work was interrupted. The database is as it was then.
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
            place::check_regular(&named)?;
            let database = canonical(&named)?;
            let name = database.display().to_string();
            place::check_absent(&database, &name)?;
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

/// Does work until it is done or interrupted. Interrupted work is not dropped but ends by itself:
/// a statement that is dropped goes on, and writes files that nobody would remove.
async fn until<T: Send>(
    interrupt: impl Future<Output = ()> + Send,
    stop: &Stop,
    work: impl Future<Output = Result<T, BackupError>> + Send,
) -> Result<T, BackupError> {
    let mut work = pin!(work);
    tokio::select! {
        // The interrupt first: work must not begin that is interrupted already.
        biased;
        () = interrupt => stop.ask(),
        done = &mut work => return done,
    }
    // It may have been done already.
    work.await.map_err(|_| BackupError::Interrupted)
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
