//! Copies of a database that is a file: taken beside a running engine, and put back.
//!
//! A copy is made by `SQLite` itself, in one read transaction: it holds what was committed when
//! it began, whatever is written meanwhile, and nobody waits for it. It is made beside the file
//! that it will be, read back, and only then renamed; so a process that is killed leaves at most a
//! file `.catchment-*.partial` that means nothing.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use catchment_migrations::TABLE;
use sea_orm::sqlx::sqlite::SqliteConnectOptions;
use sea_orm::sqlx::{Connection as _, SqliteConnection};
use sea_orm::{ConnectionTrait as _, DbErr};
use tempfile::TempPath;
use thiserror::Error;

use crate::connection::OwnConnection;
use crate::open::Place;
use crate::open::schema::Applied;
use crate::open::sqlite::place::{self, BESIDE, FolderLock, beside};
use crate::open::sqlite::{APPLICATION_ID, look, value};
use crate::open_error::OpenError;
use crate::settings::StoreSettings;
use crate::store::{SeaOrmStore, statement};

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
    /// Where the one that it replaces is now.
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
    /// There is a file already.
    #[error("`{}` is there already; name another file, or say `--force`", .file.display())]
    Exists {
        /// The file.
        file: PathBuf,
    },
    /// The file is the database, or belongs to one.
    #[error("`{}` belongs to a database; name another file", .file.display())]
    InUse {
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

impl SeaOrmStore {
    /// Copies a database that is a file, beside whoever uses it. Where `replaces` says so, a
    /// file that is there is replaced.
    ///
    /// # Errors
    ///
    /// When there is such a file already, the database cannot be read, or the copy not written;
    /// a file that is there is as it was then.
    pub async fn back_up(
        url: &str,
        file: &Path,
        replaces: bool,
        settings: &StoreSettings,
    ) -> Result<Summary, BackupError> {
        let database = file_of(url)?;
        check_target(file, &database, replaces)?;
        let target = canonical(file)?;
        let source = Source::open(&database, settings).await?;
        source.check_log().await?;
        let (partial, summary) = source.copy(&target).await?;
        // Another one may have come to be meanwhile.
        check_target(file, &database, replaces)?;
        put(partial, &target)?;
        Ok(summary)
    }

    /// Puts a copy in the place of a database that is a file and that nobody has open. The one
    /// that it replaces is kept beside it, under another name, and so is the copy where it is.
    /// `incomplete` takes a copy without its log, too.
    ///
    /// # Errors
    ///
    /// When the copy is damaged, of another program or of a newer version, was made for another
    /// number of lanes, or was taken without its log; when the database is in use; and when a file
    /// cannot be written. The database is as it was then.
    pub async fn restore(
        url: &str,
        file: &Path,
        incomplete: bool,
        settings: &StoreSettings,
    ) -> Result<Restored, BackupError> {
        let database = file_of(url)?;
        let database = canonical(&database)?;
        if canonical(file)? == database {
            return Err(BackupError::InUse { file: file.to_owned() });
        }
        let source = Source::open(file, settings).await?;
        if !incomplete {
            source.check_log().await?;
        }
        source.check_whole().await?;
        let (partial, summary) = source.copy(&database).await?;
        let name = database.display().to_string();
        let wait = settings.lock_timeout;
        let _replacing = FolderLock::Replacing.take(&database, wait, &name).await?;
        belong_to_the_same(&partial, &database);
        let kept = put_aside(&database, settings).await?;
        put(partial, &database)?;
        Ok(Restored { summary, kept })
    }
}

/// A database that is only read.
struct Source<'a> {
    file: &'a Path,
    settings: &'a StoreSettings,
    connection: OwnConnection,
    had_log: bool,
}

impl<'a> Source<'a> {
    async fn open(file: &'a Path, settings: &'a StoreSettings) -> Result<Self, BackupError> {
        let name = file.display().to_string();
        if !file.exists() {
            return Err(OpenError::Missing { database: name }.into());
        }
        place::check(file, &name)?;
        let had_log = place::has_log(file);
        let connection = look(file, settings).await;
        let connection = connection.map_err(|error| OpenError::of(&name, error))?;
        let source = Self { file, settings, connection, had_log };
        source.check_ours().await?;
        Ok(source)
    }

    /// Fails where it is no database of ours, or one of a newer version. An older one is as good:
    /// whoever opens it brings it up to date.
    async fn check_ours(&self) -> Result<(), OpenError> {
        if self.value::<i32>("PRAGMA application_id").await? != APPLICATION_ID {
            return Err(OpenError::Foreign { database: self.name() });
        }
        let table = format!("SELECT count(*) FROM sqlite_schema WHERE name = '{TABLE}'");
        if self.value::<i32>(&table).await? == 0 {
            return Err(OpenError::Early { database: self.name() });
        }
        let steps = catchment_migrations::sqlite();
        Applied::read(&self.connection, &steps, &self.name()).await.map(drop)?;
        let found = self.value::<i32>("SELECT lanes FROM installation").await?;
        let (found, wanted) = (u16::try_from(found).unwrap_or(0), self.settings.lanes.count());
        if found == wanted {
            return Ok(());
        }
        Err(OpenError::LanesDiffer { database: self.name(), found, wanted })
    }

    async fn check_log(&self) -> Result<(), OpenError> {
        let written = self.value::<i32>("PRAGMA user_version").await?;
        let mode = self.value::<String>("PRAGMA journal_mode").await?;
        if place::lacks_log(self.file, self.had_log, written, &mode) {
            return Err(OpenError::Incomplete { database: self.name() });
        }
        Ok(())
    }

    /// Fails where the database finds anything wrong with itself.
    async fn check_whole(&self) -> Result<(), BackupError> {
        let what = self.value::<String>("PRAGMA integrity_check(1)").await;
        match what {
            Ok(what) if what == "ok" => Ok(()),
            Ok(what) => Err(self.damaged(what)),
            Err(error) => Err(self.damaged(error.to_string())),
        }
    }

    /// Copies it into a file beside the one that it will be, and reads that back.
    async fn copy(self, target: &Path) -> Result<(TempPath, Summary), BackupError> {
        let failed =
            |source| BackupError::File { attempt: "write", file: target.to_owned(), source };
        let partial = tempfile::Builder::new()
            .prefix(".catchment-")
            .suffix(".partial")
            .make_in(place::folder(target), make)
            .map_err(failed)?
            .into_temp_path();
        let name = partial.to_str().ok_or_else(|| failed(io::ErrorKind::InvalidFilename.into()))?;
        let sql = statement(&self.connection, "VACUUM INTO ?", [name.into()]);
        let copied = self.connection.execute_raw(sql).await;
        copied.map_err(|error| copy_failed(self.file, target, error))?;
        let summary = {
            let copy = Source::open(&partial, self.settings).await?;
            copy.check_whole().await?;
            let summary = copy.summary().await?;
            copy.close().await?;
            summary
        };
        self.close().await?;
        File::open(&partial).and_then(|file| file.sync_all()).map_err(failed)?;
        Ok((partial, summary))
    }

    async fn summary(&self) -> Result<Summary, BackupError> {
        let shops: i64 = self.value("SELECT count(*) FROM shop").await?;
        let revision: i64 = self.value("SELECT revision FROM installation").await?;
        let bytes = self.file.metadata();
        let bytes = bytes.map_err(|source| BackupError::File {
            attempt: "read",
            file: self.file.to_owned(),
            source,
        })?;
        let positive = |number: i64| u64::try_from(number).unwrap_or_default();
        Ok(Summary { shops: positive(shops), revision: positive(revision), bytes: bytes.len() })
    }

    async fn close(&self) -> Result<(), OpenError> {
        self.connection.close_as_it_is().await.map_err(|error| self.failed(error))
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

/// A failure of a copy is one of the file that is written, unless the one that is read is at
/// fault.
fn copy_failed(from: &Path, to: &Path, error: DbErr) -> BackupError {
    let damaged = OpenError::of(&from.display().to_string(), error.clone());
    match damaged {
        OpenError::NotADatabase { .. } | OpenError::Locked { .. } => damaged.into(),
        _ => OpenError::of(&to.display().to_string(), error).into(),
    }
}

fn file_of(url: &str) -> Result<PathBuf, BackupError> {
    match Place::parse(url)? {
        Place::File(file, _) => Ok(file),
        #[cfg(feature = "postgres")]
        Place::Server(_) => Err(BackupError::Server),
    }
}

fn canonical(file: &Path) -> Result<PathBuf, BackupError> {
    place::canonical(file).map_err(|source| BackupError::File {
        attempt: "find",
        file: file.to_owned(),
        source,
    })
}

/// Fails where a copy of the database must not come to lie.
fn check_target(file: &Path, database: &Path, replaces: bool) -> Result<(), BackupError> {
    let (target, source) = (canonical(file)?, canonical(database)?);
    let in_use = || BackupError::InUse { file: file.to_owned() };
    let is_beside = BESIDE.iter().any(|ending| target == beside(&source, ending));
    // A log that is there would be taken for that of the copy.
    let has_beside = ["-wal", "-journal"].iter().any(|ending| beside(&target, ending).exists());
    if target == source || is_beside || has_beside {
        return Err(in_use());
    }
    if !replaces && target.exists() {
        return Err(BackupError::Exists { file: file.to_owned() });
    }
    Ok(())
}

/// Gives a database that nobody has open another name, and whatever lies beside it: a log that
/// stayed would be taken for that of the copy.
async fn put_aside(
    database: &Path,
    settings: &StoreSettings,
) -> Result<Option<PathBuf>, BackupError> {
    let is_there = database.exists();
    if is_there {
        place::check(database, &database.display().to_string())?;
        check_free(database, settings).await?;
    }
    let kept = free_name(database);
    for ending in ["", "-wal", "-shm", "-journal"] {
        let (from, to) = (beside(database, ending), beside(&kept, ending));
        if from.exists() {
            std::fs::rename(&from, &to).map_err(|source| BackupError::File {
                attempt: "rename",
                file: from.clone(),
                source,
            })?;
        }
    }
    Ok(is_there.then_some(kept))
}

/// Fails where somebody has a database open, or it is none of ours. One that is damaged so that
/// `SQLite` cannot say is nobody's.
async fn check_free(database: &Path, settings: &StoreSettings) -> Result<(), BackupError> {
    let options =
        SqliteConnectOptions::new().filename(database).busy_timeout(settings.lock_timeout);
    let Ok(connection) = SqliteConnection::connect_with(&options).await else { return Ok(()) };
    let connection = OwnConnection::sqlite(connection);
    let id: Result<i32, DbErr> = value(&connection, "PRAGMA application_id").await;
    let free = match id {
        Err(_) => Ok(()),
        Ok(APPLICATION_ID) if connection.leave().await => Ok(()),
        Ok(APPLICATION_ID) => Err(BackupError::Open { database: database.to_owned() }),
        Ok(_) => Err(OpenError::Foreign { database: database.display().to_string() }.into()),
    };
    // It was looked at, and nothing of it is open.
    let _ = connection.close_as_it_is().await;
    free
}

/// A name for the database that is replaced, which nothing has.
fn free_name(database: &Path) -> PathBuf {
    let mut kept = beside(database, ".before-restore");
    let mut number = 2_u32;
    while kept.exists() {
        kept = beside(database, &format!(".before-restore-{number}"));
        number += 1;
    }
    kept
}

/// Makes a new file with the rights that any file of this user has.
fn make(path: &Path) -> io::Result<File> {
    File::options().write(true).create_new(true).open(path)
}

/// Gives a file the owner and the rights of the one that it will replace, as far as this process
/// may.
fn belong_to_the_same(partial: &Path, database: &Path) {
    let Ok(metadata) = database.metadata() else { return };
    let set = std::fs::set_permissions(partial, metadata.permissions());
    #[cfg(unix)]
    let set = {
        use std::os::unix::fs::{MetadataExt as _, chown};

        set.and_then(|()| chown(partial, Some(metadata.uid()), Some(metadata.gid())))
    };
    if let Err(error) = set {
        tracing::warn!(%error, "the file belongs to this user now");
    }
}

/// Gives a file that is complete its name, and sees to it that the disk knows.
fn put(partial: TempPath, file: &Path) -> Result<(), BackupError> {
    let failed = |source| BackupError::File { attempt: "write", file: file.to_owned(), source };
    partial.persist(file).map_err(|error| failed(error.error))?;
    // What cannot be told to the disk of a folder is told by others before long.
    if let Ok(folder) = File::open(place::folder(file)) {
        let _ = folder.sync_all();
    }
    Ok(())
}
