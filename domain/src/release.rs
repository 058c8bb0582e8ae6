//! Causes that do not belong at their shops, and releasing any cause by command.

use crate::campaign::{Campaign, CampaignState};
use crate::cause::{CauseName, Effect, ReleasedCause};
use crate::outcome::Standing;
use crate::precedence::Resolution;
use crate::radius::Radius;
use crate::shop::ShopState;
use crate::time::{Deadline, Timestamp};

/// Why a campaign's cause that is in force at a shop does not belong there. No campaign will
/// release it, so a human must.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StrayCause {
    /// The database has no such campaign.
    UnknownCampaign,
    /// The campaign's list does not name the shop.
    NotListed,
    /// The campaign has ended.
    Ended,
}

/// Whether the cause of a campaign that is in force at a shop does not belong there.
///
/// 1. The database has no such campaign.
/// 2. Its list does not name the shop.
/// 3. It has ended. (While it is ending, its releases are still on their way.)
///
/// Of several reasons the first counts.
#[must_use]
pub fn find_stray(campaign: Option<&Campaign>, is_listed: bool) -> Option<StrayCause> {
    let Some(campaign) = campaign else { return Some(StrayCause::UnknownCampaign) };
    if !is_listed {
        return Some(StrayCause::NotListed);
    }
    (campaign.state == CampaignState::Ended).then_some(StrayCause::Ended)
}

/// What a release by command goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReleaseTerms {
    /// The cause.
    pub cause: CauseName,
    /// The newest deadline of the campaign's activations; `None` where it is of no campaign, or
    /// of one that cannot be found.
    pub deadline: Option<Deadline>,
    /// No cause but a closing one narrows a shop below this.
    pub floor: Radius,
}

/// What a release by command did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// The cause was in force, and is released.
    Done(Standing),
    /// No such cause is in force at the shop.
    NotInForce,
    /// There is no such shop.
    UnknownShop,
}

/// Releases a cause by command, whatever its campaign wants. Returns how that left the shop;
/// `None` where no such cause is in force, and nothing changes.
///
/// 1. The cause goes, and the radius is resolved again.
/// 2. A campaign's released cause takes its place, as after the campaign's own release: late
///    copies of the activation are superseded until the campaign's deadline, and the campaign's
///    own release is answered as a repeat.
/// 3. Where the campaign cannot be found, the released cause has the present time as its deadline.
///    That is enough, because requests of such a campaign are rejected.
/// 4. Other released causes stay: only the owner of the shop's lane may drop them.
pub fn release_cause(
    shop: &mut ShopState,
    terms: &ReleaseTerms,
    now: Timestamp,
) -> Option<Standing> {
    shop.active.remove(shop.active.find(terms.cause)?);
    let before = shop.radius;
    let Resolution { radius, decided_by } = shop.resolution(terms.floor);
    shop.radius = radius;
    shop.version += 1;
    if let CauseName::Campaign(campaign) = terms.cause {
        let place = shop.released.binary_search_by_key(&campaign, |released| released.campaign);
        // INVARIANT: a campaign's cause is active or released, and never both.
        if let Err(place) = place {
            let deadline = terms.deadline.unwrap_or(Deadline::at(now));
            let effect = Effect::from_change(before != radius);
            shop.released.insert(place, ReleasedCause { campaign, deadline, effect });
        }
    }
    Some(Standing { before: Some(before), after: radius, decided_by, version: shop.version })
}
