//! Computes what a change does, with the domain's rules on copies of the shops.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use catchment_domain::ports::ShopGroup;
use catchment_domain::{Change, Deadline, LaneTime, Policy, Radius, Status, Timestamp, judge};

/// The effect that a change would have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forecast {
    /// How many shops are asked.
    pub shops: u64,
    /// At how many shops the radius would change.
    pub changed: u64,
    /// How many shops would reject the change.
    pub rejected: u64,
    /// The narrowest and the widest radius afterwards.
    pub range: Option<(Radius, Radius)>,
    /// The effect in each region.
    regions: BTreeMap<String, RegionForecast>,
}

/// The effect that a change would have in one region.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegionForecast {
    /// How many shops are asked.
    pub shops: u64,
    /// At how many shops the radius would change.
    pub changed: u64,
}

impl Forecast {
    /// Adds the effect of a change on shops where the same is in force.
    pub(crate) fn add(&mut self, group: ShopGroup, change: &Change, policy: &Policy) {
        let ShopGroup { region, mut state, shops } = group;
        // The time is before every deadline, so nothing expires and nothing is dropped.
        let mut time = LaneTime { now: Timestamp::MIN, expired_up_to: Deadline::MIN };
        let status = judge(&mut state, change, Ok(()), policy, &mut time).status;
        let if_so = |is_so: bool| if is_so { shops } else { 0 };
        let changed = if_so(status == Status::Applied);
        self.shops += shops;
        self.changed += changed;
        self.rejected += if_so(status == Status::Rejected);
        let radius = state.radius;
        self.range = Some(match self.range {
            None => (radius, radius),
            Some((narrowest, widest)) => (narrowest.min(radius), widest.max(radius)),
        });
        let region = self.regions.entry(region).or_default();
        region.shops += shops;
        region.changed += changed;
    }

    /// At how many shops the radius would stay the same.
    #[must_use]
    pub const fn unchanged(&self) -> u64 {
        self.shops - self.changed - self.rejected
    }

    /// The regions, those in which the most shops would change first.
    #[must_use]
    pub fn regions(&self) -> Vec<(&str, &RegionForecast)> {
        let mut regions: Vec<_> =
            self.regions.iter().map(|(name, region)| (name.as_str(), region)).collect();
        regions.sort_by_key(|(name, region)| (Reverse((region.changed, region.shops)), *name));
        regions
    }
}

#[cfg(test)]
mod tests {
    use catchment_domain::{CampaignId, CampaignRef, Rank, Revision, ShopState, TriggerRule};
    use uuid::Uuid;

    use super::*;

    fn group(region: &str, base: u32, shops: u64) -> ShopGroup {
        let state = ShopState::new(Radius::try_from(base).unwrap(), Revision(1));
        ShopGroup { region: region.into(), state, shops }
    }

    #[test]
    fn a_forecast_counts_what_would_change() {
        let kind = "manual".parse().unwrap();
        let rule = TriggerRule { rank: Rank(20), default_limit: None };
        let policy = Policy { floor: Radius::CLOSED, triggers: BTreeMap::from([(kind, rule)]) };
        let change = Change::Activate {
            campaign: CampaignRef { revision: Revision(2), id: CampaignId(Uuid::nil()) },
            kind,
            limit: "2km".parse().unwrap(),
            deadline: Deadline::LAST,
            replaces: None,
        };
        let mut forecast = Forecast::default();
        for group in [group("East", 5_000, 1), group("East", 1_500, 10), group("West", 2_500, 3)] {
            forecast.add(group, &change, &policy);
        }
        assert_eq!((forecast.shops, forecast.changed, forecast.unchanged()), (14, 4, 10));
        let metres = forecast.range.map(|(a, b)| (a.metres(), b.metres()));
        assert_eq!(metres, Some((1_500, 2_000)));
        let (west, east) =
            (RegionForecast { shops: 3, changed: 3 }, RegionForecast { shops: 11, changed: 1 });
        assert_eq!(forecast.regions(), [("West", &west), ("East", &east)]);
    }
}
