//! Topics: made, checked, and left.

use catchment_domain as domain;
use serde::Serialize;

/// A topic after all topics were made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Topic {
    /// Its name.
    pub topic: String,
    /// Whether it is new.
    pub created: bool,
}

/// The topics can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TopicsChecked {
    /// How many partitions requests have.
    pub partitions: u16,
}

/// A database that has left its topics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Moved {
    /// Whether nothing is changed.
    pub dry_run: bool,
    /// How many lanes there are.
    pub lanes: BeforeAndNow,
    /// How many shops the lanes have.
    pub shops: u64,
    /// How many campaigns there are.
    pub campaigns: u64,
}

/// A number before a command and after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BeforeAndNow {
    /// Before.
    pub before: u64,
    /// After.
    pub now: u64,
}

impl Moved {
    /// Shows what a move did, or would do.
    #[must_use]
    pub fn new(moved: domain::Moved, dry_run: bool) -> Self {
        let domain::Moved { before, lanes, shops, campaigns } = moved;
        let lanes = BeforeAndNow { before: before.count().into(), now: lanes.count().into() };
        Self { dry_run, lanes, shops, campaigns }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU16;

    use catchment_domain::Lanes;

    use super::*;

    #[test]
    fn topics_are_shown_as_they_are_made_checked_and_left() {
        let topic = Topic { topic: "requests".to_owned(), created: true };
        let checked = TopicsChecked { partitions: 12 };
        let lanes = |count| Lanes(NonZeroU16::new(count).unwrap());
        let (before, lanes) = (lanes(12), lanes(24));
        let moved = domain::Moved { before, lanes, shops: 12_000, campaigns: 1 };
        insta::assert_json_snapshot!((topic, checked, Moved::new(moved, false)), @r#"
        [
          {
            "topic": "requests",
            "created": true
          },
          {
            "partitions": 12
          },
          {
            "dryRun": false,
            "lanes": {
              "before": 12,
              "now": 24
            },
            "shops": 12000,
            "campaigns": 1
          }
        ]
        "#);
    }
}
