//! The precedence rule once more, slowly and from the design's words alone.

use catchment_domain::{DecidedBy, Limit, Revision, TriggerKind};

use crate::simulator::world::FLOOR;

/// What one effective request wants of a shop.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish {
    /// The campaign's; `None` for a request without one.
    pub(crate) campaign: Option<Revision>,
    pub(crate) kind: TriggerKind,
    pub(crate) rank: u8,
    pub(crate) limit: Limit,
}

impl Wish {
    /// What is asked for, so that a smaller number is narrower: closed before everything.
    fn asked(&self, base: u32) -> i64 {
        match self.limit {
            Limit::Closed => -1,
            Limit::Metres(metres) => i64::from(metres.radius().metres()),
            Limit::Percent(percent) => i64::from(base) * i64::from(percent.get()) / 100,
        }
    }

    /// Campaigns from the oldest, then requests without one by their kind.
    fn age(&self) -> (bool, Option<Revision>, &str) {
        (self.campaign.is_none(), self.campaign, self.kind.as_str())
    }

    const fn decided(&self) -> DecidedBy {
        match self.campaign {
            Some(revision) => DecidedBy::Campaign { revision, kind: self.kind },
            None => DecidedBy::Request { kind: self.kind },
        }
    }
}

/// The radius in metres and what decides it: the highest rank; then the narrowest; then the
/// oldest.
pub(crate) fn resolve_naively(base: u32, mut wishes: Vec<Wish>) -> (u32, DecidedBy) {
    let Some(highest) = wishes.iter().map(|wish| wish.rank).max() else {
        return (base, DecidedBy::Base);
    };
    wishes.retain(|wish| wish.rank == highest);
    let narrowest = wishes.iter().map(|wish| wish.asked(base)).min().unwrap();
    wishes.retain(|wish| wish.asked(base) == narrowest);
    wishes.sort_by(|one, other| one.age().cmp(&other.age()));
    let radius = match u32::try_from(narrowest) {
        Err(_) => 0,
        Ok(asked) => base.min(asked.max(FLOOR)),
    };
    (radius, wishes[0].decided())
}
