//! Why lanes could not be compared with their logs, or changed.

use catchment_domain::OlderDatabase;
use catchment_domain::ports::{InspectionError, LogProblem, StoreError};
use thiserror::Error;

use crate::error::NotFound;

/// Why lanes could not be compared with their logs, or changed, by what the caller can do about it.
#[derive(Debug, Error)]
pub enum LaneError {
    /// Ask for a lane that exists.
    #[error(transparent)]
    NotFound(#[from] NotFound),
    /// The present state does not allow this, such as a consumer that is at work.
    #[error("{0}")]
    Conflict(String),
    /// A human must look: database and logs do not fit each other, or it is not known now whether
    /// they do.
    #[error("{0}")]
    Misfit(String),
    /// A human must look: the database was restored, or is another one.
    #[error(transparent)]
    Older(#[from] OlderDatabase),
    /// The logs could not be looked at. The source says what the caller can do.
    #[error("{attempt}")]
    Logs {
        /// What was tried.
        attempt: String,
        /// What the cluster says.
        #[source]
        source: InspectionError,
    },
    /// The database could not be used. The source says what the caller can do.
    #[error("{attempt}")]
    Database {
        /// What was tried.
        attempt: &'static str,
        /// What the database says.
        #[source]
        source: StoreError,
    },
    /// The database could not be used. The source says what the caller can do.
    #[error("{0}")]
    Store(
        #[source]
        #[from]
        StoreError,
    ),
    /// Look whether the database was changed: it did not answer.
    #[error("{0}")]
    Unknown(&'static str),
}

impl LaneError {
    /// Makes the error of an attempt to look at the logs.
    pub fn logs<E: Into<InspectionError>>(attempt: impl Into<String>) -> impl FnOnce(E) -> Self {
        |error| Self::Logs { attempt: attempt.into(), source: error.into() }
    }

    /// Returns whether the error says only that the logs cannot be reached now: they may be later, and
    /// nothing needs to be changed. A right that is missing, a topic that is missing and an error of
    /// the database are other errors.
    #[must_use]
    pub const fn is_unavailable(&self) -> bool {
        matches!(self, Self::Logs { source: InspectionError::Unavailable(_), .. })
    }
}

/// Fails with all lines, if there are any.
pub(crate) fn join(lines: impl Iterator<Item = String>) -> Result<(), LaneError> {
    let lines: Vec<String> = lines.collect();
    if lines.is_empty() { Ok(()) } else { Err(LaneError::Misfit(lines.join("; "))) }
}

/// Fails with all problems of whole logs, if there are any.
pub(crate) fn fail_for(
    problems: Result<Vec<LogProblem>, InspectionError>,
) -> Result<(), LaneError> {
    let problems = problems.map_err(LaneError::logs("could not look at the topics"))?;
    join(problems.into_iter().map(|problem| problem.line))
}
