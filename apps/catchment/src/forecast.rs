//! Computes what a campaign would change, with the domain's rules on copies of the shops.

use std::collections::BTreeMap;

use catchment_domain::ports::ShopGroup;
use catchment_domain::{
    CampaignId, CampaignRef, Change, Deadline, LaneTime, Limit, Policy, Radius, Replaced, Request,
    RequestId, Revision, ShopIdError, Status, Timestamp, TriggerKind, judge,
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
#[derive(Clone, Debug)]
pub(crate) struct Forecast {
    /// The campaign's activation. The effect does not depend on the shop's id.
    request: Request,
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

impl Forecast {
    /// A campaign that reaches no shop yet.
    ///
    /// # Errors
    ///
    /// Never: the id that stands for any shop is one.
    pub(crate) fn of(plan: &Plan) -> Result<Self, ShopIdError> {
        let newest = CampaignRef { revision: Revision::MAX, id: CampaignId(Uuid::max()) };
        let request = Request {
            id: RequestId(Uuid::nil()),
            shop: "any".parse()?,
            change: Change::Activate {
                campaign: newest,
                kind: plan.kind,
                limit: plan.limit,
                deadline: Deadline::at(Timestamp::from_millis(i64::MAX)),
                replaces: plan.replaces,
            },
        };
        let regions = BTreeMap::new();
        Ok(Self { request, shops: 0, changed: 0, rejected: 0, range: None, regions })
    }

    /// Adds the effect on shops where the same is in force.
    pub(crate) fn add(&mut self, group: &ShopGroup, policy: &Policy) {
        // The time is before every deadline, so nothing expires and nothing is dropped.
        let mut time = LaneTime { now: Timestamp::MIN, expired_up_to: Deadline::MIN };
        let mut state = group.state.clone();
        let status = judge(&mut state, &self.request, Ok(()), policy, &mut time).status;
        let if_so = |is_so: bool| if is_so { group.shops } else { 0 };
        let changed = if_so(status == Status::Applied);
        self.shops += group.shops;
        self.changed += changed;
        self.rejected += if_so(status == Status::Rejected);
        let radius = state.radius;
        self.range = Some(match self.range {
            None => (radius, radius),
            Some((narrowest, widest)) => (narrowest.min(radius), widest.max(radius)),
        });
        let (shops, changed_there) = self.regions.entry(group.region.clone()).or_default();
        *shops += group.shops;
        *changed_there += changed;
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

    use catchment_domain::{Rank, ShopState, TriggerRule};

    use super::*;

    fn group(region: &str, base: u32, shops: u64) -> ShopGroup {
        let state = ShopState::new(Radius::try_from(base).unwrap(), Revision(1));
        ShopGroup { region: region.into(), state, shops }
    }

    #[test]
    fn a_forecast_counts_what_would_change() {
        let kind: TriggerKind = "manual".parse().unwrap();
        let rule = TriggerRule { rank: Rank(20), default_limit: None };
        let policy = Policy { floor: Radius::CLOSED, triggers: BTreeMap::from([(kind, rule)]) };
        let plan = Plan { kind, limit: "2km".parse().unwrap(), replaces: None };
        let mut forecast = Forecast::of(&plan).unwrap();
        for group in [group("East", 5_000, 1), group("East", 1_500, 10), group("West", 2_500, 3)] {
            forecast.add(&group, &policy);
        }
        assert_eq!((forecast.shops, forecast.changed, forecast.unchanged()), (14, 4, 10));
        let metres = forecast.range.map(|(a, b)| (a.metres(), b.metres()));
        assert_eq!(metres, Some((1_500, 2_000)));
        assert_eq!(forecast.top_regions(1), [("West", 3, 3)]);
        assert_eq!(forecast.top_regions(9), [("West", 3, 3), ("East", 11, 1)]);
    }
}
