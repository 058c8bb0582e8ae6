//! What backups and restores return.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::open_error::OpenError;
use crate::output_file::OutputFileError;

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
    pub(super) fn file(attempt: &'static str, file: &Path) -> impl FnOnce(io::Error) -> Self {
        let file = file.to_owned();
        move |source| Self::File { attempt, file, source }
    }
}
