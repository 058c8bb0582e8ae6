//! Groups failures by what the caller can do about them.

use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;

use catchment_domain::LaneProblem;
use catchment_domain::ports::StoreError;
use catchment_migrations::MigrateError;
use sea_orm::sqlx::sqlite::SqliteError;
use sea_orm::{DbErr, RuntimeErr, sqlx};
use thiserror::Error;
use tokio::time::error::Elapsed;

#[cfg(feature = "postgres")]
mod postgres;
mod sqlite;

/// The kind of a failure of the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    not(feature = "postgres"),
    expect(dead_code, reason = "only PostgreSQL returns some of these")
)]
pub(crate) enum Failure {
    /// Another transaction is in the way: roll back and try again.
    Busy,
    /// Another session keeps rows locked for longer than the lock timeout.
    Locked,
    /// A row that was to be added already exists.
    Duplicate,
    /// A statement was cancelled because it took too long, or by an operator.
    Cancelled,
    /// There is no connection to the server, or the server ended it.
    Lost,
    /// This server only reads; another server may be the primary.
    Standby,
    /// Prepared statements of this connection are not there, or another's are.
    SharedSession,
    /// There is no room on the disk.
    Full,
    /// The file, its folder, the disk or the server does not allow writes.
    ReadOnly,
    /// The file cannot be opened.
    CannotOpen,
    /// The file is damaged, or is not a database.
    Damaged,
    /// A table or a column does not exist.
    Schema,
    /// The server does not let this user in.
    Denied,
    /// The server has no database of this name.
    NoDatabase,
    /// A value does not fit.
    BadValue,
    /// Any other failure, such as failed reads or too little memory.
    Other,
}

impl Failure {
    /// Returns whether another attempt may succeed at once.
    pub(crate) const fn is_of_a_moment(self) -> bool {
        matches!(self, Self::Busy | Self::Duplicate)
    }

    /// Returns the kind of an error.
    pub(crate) fn of(error: &DbErr) -> Self {
        match error {
            DbErr::Conn(source) | DbErr::Exec(source) | DbErr::Query(source) => match source {
                RuntimeErr::SqlxError(error) => Self::of_driver(error),
                RuntimeErr::Internal(_) => Self::Other,
            },
            DbErr::Type(_) | DbErr::Json(_) | DbErr::TryIntoErr { .. } => Self::BadValue,
            // The pool has already waited for the server for as long as the settings allow.
            DbErr::ConnectionAcquire(_) => Self::Lost,
            _ => Self::Other,
        }
    }

    fn of_driver(error: &sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(error) => {
                let code = error.code().unwrap_or_default();
                if error.try_downcast_ref::<SqliteError>().is_some() {
                    return code.parse().map_or(Self::Other, sqlite::failure);
                }
                #[cfg(feature = "postgres")]
                if error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>().is_some() {
                    return postgres::failure(&code);
                }
                Self::Other
            }
            sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => {
                Self::Lost
            }
            sqlx::Error::ColumnDecode { .. }
            | sqlx::Error::Decode(_)
            | sqlx::Error::Encode(_)
            | sqlx::Error::ColumnNotFound(_)
            | sqlx::Error::ColumnIndexOutOfBounds { .. } => Self::BadValue,
            _ => Self::Other,
        }
    }
}

/// What a caller can do about a failure, with a text for the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Remedy {
    /// Try again later: the text says what is in the way.
    TryAgain(&'static str),
    /// Leave out the item that has the bad value.
    LeaveOut,
    /// An operator must help: the text says what is wrong and what to do.
    Look(&'static str),
}

impl Failure {
    /// Returns what a caller can do about the failure.
    const fn remedy(self) -> Remedy {
        use Remedy::{LeaveOut, Look, TryAgain};
        match self {
            Self::Busy => TryAgain("another transaction is in the way"),
            Self::Locked => TryAgain(
                "another session keeps rows locked for longer than `database.lock_timeout`",
            ),
            Self::Duplicate => TryAgain("a row that was to be added is there already"),
            Self::Cancelled => TryAgain(
                "a statement was cancelled: it took longer than `database.statement_timeout`, \
                 or somebody ended it",
            ),
            Self::Lost => TryAgain("the database is unavailable"),
            Self::Standby => TryAgain("the server of the database only reads: it may be a standby"),
            Self::Full => TryAgain("the disk of the database is full"),
            Self::CannotOpen => TryAgain("the file of the database cannot be opened"),
            Self::NoDatabase => TryAgain("the server has no database of this name"),
            Self::Other => TryAgain("the database could not do it"),
            Self::BadValue => LeaveOut,
            Self::ReadOnly => Look("the database cannot be written; check the rights of it"),
            Self::Damaged => Look("the database is damaged; restore it from a backup"),
            Self::Schema => {
                Look("the database lacks a table or column; run `catchment database migrate`")
            }
            Self::SharedSession => Look(
                "a pooler shares sessions of the database between connections; set its pool mode \
                 for this database to `session`",
            ),
            Self::Denied => Look("the database lets this user in no more; check user and password"),
        }
    }
}

/// A failure of a statement that may be gone later.
#[derive(Debug, Error)]
#[error("{what}")]
pub(crate) struct InTheWay {
    what: &'static str,
    pub(crate) source: DbErr,
}

/// Converts a database error into the error of the port.
pub(crate) fn classify(error: DbErr) -> StoreError {
    match Failure::of(&error).remedy() {
        Remedy::TryAgain(what) => {
            tracing::debug!(%error, what);
            StoreError::Unavailable(InTheWay { what, source: error }.into())
        }
        Remedy::LeaveOut => StoreError::BadData { what: error.to_string() },
        Remedy::Look(advice) => StoreError::Refused { what: format!("{advice}: {error}") },
    }
}

/// Names the lane in the error of a row that cannot be read.
pub(crate) fn unreadable(
    error: StoreError,
    problem: impl FnOnce(String) -> LaneProblem,
) -> StoreError {
    match error {
        StoreError::BadData { what } => problem(what).into(),
        error => error,
    }
}

/// Converts an error of the driver into an error of `SeaORM`.
pub(crate) fn driver_failed(error: sqlx::Error) -> DbErr {
    DbErr::Exec(RuntimeErr::SqlxError(Arc::new(error)))
}

/// The error of a server that gave no answer in time.
pub(crate) fn timed_out(elapsed: Elapsed) -> DbErr {
    driver_failed(std::io::Error::from(elapsed).into())
}

/// Converts the failure of a schema step into an error of `SeaORM`.
pub(crate) fn migration_failed(error: MigrateError) -> DbErr {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
            driver_failed(error)
        }
        error => DbErr::Migration(error.to_string()),
    }
}

/// A row that is being read, named in errors about its values.
pub(crate) struct Row<'a> {
    /// The table.
    pub(crate) table: &'static str,
    /// The text that identifies the row.
    pub(crate) key: &'a dyn Display,
}

impl Row<'_> {
    /// Returns the error for a stored value that cannot be read.
    pub(crate) fn bad(&self, column: &str, what: impl Display) -> StoreError {
        StoreError::BadData { what: format!("{}.{column} of {}: {what}", self.table, self.key) }
    }

    /// Returns a value, or the error that says what is wrong with it.
    pub(crate) fn value<T, E: Display>(
        &self,
        column: &str,
        value: Result<T, E>,
    ) -> Result<T, StoreError> {
        value.map_err(|what| self.bad(column, what))
    }

    /// Reads a number that must be in the range of its type.
    pub(crate) fn number<T: TryFrom<i64>>(
        &self,
        column: &str,
        value: i64,
    ) -> Result<T, StoreError> {
        T::try_from(value).map_err(|_| self.bad(column, format_args!("`{value}` is out of range")))
    }

    /// Reads a text that must be valid for its type.
    pub(crate) fn text<T: FromStr<Err: Display>>(
        &self,
        column: &str,
        text: &str,
    ) -> Result<T, StoreError> {
        text.parse().map_err(|what| self.bad(column, format_args!("`{text}`: {what}")))
    }
}

/// Converts a number for storage. INVARIANT: revisions have 48 bits, and positions, epochs and
/// versions count events, so none comes near 2^63.
pub(crate) fn stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(all(test, feature = "postgres"))]
mod tests {
    use super::*;

    #[test]
    fn unavailable_is_said_only_of_what_is() {
        use Failure as F;
        let all = [
            F::Busy,
            F::Locked,
            F::Duplicate,
            F::Cancelled,
            F::Lost,
            F::Standby,
            F::SharedSession,
            F::Full,
            F::ReadOnly,
            F::CannotOpen,
            F::Damaged,
            F::Schema,
            F::Denied,
            F::NoDatabase,
            F::BadValue,
            F::Other,
        ];
        let words = |failure: Failure| match failure.remedy() {
            Remedy::TryAgain(words) | Remedy::Look(words) => words,
            Remedy::LeaveOut => "",
        };
        for failure in all {
            let said = words(failure).contains("unavailable");
            assert_eq!(said, failure == F::Lost, "{failure:?}");
            let others = all.into_iter().filter(|other| *other != failure);
            assert!(others.map(words).all(|other| other != words(failure)), "{failure:?}");
        }
    }

    #[test]
    fn what_is_in_the_way_comes_with_what_the_driver_said() {
        let pool = DbErr::ConnectionAcquire(sea_orm::ConnAcquireErr::Timeout);
        let StoreError::Unavailable(source) = classify(pool.clone()) else { panic!("try again") };
        assert_eq!(source.to_string(), "the database is unavailable");
        assert_eq!(source.source().map(ToString::to_string), Some(pool.to_string()));
    }
}
