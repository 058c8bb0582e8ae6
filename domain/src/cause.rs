//! Causes: what each campaign wants at one shop.

use crate::radius::Limit;
use crate::revision::CampaignRef;
use crate::time::Deadline;
use crate::trigger::{Rank, TriggerKind};

/// Where a cause comes from.
///
/// Ordered from the oldest: campaigns by revision, then requests without one, whose age
/// nobody states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// A campaign.
    Campaign(CampaignRef),
    /// A request without a campaign. A shop has one such cause per kind.
    Request,
}

/// What took effect: whether the radius changed when the request was applied first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The radius changed.
    Applied,
    /// The radius stayed what it was.
    Unchanged,
}

impl Effect {
    /// `Applied` where the radius changed.
    #[must_use]
    pub const fn from_change(changed: bool) -> Self {
        if changed { Self::Applied } else { Self::Unchanged }
    }
}

/// A cause in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActiveCause {
    /// Where it comes from.
    pub origin: Origin,
    /// Why the radius changes.
    pub kind: TriggerKind,
    /// The rank that its kind had when it was applied.
    pub rank: Rank,
    /// What it asks for.
    pub limit: Limit,
    /// What its activation did.
    pub effect: Effect,
}

impl ActiveCause {
    /// What tells the causes of one shop apart, and their order from the oldest.
    #[must_use]
    pub const fn key(&self) -> (Origin, TriggerKind) {
        (self.origin, self.kind)
    }
}

/// A cause that is over. It stays until no copy of its activation can take effect any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReleasedCause {
    /// The campaign that is over at this shop.
    pub campaign: CampaignRef,
    /// The newest deadline of its activation.
    pub deadline: Deadline,
    /// What its release did.
    pub effect: Effect,
}
