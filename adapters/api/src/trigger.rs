//! Trigger kinds, as programs read them.

use catchment_domain as domain;
use serde::{Deserialize, Serialize};

use crate::Limit;

/// A trigger kind with its rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Trigger {
    /// The name of the kind.
    pub kind: String,
    /// Causes of the highest rank decide.
    pub rank: u8,
    /// The limit of a campaign that names none.
    pub default_limit: Option<Limit>,
}

impl From<(domain::TriggerKind, domain::TriggerRule)> for Trigger {
    fn from((kind, rule): (domain::TriggerKind, domain::TriggerRule)) -> Self {
        let domain::TriggerRule { rank, default_limit } = rule;
        Self { kind: kind.to_string(), rank: rank.0, default_limit: default_limit.map(Limit::from) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trigger_has_the_default_limit_of_its_kind() {
        let rule = |default_limit| domain::TriggerRule { rank: domain::Rank(10), default_limit };
        let kind = "bad_weather".parse().unwrap();
        let triggers = [None, Some("50%".parse().unwrap())];
        let triggers = triggers.map(|limit| Trigger::from((kind, rule(limit))));
        insta::assert_json_snapshot!(triggers, @r#"
        [
          {
            "kind": "bad_weather",
            "rank": 10,
            "defaultLimit": null
          },
          {
            "kind": "bad_weather",
            "rank": 10,
            "defaultLimit": {
              "percent": 50
            }
          }
        ]
        "#);
    }
}
