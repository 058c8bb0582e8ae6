//! Computes what a campaign would change, with the domain's rules on copies of the shops.

use std::collections::BTreeMap;

use catchment_domain::{
    CampaignId, CampaignRef, Change, Deadline, LaneTime, Limit, Policy, Radius, Replaced, Request,
    RequestId, Revision, Shop, Status, Timestamp, TriggerKind, judge,
};
use uuid::Uuid;

/// A campaign that is not stored yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) kind: TriggerKind,
    pub(crate) limit: Limit,
    pub(crate) replaces: Option<Replaced>,
}

/// The effect that a campaign would have.
#[derive(Clone, Debug, Default)]
pub(crate) struct Forecast {
    /// How many shops the campaign would reach.
    pub(crate) shops: u64,
    /// At how many shops the radius would change.
    pub(crate) changed: u64,
    /// How many shops would reject the campaign.
    pub(crate) rejected: u64,
    /// The narrowest and the widest radius afterwards.
    pub(crate) range: Option<(Radius, Radius)>,
    /// For each region, how many shops there are and how many would change.
    pub(crate) regions: BTreeMap<String, (u64, u64)>,
}

impl Plan {
    /// Judges the campaign's activation at a shop.
    fn try_on(&self, shop: &Shop, policy: &Policy) -> (Status, Radius) {
        let newest = CampaignRef { revision: Revision::MAX, id: CampaignId(Uuid::max()) };
        let request = Request {
            id: RequestId(Uuid::nil()),
            shop: shop.id.clone(),
            change: Change::Activate {
                campaign: newest,
                kind: self.kind,
                limit: self.limit,
                deadline: Deadline::at(Timestamp::from_millis(i64::MAX)),
                replaces: self.replaces,
            },
        };
        // The time is before every deadline, so nothing expires and nothing is dropped.
        let mut time = LaneTime { now: Timestamp::MIN, expired_up_to: Deadline::MIN };
        let mut state = shop.state.clone();
        let outcome = judge(&mut state, &request, Ok(()), policy, &mut time);
        (outcome.status, state.radius)
    }
}

impl Forecast {
    /// Adds the effect on a shop.
    pub(crate) fn add(&mut self, shop: &Shop, plan: &Plan, policy: &Policy) {
        let (status, radius) = plan.try_on(shop, policy);
        let changed = u64::from(status == Status::Applied);
        self.shops += 1;
        self.changed += changed;
        self.rejected += u64::from(status == Status::Rejected);
        self.range = Some(match self.range {
            None => (radius, radius),
            Some((narrowest, widest)) => (narrowest.min(radius), widest.max(radius)),
        });
        if !self.regions.contains_key(&shop.profile.region) {
            self.regions.insert(shop.profile.region.clone(), (0, 0));
        }
        if let Some((shops, changed_there)) = self.regions.get_mut(&shop.profile.region) {
            *shops += 1;
            *changed_there += changed;
        }
    }

    /// Returns at how many shops the radius would stay the same.
    pub(crate) const fn unchanged(&self) -> u64 {
        self.shops - self.changed - self.rejected
    }

    /// Returns the regions in which the most shops would change.
    pub(crate) fn top_regions(&self, count: usize) -> Vec<(&str, u64, u64)> {
        let regions = self.regions.iter();
        let mut regions: Vec<_> =
            regions.map(|(name, (shops, changed))| (name.as_str(), *shops, *changed)).collect();
        regions
            .sort_by_key(|(name, shops, changed)| (std::cmp::Reverse((*changed, *shops)), *name));
        regions.truncate(count);
        regions
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use catchment_domain::{Location, Profile, Rank, ShopState, TriggerRule};

    use super::*;

    fn shop(region: &str, base: u32) -> Shop {
        let base = Radius::try_from(base).unwrap();
        Shop {
            id: "a".parse().unwrap(),
            profile: Profile {
                name: "n".into(),
                category: "c".into(),
                region: region.into(),
                location: Location::new(0.0, 0.0).unwrap(),
            },
            state: ShopState::new(base, Revision(1)),
        }
    }

    #[test]
    fn a_forecast_counts_what_would_change() {
        let kind: TriggerKind = "manual".parse().unwrap();
        let rule = TriggerRule { rank: Rank(20), default_limit: None };
        let policy = Policy { floor: Radius::CLOSED, triggers: BTreeMap::from([(kind, rule)]) };
        let plan = Plan { kind, limit: "2km".parse().unwrap(), replaces: None };
        let mut forecast = Forecast::default();
        for shop in [shop("East", 5_000), shop("East", 1_500), shop("West", 2_500)] {
            forecast.add(&shop, &plan, &policy);
        }
        assert_eq!((forecast.shops, forecast.changed, forecast.unchanged()), (3, 2, 1));
        let metres = forecast.range.map(|(a, b)| (a.metres(), b.metres()));
        assert_eq!(metres, Some((1_500, 2_000)));
        assert_eq!(forecast.top_regions(1), [("East", 2, 1)]);
        assert_eq!(forecast.top_regions(9), [("East", 2, 1), ("West", 1, 1)]);
    }
}
