//! Shops, and the causes in force there.

use catchment_application::{CauseDetails, ListedShop, ShopDetails};
use catchment_domain::Origin;
use serde::{Deserialize, Serialize};

use crate::{DecidedBy, Limit, instant};

/// A shop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Shop {
    /// The shop's id.
    pub id: String,
    /// The name for people.
    pub name: String,
    /// What the shop sells, such as `cafe`.
    pub category: String,
    /// The district.
    pub region: String,
    /// The latitude in degrees (WGS84).
    pub lat: f64,
    /// The longitude in degrees (WGS84).
    pub lon: f64,
    /// The radius while nothing limits the shop, in metres.
    pub base_radius: u32,
    /// The radius now, in metres.
    pub radius: u32,
    /// What decides the radius.
    pub decided_by: DecidedBy,
    /// Rises with every change.
    pub version: u64,
}

/// A shop with the causes in force there, the deciding one first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShopWithCauses {
    /// The shop.
    #[serde(flatten)]
    pub shop: Shop,
    /// The revision of the base radius.
    pub base_revision: u64,
    /// The causes.
    pub causes: Vec<Cause>,
}

/// A cause in force at a shop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cause {
    /// The kind.
    pub kind: String,
    /// The rank. The causes of the highest rank decide.
    pub rank: u8,
    /// The limit.
    pub limit: Limit,
    /// The radius that the limit asks for at this shop, in metres.
    pub asks_for: u32,
    /// Whether the cause decides the shop's radius.
    pub decides: bool,
    /// The revision of the cause's campaign. `null` for a request without a campaign.
    pub campaign: Option<u64>,
    /// The campaign's status.
    pub status: Option<String>,
    /// When the campaign was stored.
    pub since: Option<String>,
    /// The campaign's reason.
    pub reason: Option<String>,
}

impl From<&ListedShop> for Shop {
    fn from(ListedShop { shop, decided_by }: &ListedShop) -> Self {
        let profile = shop.profile.clone();
        Self {
            id: shop.id.to_string(),
            name: profile.name,
            category: profile.category,
            region: profile.region,
            lat: profile.location.latitude(),
            lon: profile.location.longitude(),
            base_radius: shop.state.base.radius.metres(),
            radius: shop.state.radius.metres(),
            decided_by: (*decided_by).into(),
            version: shop.state.version,
        }
    }
}

impl From<&ShopDetails> for ShopWithCauses {
    fn from(details: &ShopDetails) -> Self {
        Self {
            shop: (&details.listed).into(),
            base_revision: details.listed.shop.state.base.revision.0,
            causes: details.causes.iter().map(Into::into).collect(),
        }
    }
}

impl From<&CauseDetails> for Cause {
    fn from(CauseDetails { cause, asks_for, decides, campaign }: &CauseDetails) -> Self {
        let campaign = campaign.as_ref();
        Self {
            kind: cause.kind.to_string(),
            rank: cause.rank.0,
            limit: cause.limit.into(),
            asks_for: asks_for.metres(),
            decides: *decides,
            campaign: match cause.origin {
                Origin::Campaign(revision) => Some(revision.0),
                Origin::Request => None,
            },
            status: campaign.map(|campaign| campaign.state.as_str().to_owned()),
            since: campaign.map(|campaign| instant(campaign.created_at)),
            reason: campaign.map(|campaign| campaign.reason.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use catchment_domain::{
        ActiveCause, Effect, Location, Profile, Radius, Rank, Revision, ShopState,
    };

    use super::*;

    fn details() -> ShopDetails {
        let cause = |origin, limit: &str| ActiveCause {
            origin,
            kind: "manual".parse().unwrap(),
            rank: Rank(2),
            limit: limit.parse().unwrap(),
            effect: Effect::Applied,
        };
        let metres = |metres: u32| Radius::try_from(metres).unwrap();
        let mut state = ShopState::new(metres(5_000), Revision(1));
        let causes =
            [cause(Origin::Campaign(Revision(2)), "50%"), cause(Origin::Request, "closed")];
        state.active.extend(causes);
        state.radius = Radius::CLOSED;
        let profile = Profile {
            name: "Acorn".to_owned(),
            category: "cafe".to_owned(),
            region: "Hackney".to_owned(),
            location: Location::new(51.5, -0.1).unwrap(),
        };
        let shop = catchment_domain::Shop { id: "a".parse().unwrap(), profile, state };
        let causes = [(causes[1], 0, true), (causes[0], 2_500, false)];
        let causes = causes.map(|(cause, asks_for, decides)| CauseDetails {
            cause,
            asks_for: metres(asks_for),
            decides,
            campaign: None,
        });
        ShopDetails {
            listed: ListedShop::new(shop, Radius::CLOSED),
            causes: causes.into(),
            bound: None,
        }
    }

    #[test]
    fn a_shop_is_followed_by_its_causes() {
        insta::assert_json_snapshot!(ShopWithCauses::from(&details()), @r#"
        {
          "id": "a",
          "name": "Acorn",
          "category": "cafe",
          "region": "Hackney",
          "lat": 51.5,
          "lon": -0.1,
          "baseRadius": 5000,
          "radius": 0,
          "decidedBy": {
            "kind": "manual"
          },
          "version": 1,
          "baseRevision": 1,
          "causes": [
            {
              "kind": "manual",
              "rank": 2,
              "limit": "closed",
              "asksFor": 0,
              "decides": true,
              "campaign": null,
              "status": null,
              "since": null,
              "reason": null
            },
            {
              "kind": "manual",
              "rank": 2,
              "limit": {
                "percent": 50
              },
              "asksFor": 2500,
              "decides": false,
              "campaign": 2,
              "status": null,
              "since": null,
              "reason": null
            }
          ]
        }
        "#);
    }
}
