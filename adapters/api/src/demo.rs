//! The demo, as programs read it.

use serde::{Deserialize, Serialize};

use crate::Counts;

/// The demo, with a check of every shop after each act.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Demo {
    /// The acts, in order.
    pub acts: Vec<Act>,
    /// How often a shop was not as it must be.
    pub wrong: u64,
}

/// An act of the demo.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Act {
    /// What happens in it.
    pub name: String,
    /// How many shops were asked. A shop that several campaigns asked counts for each.
    pub shops: u64,
    /// How many shops have which outcome.
    pub outcomes: Counts,
    /// How many shops were asked in a second.
    pub shops_per_second: u64,
    /// How many shops were not as they must be afterwards.
    pub wrong: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_demo_is_shown_act_by_act() {
        let act = Act {
            name: "everything ends".to_owned(),
            shops: 7,
            outcomes: [("applied".to_owned(), 4), ("unchanged".to_owned(), 3)].into(),
            shops_per_second: 700,
            wrong: 0,
        };
        insta::assert_json_snapshot!(Demo { acts: vec![act], wrong: 0 }, @r#"
        {
          "acts": [
            {
              "name": "everything ends",
              "shops": 7,
              "outcomes": {
                "applied": 4,
                "unchanged": 3
              },
              "shopsPerSecond": 700,
              "wrong": 0
            }
          ],
          "wrong": 0
        }
        "#);
    }
}
