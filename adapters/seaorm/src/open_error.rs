//! Why a database cannot be used: one clear line each.

use catchment_domain::ports::BoxError;
use sea_orm::DbErr;
use thiserror::Error;

use crate::error::Failure;

/// Why a database cannot be used. Each is one line that says what is wrong and what to do.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The text names no database that this version works with.
    #[error("`{url}` is no database; name a file, such as `sqlite://catchment.db`")]
    Url {
        /// The text.
        url: String,
    },
    /// There is no file, and none was to be created.
    #[error("there is no database `{path}`; check the path")]
    Missing {
        /// The file.
        path: String,
    },
    /// The file is something else than a database.
    #[error("`{path}` is no database, or a damaged one; name another file")]
    NotADatabase {
        /// The file.
        path: String,
    },
    /// The database belongs to another program.
    #[error("`{path}` is the database of another program; name another file")]
    Foreign {
        /// The file.
        path: String,
    },
    /// A newer version of this program wrote it.
    #[error("`{path}` was written by a newer version of this program; update this one")]
    Newer {
        /// The file.
        path: String,
    },
    /// The file or its folder cannot be written.
    #[error("`{path}` cannot be written; check the rights of the file and its folder")]
    ReadOnly {
        /// The file.
        path: String,
    },
    /// There is no room on the disk.
    #[error("the disk of `{path}` is full; make room on it")]
    Full {
        /// The file.
        path: String,
    },
    /// The database was made for another number of lanes.
    #[error("`{path}` was made for {found} lanes, not {wanted}; set {found}, or name another file")]
    LanesDiffer {
        /// The file.
        path: String,
        /// How many it has.
        found: u16,
        /// How many the settings say.
        wanted: u16,
    },
    /// The file cannot be opened.
    #[error("`{path}` cannot be opened; check that its folder is there and may be entered")]
    CannotOpen {
        /// The file.
        path: String,
    },
    /// Another process has it locked.
    #[error("`{path}` is locked by another process; wait for it or stop it")]
    Locked {
        /// The file.
        path: String,
    },
    /// Something else went wrong.
    #[error("`{path}` cannot be used")]
    Unavailable {
        /// The file.
        path: String,
        /// What the database says.
        #[source]
        source: BoxError,
    },
}

impl OpenError {
    /// What a failure of the database is at its opening.
    pub(crate) fn of(path: String, error: DbErr) -> Self {
        match Failure::of(&error) {
            Failure::Busy => Self::Locked { path },
            Failure::Full => Self::Full { path },
            Failure::ReadOnly => Self::ReadOnly { path },
            Failure::CannotOpen => Self::CannotOpen { path },
            Failure::Damaged => Self::NotADatabase { path },
            Failure::BadValue | Failure::Other => Self::Unavailable { path, source: error.into() },
        }
    }
}
