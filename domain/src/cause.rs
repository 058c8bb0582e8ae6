//! Causes: what each campaign wants at one shop.

use std::fmt;
use std::ops::Deref;

use crate::radius::Limit;
use crate::revision::Revision;
use crate::time::Deadline;
use crate::trigger::{Rank, TriggerKind};

/// Where a cause comes from.
///
/// Ordered from the oldest: campaigns by revision, then requests without one, whose age
/// nobody states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// A campaign. In one database its revision is name enough: [`judge_batch`] lets no request
    /// of a campaign through that has another id.
    ///
    /// [`judge_batch`]: crate::judge_batch
    Campaign(Revision),
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

/// The name of a cause at a shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CauseName {
    /// The cause of a campaign.
    Campaign(Revision),
    /// The cause of this kind, from requests without a campaign.
    Kind(TriggerKind),
}

impl fmt::Display for CauseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Campaign(revision) => write!(f, "campaign {revision}"),
            Self::Kind(kind) => write!(f, "kind {kind} without a campaign"),
        }
    }
}

/// The causes in force at a shop, in the order of [`ActiveCause::key`], which no two share.
///
/// ```
/// use catchment_domain::Causes;
/// assert!(Causes::NONE.is_empty());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Causes(Vec<ActiveCause>);

impl Causes {
    /// No cause.
    pub const NONE: Self = Self(Vec::new());

    /// The place of a cause, or the place where it would stand.
    #[inline]
    pub(crate) fn place(&self, key: (Origin, TriggerKind)) -> Result<usize, usize> {
        self.0.binary_search_by_key(&key, ActiveCause::key)
    }

    /// The place of a campaign's cause: it has one at a shop, whatever its kind.
    pub(crate) fn place_of(&self, campaign: Revision) -> Option<usize> {
        self.0.binary_search_by_key(&Origin::Campaign(campaign), |cause| cause.origin).ok()
    }

    /// The place of the cause with this name, if it is in force.
    pub(crate) fn find(&self, name: CauseName) -> Option<usize> {
        match name {
            CauseName::Campaign(campaign) => self.place_of(campaign),
            CauseName::Kind(kind) => self.place((Origin::Request, kind)).ok(),
        }
    }

    /// Puts a cause in its place, or in the place of the one that is there.
    #[inline]
    pub fn insert(&mut self, cause: ActiveCause) {
        match self.place(cause.key()) {
            Err(place) => self.0.insert(place, cause),
            Ok(place) => {
                if let Some(older) = self.0.get_mut(place) {
                    *older = cause;
                }
            }
        }
    }

    /// Keeps what the activation of a cause did, where it is still there.
    #[inline]
    pub(crate) fn note_effect(&mut self, key: (Origin, TriggerKind), effect: Effect) {
        if let Ok(place) = self.place(key)
            && let Some(cause) = self.0.get_mut(place)
        {
            cause.effect = effect;
        }
    }

    pub(crate) fn remove(&mut self, place: usize) {
        if place < self.0.len() {
            self.0.remove(place);
        }
    }
}

impl Deref for Causes {
    type Target = [ActiveCause];

    fn deref(&self) -> &[ActiveCause] {
        &self.0
    }
}

impl<'a> IntoIterator for &'a Causes {
    type Item = &'a ActiveCause;
    type IntoIter = std::slice::Iter<'a, ActiveCause>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

/// Takes causes in any order; of those that share a key, one.
impl From<Vec<ActiveCause>> for Causes {
    fn from(mut causes: Vec<ActiveCause>) -> Self {
        causes.sort_unstable_by_key(ActiveCause::key);
        causes.dedup_by_key(|cause| cause.key());
        Self(causes)
    }
}

impl Extend<ActiveCause> for Causes {
    fn extend<I: IntoIterator<Item = ActiveCause>>(&mut self, causes: I) {
        causes.into_iter().for_each(|cause| self.insert(cause));
    }
}

/// A cause that is over. It stays until no copy of its activation can take effect any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReleasedCause {
    /// The campaign that is over at this shop.
    pub campaign: Revision,
    /// The newest deadline of its activation.
    pub deadline: Deadline,
    /// What its release did.
    pub effect: Effect,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_stand_in_order_and_each_once_however_they_come() {
        let cause = |kind: &str, effect| ActiveCause {
            origin: Origin::Request,
            kind: kind.parse().unwrap(),
            rank: Rank(1),
            limit: "3km".parse().unwrap(),
            effect,
        };
        let some = [
            cause("b", Effect::Applied),
            cause("a", Effect::Applied),
            cause("c", Effect::Applied),
            cause("a", Effect::Applied),
        ];
        let mut causes = Causes::from(some.to_vec());
        let mut inserted = Causes::default();
        inserted.extend(some);
        assert_eq!(causes, inserted);
        assert_eq!(*causes, [some[1], some[0], some[2]]);
        causes.insert(cause("b", Effect::Unchanged));
        assert_eq!((causes.len(), causes[1].effect), (3, Effect::Unchanged));
        causes.remove(0);
        causes.remove(7);
        assert_eq!(causes.len(), 2);
    }
}
