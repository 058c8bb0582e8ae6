//! Precedence: which of a shop's causes decides its radius.

use crate::cause::{ActiveCause, Origin};
use crate::radius::{Limit, Radius};
use crate::revision::Revision;
use crate::trigger::TriggerKind;

/// What a shop's radius is, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resolution {
    /// How far the shop delivers.
    pub radius: Radius,
    /// What decided it.
    pub decided_by: DecidedBy,
}

/// What decided a radius.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecidedBy {
    /// Nothing limits the shop: its base radius.
    Base,
    /// A campaign.
    Campaign {
        /// Its revision.
        revision: Revision,
        /// Its kind.
        kind: TriggerKind,
    },
    /// A request without a campaign.
    Request {
        /// Its kind.
        kind: TriggerKind,
    },
}

/// Resolves a shop's radius from everything that wants to change it.
///
/// 1. No cause: the base radius.
/// 2. Otherwise the causes of the highest rank decide.
/// 3. Among them the narrowest limit at this base decides; closed is narrower than any other.
/// 4. Of equals the oldest is named: the first by [`ActiveCause::key`].
/// 5. The radius is `min(base, max(floor, limit))`; closed is 0 whatever the floor.
///
/// The order of `causes` does not matter.
///
/// ```
/// use catchment_domain::{DecidedBy, Radius, resolve};
/// let base = Radius::try_from(5000_u32)?;
/// let resolution = resolve(base, Radius::CLOSED, &[]);
/// assert_eq!((resolution.radius, resolution.decided_by), (base, DecidedBy::Base));
/// # Ok::<_, catchment_domain::RadiusError>(())
/// ```
#[must_use]
pub fn resolve(base: Radius, floor: Radius, causes: &[ActiveCause]) -> Resolution {
    let narrowness = |cause: &ActiveCause| {
        let open = cause.limit != Limit::Closed;
        (std::cmp::Reverse(cause.rank), open, cause.limit.of(base))
    };
    let deciding = causes.iter().min_by(|one, other| {
        let narrower = narrowness(one).cmp(&narrowness(other));
        narrower.then_with(|| one.key().cmp(&other.key()))
    });
    match deciding {
        None => Resolution { radius: base, decided_by: DecidedBy::Base },
        Some(cause) => Resolution {
            radius: bounded(cause.limit, base, floor),
            decided_by: DecidedBy::cause(cause),
        },
    }
}

/// The radius that a limit leaves a shop.
fn bounded(limit: Limit, base: Radius, floor: Radius) -> Radius {
    match limit {
        Limit::Closed => Radius::CLOSED,
        Limit::Metres(_) | Limit::Percent(_) => limit.of(base).max(floor).min(base),
    }
}

impl DecidedBy {
    /// This cause decided.
    #[must_use]
    pub const fn cause(cause: &ActiveCause) -> Self {
        match cause.origin {
            Origin::Campaign(revision) => Self::Campaign { revision, kind: cause.kind },
            Origin::Request => Self::Request { kind: cause.kind },
        }
    }
}
