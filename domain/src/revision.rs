//! Names of campaigns: a number that rises for ever, and an id.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;
use uuid::Uuid;

/// A number from the database, rising for ever: each campaign, import and base change takes one.
/// A change of a base radius with a number that the database never gave out is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

impl Revision {
    /// Before every revision that the database gives out.
    pub const NONE: Self = Self(0);
    /// The highest there can be: a request id has 48 bits for it.
    pub const MAX: Self = Self((1 << 48) - 1);
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Reads the number, with or without a `#` before it.
impl FromStr for Revision {
    type Err = RevisionError;

    fn from_str(text: &str) -> Result<Self, RevisionError> {
        let number = text.strip_prefix('#').unwrap_or(text);
        match number.parse() {
            Ok(number) if Self::NONE.0 < number && number <= Self::MAX.0 => Ok(Self(number)),
            _ => Err(RevisionError),
        }
    }
}

/// The text is no revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("expected the number of a campaign, such as `17`")]
pub struct RevisionError;

/// What tells two campaigns apart that took one revision in two copies of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CampaignId(pub Uuid);

impl fmt::Display for CampaignId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A campaign by its full name. Ordered from the oldest to the newest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CampaignRef {
    /// Its revision.
    pub revision: Revision,
    /// Its id.
    pub id: CampaignId,
}
