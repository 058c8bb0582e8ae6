//! What became of the shops of a campaign, as programs read it.

use catchment_application::Page;
use catchment_domain::ports::ShopOutcome;
use catchment_domain::{Code, Slot};
use serde::{Deserialize, Serialize};

use crate::Damage;

/// What became of one shop of a campaign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// The shop's id.
    pub shop: String,
    /// The status of its outcome, or `open`. `null` if nothing is asked of the shop in this phase.
    pub status: Option<String>,
    /// Why, if that is not plain success.
    pub code: Option<String>,
    /// Why, for people.
    pub message: Option<String>,
}

impl From<&ShopOutcome> for Outcome {
    fn from(outcome: &ShopOutcome) -> Self {
        let status = match outcome.slot {
            Slot::Idle => None,
            Slot::Open => Some("open".to_owned()),
            Slot::Closed(status) => Some(status.to_string()),
        };
        let message = outcome.message.as_deref().or_else(|| outcome.code.map(Code::message));
        Self {
            shop: outcome.shop.to_string(),
            status,
            code: outcome.code.map(|code| code.to_string()),
            message: message.map(ToOwned::to_owned),
        }
    }
}

/// A page of outcomes, in the order of the campaign's list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OutcomePage {
    /// The outcomes.
    pub outcomes: Vec<Outcome>,
    /// What cannot be read.
    pub damaged: Vec<Damage>,
    /// Where the next page begins. `null` on the last page.
    pub next: Option<u32>,
}

impl From<&Page<ShopOutcome, u32>> for OutcomePage {
    fn from(page: &Page<ShopOutcome, u32>) -> Self {
        Self {
            outcomes: page.items.iter().map(Outcome::from).collect(),
            damaged: page.damaged.iter().map(Damage::from).collect(),
            next: page.next,
        }
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
        let items = vec![
            outcome(Slot::Idle, None),
            outcome(Slot::Open, None),
            outcome(Slot::Closed(Status::Rejected), Some(Code::UnknownShop)),
        ];
        let page = OutcomePage::from(&Page { items, damaged: Vec::new(), next: Some(3) });
        insta::assert_json_snapshot!(page, @r#"
        {
          "outcomes": [
            {
              "shop": "가게-7",
              "status": null,
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
          ],
          "damaged": [],
          "next": 3
        }
        "#);
    }
}
