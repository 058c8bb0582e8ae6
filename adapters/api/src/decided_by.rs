//! What decides a radius.

use catchment_domain as domain;
use serde::{Deserialize, Serialize};

/// What decides a radius: `"base"`, `{"revision":7,"kind":"bad_weather"}` for a campaign, or
/// `{"kind":"manual"}` for a request without a campaign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum DecidedBy {
    /// Nothing limits the shop.
    Base(Base),
    /// A cause.
    Cause {
        /// The revision of the cause's campaign.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        revision: Option<u64>,
        /// The kind of the cause.
        kind: String,
    },
}

/// The word `base`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Base {
    /// The shop's base radius.
    Base,
}

impl From<domain::DecidedBy> for DecidedBy {
    fn from(decided_by: domain::DecidedBy) -> Self {
        let (revision, kind) = match decided_by {
            domain::DecidedBy::Base => return Self::Base(Base::Base),
            domain::DecidedBy::Campaign { revision, kind } => (Some(revision.0), kind),
            domain::DecidedBy::Request { kind } => (None, kind),
        };
        Self::Cause { revision, kind: kind.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use catchment_domain::Revision;

    use super::*;

    #[test]
    fn what_decides_is_written_as_in_replies() {
        let kind = "manual".parse().unwrap();
        for (decided_by, expected) in [
            (domain::DecidedBy::Base, r#""base""#),
            (
                domain::DecidedBy::Campaign { revision: Revision(7), kind },
                r#"{"revision":7,"kind":"manual"}"#,
            ),
            (domain::DecidedBy::Request { kind }, r#"{"kind":"manual"}"#),
        ] {
            let written = serde_json::to_string(&DecidedBy::from(decided_by)).unwrap();
            assert_eq!(written, expected);
            assert_eq!(serde_json::from_str::<DecidedBy>(&written).unwrap(), decided_by.into());
        }
    }
}
