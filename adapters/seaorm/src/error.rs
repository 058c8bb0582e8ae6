//! What went wrong, by what the caller can do about it.

use std::fmt::Display;
use std::str::FromStr;

use catchment_domain::ports::StoreError;
use sea_orm::sqlx::sqlite::SqliteError;
use sea_orm::{DbErr, RuntimeErr, sqlx};

/// What a failure of the database is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Another process writes.
    Busy,
    /// There is no room on the disk.
    Full,
    /// The file, its folder or the disk does not let us write.
    ReadOnly,
    /// The file cannot be opened.
    CannotOpen,
    /// The file is damaged, or no database.
    Damaged,
    /// A value does not fit.
    BadValue,
    /// Anything else: reading or writing failed, the connection is gone, memory is short.
    Other,
}

impl Failure {
    /// What a failure is about, by the result codes of <https://www.sqlite.org/rescode.html>.
    pub(crate) fn of(error: &DbErr) -> Self {
        match error {
            DbErr::Conn(source) | DbErr::Exec(source) | DbErr::Query(source) => match source {
                RuntimeErr::SqlxError(error) => Self::of_driver(error),
                RuntimeErr::Internal(_) => Self::Other,
            },
            DbErr::Type(_) | DbErr::Json(_) | DbErr::TryIntoErr { .. } => Self::BadValue,
            _ => Self::Other,
        }
    }

    fn of_driver(error: &sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(error) => {
                let known = error.try_downcast_ref::<SqliteError>().is_some();
                let code = error.code().and_then(|code| code.parse::<i32>().ok());
                code.filter(|_| known).map_or(Self::Other, Self::of_code)
            }
            sqlx::Error::ColumnDecode { .. }
            | sqlx::Error::Decode(_)
            | sqlx::Error::Encode(_)
            | sqlx::Error::ColumnNotFound(_)
            | sqlx::Error::ColumnIndexOutOfBounds { .. } => Self::BadValue,
            _ => Self::Other,
        }
    }

    /// The low byte of a result code is what it is about; the rest says more of it. A
    /// statement that is wrong (1) meets a table or column that is not there, for the
    /// statements are constant.
    const fn of_code(code: i32) -> Self {
        const NO_ROOM_FOR_THE_INDEX_OF_THE_LOG: i32 = 4874;
        if code == NO_ROOM_FOR_THE_INDEX_OF_THE_LOG {
            return Self::Full;
        }
        match code & 0xff {
            5 | 6 => Self::Busy,
            8 => Self::ReadOnly,
            1 | 11 | 26 => Self::Damaged,
            13 => Self::Full,
            14 => Self::CannotOpen,
            18..=20 => Self::BadValue,
            _ => Self::Other,
        }
    }
}

/// What a caller is told of a failure.
pub(crate) fn classify(error: DbErr) -> StoreError {
    match Failure::of(&error) {
        Failure::Busy | Failure::Full | Failure::CannotOpen | Failure::Other => {
            tracing::info!(%error, "the database is unavailable");
            StoreError::Unavailable(error.into())
        }
        Failure::ReadOnly => StoreError::Refused {
            what: format!("the database cannot be written; check the rights of it: {error}"),
        },
        Failure::Damaged => StoreError::Refused {
            what: format!("the database is damaged; restore it from a backup: {error}"),
        },
        Failure::BadValue => StoreError::BadData { what: error.to_string() },
    }
}

/// A row that is read, to be named where something in it cannot be.
pub(crate) struct Row<'a> {
    /// The table.
    pub(crate) table: &'static str,
    /// What tells the row from others.
    pub(crate) key: &'a dyn Display,
}

impl Row<'_> {
    /// A stored value that cannot be read.
    pub(crate) fn bad(&self, column: &str, what: impl Display) -> StoreError {
        StoreError::BadData { what: format!("{}.{column} of {}: {what}", self.table, self.key) }
    }

    /// A value, or what is wrong with it.
    pub(crate) fn value<T, E: Display>(
        &self,
        column: &str,
        value: Result<T, E>,
    ) -> Result<T, StoreError> {
        value.map_err(|what| self.bad(column, what))
    }

    /// A number that must be in the range of its type.
    pub(crate) fn number<T: TryFrom<i64>>(
        &self,
        column: &str,
        value: i64,
    ) -> Result<T, StoreError> {
        T::try_from(value).map_err(|_| self.bad(column, format_args!("`{value}` is out of range")))
    }

    /// A text that must mean something.
    pub(crate) fn text<T: FromStr<Err: Display>>(
        &self,
        column: &str,
        text: &str,
    ) -> Result<T, StoreError> {
        text.parse().map_err(|what| self.bad(column, format_args!("`{text}`: {what}")))
    }
}

/// A number as a database stores it. INVARIANT: revisions have 48 bits, and positions, epochs
/// and versions count what happened, so that none comes near 2^63.
pub(crate) fn stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
