use thiserror::Error;

use crate::acceptance::MovedMeanwhile;
use crate::damage::Damage;
use crate::mismatch::LaneProblem;
use crate::moving::{NotDrained, OtherLanes};
use crate::restore::{ForeignLog, OlderDatabase};

/// The technology's own error, for the log.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why a store could not do its work, by what the caller can do about it.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Try again later: what is in the way, in the store's own words, may be gone then. Nothing
    /// was changed.
    #[error(transparent)]
    Unavailable(BoxError),
    /// Claim or lease again: another owner took over, or the answer to a commit was lost, so
    /// that it is not known whether the change was stored.
    #[error("the owner was fenced, or a commit's answer was lost")]
    Fenced,
    /// Leave out what carries it: a stored value or a request cannot be processed. Nothing
    /// was changed.
    #[error("stored data is inconsistent: {what}")]
    BadData {
        /// Table, column, row, and what is wrong.
        what: String,
    },
    /// A human must look. Nothing was changed.
    #[error("{what}")]
    Refused {
        /// What is wrong and what to do.
        what: String,
    },
    /// A human must look: the database was restored. Nothing was changed.
    #[error(transparent)]
    Older(#[from] OlderDatabase),
    /// Open the database anew: it was given another number of lanes. Nothing was changed.
    #[error(transparent)]
    OtherLanes(#[from] OtherLanes),
}

impl From<Damage> for StoreError {
    fn from(Damage { what, .. }: Damage) -> Self {
        Self::BadData { what }
    }
}

impl From<MovedMeanwhile> for StoreError {
    fn from(moved: MovedMeanwhile) -> Self {
        Self::Refused { what: moved.to_string() }
    }
}

impl From<LaneProblem> for StoreError {
    fn from(problem: LaneProblem) -> Self {
        Self::Refused { what: problem.to_string() }
    }
}

impl From<NotDrained> for StoreError {
    fn from(not_drained: NotDrained) -> Self {
        Self::Refused { what: not_drained.to_string() }
    }
}

impl From<ForeignLog> for StoreError {
    fn from(foreign: ForeignLog) -> Self {
        Self::Refused { what: foreign.to_string() }
    }
}
