//! What a release by command did.

use catchment_application::ShopRelease;
use catchment_domain::{self as domain, CauseName, Radius, ShopId};
use serde::{Deserialize, Serialize};

use crate::DecidedBy;

/// What a release by command did at a shop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReleaseResult {
    /// The shop.
    pub shop: String,
    /// The campaign of the cause.
    pub campaign: Option<u64>,
    /// The kind of the cause, if the cause has no campaign.
    pub kind: Option<String>,
    /// Whether the cause was in force, and is released.
    pub released: bool,
    /// If nothing was released: whether the campaign may still ask for the cause.
    pub prospect: Option<Prospect>,
    /// How the release left the shop.
    #[serde(flatten)]
    pub standing: Option<Standing>,
}

/// How a change left a shop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    /// The radius before, in metres, if it is known.
    pub before: Option<u32>,
    /// The radius after, in metres.
    pub after: u32,
    /// What decided the radius after.
    pub decided_by: DecidedBy,
    /// The shop's version after.
    pub version: u64,
}

/// Whether a campaign may still ask for a cause that is not in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prospect {
    /// There is no such campaign.
    UnknownCampaign,
    /// The campaign has asked for the cause, and there is no outcome yet.
    Asked,
    /// The campaign will not ask for the cause, unless it is retried.
    NotAsked,
    /// The campaign or its outcomes cannot be read.
    Unreadable,
}

impl ReleaseResult {
    /// Returns what a release of a cause did at a shop.
    #[must_use]
    pub fn new(shop: &ShopId, cause: CauseName, release: ShopRelease) -> Self {
        let (campaign, kind) = match cause {
            CauseName::Campaign(revision) => (Some(revision.0), None),
            CauseName::Kind(kind) => (None, Some(kind.to_string())),
        };
        let (prospect, standing) = match release {
            ShopRelease::Released(standing) => (None, Some(standing.into())),
            ShopRelease::NotInForce(prospect) => (Some(prospect.into()), None),
        };
        let released = standing.is_some();
        Self { shop: shop.to_string(), campaign, kind, released, prospect, standing }
    }
}

impl From<domain::Standing> for Standing {
    fn from(standing: domain::Standing) -> Self {
        Self {
            before: standing.before.map(Radius::metres),
            after: standing.after.metres(),
            decided_by: standing.decided_by.into(),
            version: standing.version,
        }
    }
}

impl From<domain::Prospect> for Prospect {
    fn from(prospect: domain::Prospect) -> Self {
        match prospect {
            domain::Prospect::UnknownCampaign => Self::UnknownCampaign,
            domain::Prospect::Asked => Self::Asked,
            domain::Prospect::NotAsked => Self::NotAsked,
            domain::Prospect::Unreadable => Self::Unreadable,
        }
    }
}

#[cfg(test)]
mod tests {
    use catchment_domain::Revision;

    use super::*;

    #[test]
    fn a_release_says_how_it_left_the_shop_or_what_may_come() {
        let metres = |metres: u32| Radius::try_from(metres).unwrap();
        let released = ShopRelease::Released(domain::Standing {
            before: Some(metres(3_000)),
            after: metres(5_000),
            decided_by: domain::DecidedBy::Base,
            version: 3,
        });
        let shop = "a".parse().unwrap();
        let campaign = CauseName::Campaign(Revision(2));
        insta::assert_json_snapshot!(ReleaseResult::new(&shop, campaign, released), @r#"
        {
          "shop": "a",
          "campaign": 2,
          "kind": null,
          "released": true,
          "prospect": null,
          "before": 3000,
          "after": 5000,
          "decidedBy": "base",
          "version": 3
        }
        "#);
        let nothing = ShopRelease::NotInForce(domain::Prospect::NotAsked);
        let kind = CauseName::Kind("manual".parse().unwrap());
        insta::assert_json_snapshot!(ReleaseResult::new(&shop, kind, nothing), @r#"
        {
          "shop": "a",
          "campaign": null,
          "kind": "manual",
          "released": false,
          "prospect": "not_asked"
        }
        "#);
        let prospects = [
            domain::Prospect::UnknownCampaign,
            domain::Prospect::Asked,
            domain::Prospect::Unreadable,
        ];
        insta::assert_json_snapshot!(prospects.map(Prospect::from), @r#"
        [
          "unknown_campaign",
          "asked",
          "unreadable"
        ]
        "#);
    }
}
