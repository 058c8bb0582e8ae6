//! Why a database cannot be used: one clear line each.

use std::path::Path;
use std::time::Duration;

use catchment_domain::ports::BoxError;
use sea_orm::DbErr;
use thiserror::Error;

use crate::database_url::DatabaseUrlError;
use crate::error::Failure;
use crate::place::advice_to_open;

/// Why a database cannot be used. Each message is one line that says what is wrong and what to do.
///
/// `database` is the database's file, or its URL without a password; `file` is one of its files.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "every field is what its name says, in every variant the same")]
pub enum OpenError {
    /// The text is not the URL of a supported database.
    #[error("`{url}` is no database: {reason}")]
    Url { url: String, reason: DatabaseUrlError },
    /// The program was built without `PostgreSQL`.
    #[error(
        "`{database}` is on a server, and this program was built without PostgreSQL: \
         feature `postgres` of `catchment-seaorm`"
    )]
    NotBuilt { database: String },
    /// The database does not exist, and was not to be created.
    #[error("there is no database `{database}`; check the path")]
    Missing { database: String },
    /// The server has no database of this name.
    #[error("there is no database `{database}`; `catchment database migrate --create` makes it")]
    Unknown { database: String },
    /// The database has no tables yet.
    #[error("`{database}` has no tables yet; run `catchment database migrate`")]
    Empty { database: String },
    /// The schema has no tables yet.
    #[error(
        "`{database}` has no tables yet in `{schema}`, the first schema of this user's search \
         path; run `catchment database migrate`, or name another schema by \
         `options[search_path]` in the URL"
    )]
    EmptySchema { database: String, schema: String },
    /// An older version of this program made the tables.
    #[error("`{database}` was made by an older version; run `catchment database migrate`")]
    Older { database: String },
    /// The tables were made by a version that did not record which steps it applied.
    #[error(
        "`{database}` was made by an early version, and this one cannot bring it up to date; \
         name a new file, and import the shops again"
    )]
    Early { database: String },
    /// The file, or a file that belongs beside it, is a folder, a pipe, a device or a socket.
    #[error("`{file}` is {what}, where a regular file must be")]
    NotRegular { file: String, what: &'static str },
    /// The file has a second name, a hard link.
    #[error(
        "`{database}` has another name (a hard link), and SQLite keeps a log beside each name; \
         remove one of the names"
    )]
    Linked { database: String },
    /// The file is mounted by itself, without its folder.
    #[error(
        "`{database}` is mounted as a single file, so its log `{database}-wal` would lie elsewhere \
         than the file itself; mount its folder"
    )]
    Mounted { database: String },
    /// The file was copied, renamed or moved without its log while it was in use. The log held the
    /// latest commits.
    #[error(
        "`{database}` was copied or renamed without its log while it was in use: what was stored \
         last is missing; bring the log here as `{database}-wal`, or give the file its old name \
         back, or take it as it is with `catchment database restore FILE --incomplete`"
    )]
    Incomplete { database: String },
    /// The file does not exist, but the files that `SQLite` keeps beside it do.
    #[error(
        "there is no database `{database}`, but its file `{log}` is there: the database was \
         renamed or removed while it was in use; give it its name back, or, where it is needed no \
         more, end every process that uses it and remove that file"
    )]
    LogAlone { database: String, log: String },
    /// A table, an index or a trigger is missing, different or unexpected.
    #[error(
        "`{database}` has not the tables, indices and triggers that this program makes: {object}"
    )]
    Altered { database: String, object: String },
    /// The file is not a database, or is damaged.
    #[error("`{database}` is no database, or a damaged one; name another file")]
    NotADatabase { database: String },
    /// The database belongs to another program.
    #[error("`{database}` is the database of another program; name another one")]
    Foreign { database: String },
    /// The database was written by a newer version of this program.
    #[error("`{database}` was written by a newer version of this program; update this one")]
    Newer { database: String },
    /// The text of a schema step has changed since the database applied it.
    #[error(
        "`{database}` took step `{step}` of the schema with another text than this version has; \
         use the version that made it, or name another one"
    )]
    Changed { database: String, step: String },
    /// The schema of the search path does not exist.
    #[error("`{database}` has no schema of the search path; create it, or name another one")]
    NoSchema { database: String },
    /// The database's encoding cannot store every text.
    #[error("`{database}` stores texts in {encoding}; make a database with the encoding UTF8")]
    Encoding { database: String, encoding: String },
    /// The server is a standby.
    #[error("`{database}` is on a standby, which only reads; name the primary")]
    Standby { database: String },
    /// Sessions are set to read only.
    #[error("`{database}` only reads: `default_transaction_read_only` is on {place}")]
    ReadsOnly {
        database: String,
        /// Where it is set, and what to do.
        place: &'static str,
    },
    /// A pooler gives a session of the server to several connections in turn.
    #[error(
        "`{database}` is behind a pooler that shares sessions between connections; set its pool \
         mode for this database to `session`, or connect to the server itself"
    )]
    SharedSessions { database: String },
    /// A pooler does not keep the settings of a session.
    #[error(
        "`{database}` does not keep what its sessions were set to: {settings}; let the pooler \
         before it keep what a connection sets, or connect to the server itself"
    )]
    NotKept { database: String, settings: String },
    /// The URL names a setting that Catchment sets for every session.
    #[error("`{database}` names `{setting}`, which is set for every session; {advice}")]
    Overruled { database: String, setting: &'static str, advice: String },
    /// The database cannot be written.
    #[error("`{database}` cannot be written; check the rights of it")]
    ReadOnly { database: String },
    /// The disk is full.
    #[error("the disk of `{database}` is full; make room on it")]
    Full { database: String },
    /// The database has another number of lanes.
    #[error(
        "`{database}` has {found} lanes, not {wanted}; set `database.lanes` to {found}, or name \
         another database"
    )]
    LanesDiffer { database: String, found: u16, wanted: u16 },
    /// The file cannot be opened.
    #[error("`{database}` cannot be opened: {advice}")]
    CannotOpen { database: String, advice: String },
    /// Another process has the database locked.
    #[error("`{database}` is locked by another process; wait for it or stop it")]
    Locked { database: String },
    /// The server refuses the user or the password.
    #[error("`{database}` does not let this user in; check user and password")]
    Denied { database: String },
    /// The server's name is unknown.
    #[error("the host of `{database}` is not known; check its name")]
    UnknownHost { database: String },
    /// The server did not accept a connection in time.
    #[error("`{database}` gave no connection for {waited:?}; check that it runs and is reached")]
    Unreachable {
        database: String,
        waited: Duration,
        #[source]
        source: BoxError,
    },
    /// Any other failure.
    #[error("`{database}` cannot be used")]
    Unavailable {
        database: String,
        #[source]
        source: BoxError,
    },
}

impl OpenError {
    /// Converts a database failure at opening.
    pub(crate) fn of(database: &str, error: DbErr) -> Self {
        let database = database.to_owned();
        match Failure::of(&error) {
            Failure::Busy | Failure::Locked => Self::Locked { database },
            Failure::Full => Self::Full { database },
            Failure::ReadOnly => Self::ReadOnly { database },
            Failure::Standby => Self::Standby { database },
            Failure::SharedSession => Self::SharedSessions { database },
            Failure::CannotOpen => Self::cannot_open(database),
            Failure::Damaged => Self::NotADatabase { database },
            Failure::Denied => Self::Denied { database },
            Failure::NoDatabase => Self::Unknown { database },
            Failure::Schema => Self::Foreign { database },
            Failure::Lost
            | Failure::Duplicate
            | Failure::Cancelled
            | Failure::BadValue
            | Failure::Other => Self::Unavailable { database, source: error.into() },
        }
    }

    /// Returns the error for a file that cannot be opened.
    pub(crate) fn cannot_open(database: String) -> Self {
        let advice = advice_to_open(Path::new(&database));
        Self::CannotOpen { database, advice }
    }
}
