//! What became of the shops of a campaign, as programs read it.

use catchment_domain::ports::ShopOutcome;
use catchment_domain::{Code, Slot};
use serde::{Deserialize, Serialize};

/// What became of one shop of a campaign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// The shop's id.
    pub shop: String,
    /// The status of its outcome, `open`, or `idle` if nothing is asked of the shop in this phase.
    pub status: String,
    /// Why, if that is not plain success.
    pub code: Option<String>,
    /// Why, for people.
    pub message: Option<String>,
}

impl From<&ShopOutcome> for Outcome {
    fn from(outcome: &ShopOutcome) -> Self {
        let message = outcome.message.as_deref().or_else(|| outcome.code.map(Code::message));
        Self {
            shop: outcome.shop.to_string(),
            status: word(outcome.slot).to_owned(),
            code: outcome.code.map(|code| code.to_string()),
            message: message.map(ToOwned::to_owned),
        }
    }
}

/// Returns the word for what became of a shop.
pub(crate) const fn word(slot: Slot) -> &'static str {
    match slot {
        Slot::Idle => "idle",
        Slot::Open => "open",
        Slot::Closed(status) => status.as_str(),
    }
}

#[cfg(test)]
mod tests {
    use catchment_domain::Status;

    use super::*;

    #[test]
    fn an_outcome_says_why_it_is_no_success() {
        let outcome = |slot, code| ShopOutcome {
            index: 0,
            shop: "가게-7".parse().unwrap(),
            slot,
            code,
            message: None,
        };
        let outcomes = [
            outcome(Slot::Idle, None),
            outcome(Slot::Open, None),
            outcome(Slot::Closed(Status::Rejected), Some(Code::UnknownShop)),
        ];
        insta::assert_json_snapshot!(outcomes.each_ref().map(Outcome::from), @r#"
        [
          {
            "shop": "가게-7",
            "status": "idle",
            "code": null,
            "message": null
          },
          {
            "shop": "가게-7",
            "status": "open",
            "code": null,
            "message": null
          },
          {
            "shop": "가게-7",
            "status": "rejected",
            "code": "unknown_shop",
            "message": "there is no shop of this id"
          }
        ]
        "#);
    }
}
