use std::fmt;

use catchment_domain::CampaignError;
use catchment_domain::ports::{BoxError, CallError, CommandError, StoreError};
use thiserror::Error;

use crate::nearest::nearest;

/// Why a use case could not do what was asked, by what the caller can do about it.
#[derive(Debug, Error)]
pub enum UseCaseError {
    /// Correct one field, and ask again.
    #[error(transparent)]
    Invalid(#[from] InvalidField),
    /// Ask for something that exists.
    #[error(transparent)]
    NotFound(#[from] NotFound),
    /// The present state of the campaign does not allow this. Look at the campaign first.
    #[error(transparent)]
    Conflict(CampaignError),
    /// Try again later. The source says whether the request may have taken effect.
    #[error("{0}")]
    Unavailable(#[source] BoxError),
    /// A human must look: stored data or a reply cannot be read, or the database does not fit.
    #[error("{0}")]
    HumanMustLook(#[source] BoxError),
}

/// A field of a request with a value that cannot be used. The problem names fields in backticks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidField {
    /// The name of the field, as callers write it.
    pub field: &'static str,
    /// What is wrong with its value.
    pub problem: String,
    /// The known values that resemble the given one most, the nearest first.
    pub nearest: Vec<String>,
}

impl InvalidField {
    /// A field with a problem for which there is no nearest value.
    pub fn new(field: &'static str, problem: impl Into<String>) -> Self {
        Self { field, problem: problem.into(), nearest: Vec::new() }
    }

    /// A field that names something unknown.
    pub fn unknown<'a>(
        field: &'static str,
        what: &str,
        name: &str,
        known: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let known: Vec<&str> = known.into_iter().collect();
        let hint = if known.is_empty() { ": there is none yet" } else { "" };
        let problem = format!("there is no {what} `{name}`{hint}");
        let nearest = nearest(name, &known).into_iter().map(str::to_owned).collect();
        Self { field, problem, nearest }
    }
}

impl fmt::Display for InvalidField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem)?;
        for (place, name) in self.nearest.iter().enumerate() {
            let lead = if place == 0 { ": did you mean" } else { " or" };
            write!(f, "{lead} `{name}`")?;
        }
        f.write_str(if self.nearest.is_empty() { "" } else { "?" })
    }
}

impl std::error::Error for InvalidField {}

/// Something that was asked for and does not exist.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("there is no {what}")]
pub struct NotFound {
    /// What does not exist, such as `campaign 7`.
    pub what: String,
}

impl NotFound {
    /// Names what does not exist.
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into() }
    }
}

impl From<StoreError> for UseCaseError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) | StoreError::Fenced => Self::Unavailable(error.into()),
            StoreError::BadData { .. }
            | StoreError::Refused { .. }
            | StoreError::Older(_)
            | StoreError::OtherLanes(_) => Self::HumanMustLook(error.into()),
        }
    }
}

impl From<CampaignError> for UseCaseError {
    fn from(error: CampaignError) -> Self {
        match error {
            CampaignError::Unknown(revision) => {
                NotFound::new(format!("campaign {revision}")).into()
            }
            CampaignError::EmptyScope | CampaignError::TooManyShops => {
                InvalidField::new("scope", error.to_string()).into()
            }
            CampaignError::Ending(_)
            | CampaignError::Ended(_)
            | CampaignError::Sending(_)
            | CampaignError::Replaced(..)
            | CampaignError::NothingToRetry(_)
            | CampaignError::NothingOpen(_)
            | CampaignError::TooManyAttempts(_)
            | CampaignError::NotEnded(_)
            | CampaignError::MayStillApply(_)
            | CampaignError::Succeeds(..)
            | CampaignError::InForce(_) => Self::Conflict(error),
        }
    }
}

impl From<CommandError> for UseCaseError {
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::Campaign(error) => error.into(),
            CommandError::Store(error) => error.into(),
        }
    }
}

impl From<CallError> for UseCaseError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::NoReply(_) => Self::Unavailable(error.into()),
            CallError::Refused(_) | CallError::Unreadable(_) => Self::HumanMustLook(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_is_followed_by_the_nearest_names() {
        let regions = ["Hackney", "Haringey", "강남구 역삼동", "강남구 삼성동"];
        for (name, known, expected) in [
            ("Hackny", &regions[..], "there is no region `Hackny`: did you mean `Hackney`?"),
            (
                "강남구 역섬동",
                &regions,
                "there is no region `강남구 역섬동`: did you mean `강남구 역삼동` or `강남구 삼성동`?",
            ),
            ("Paris", &regions, "there is no region `Paris`"),
            ("Paris", &[], "there is no region `Paris`: there is none yet"),
        ] {
            let error = InvalidField::unknown("regions", "region", name, known.iter().copied());
            assert_eq!(error.to_string(), expected);
        }
    }
}
