//! Causes that do not belong at their shops, and releasing any cause by command.

use crate::campaign::{Campaign, CampaignState};
use crate::cause::{CauseName, Effect, ReleasedCause};
use crate::chunk::Slot;
use crate::outcome::Standing;
use crate::precedence::Resolution;
use crate::radius::Radius;
use crate::shop::ShopState;
use crate::time::Deadline;

/// Why a campaign's cause that is in force at a shop does not belong there. No campaign will
/// release it by itself, so a human must act.
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

/// Whether the cause of a campaign is missing at a shop, although the ledger says that its
/// activation took effect there. `commands` says how often a command released it at the shop, by
/// the receipts that are kept.
///
/// 1. The activation counts as applied or unchanged.
/// 2. The campaign goes on: it was neither ended nor replaced.
/// 3. Its cause is not in force at the shop.
/// 4. No command released it there: neither a released cause nor a receipt tells of that.
#[must_use]
pub fn is_cause_missing(
    campaign: &Campaign,
    activation: Slot,
    shop: &ShopState,
    commands: u32,
) -> bool {
    let revision = campaign.name.revision;
    let is_in_force = shop.active.find(CauseName::Campaign(revision)).is_some();
    let is_released = shop.released.iter().any(|released| released.campaign == revision);
    activation.took_effect()
        && campaign.over().is_none()
        && !is_in_force
        && !is_released
        && commands == 0
}

/// What a release by command goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReleaseTerms {
    /// The cause.
    pub cause: CauseName,
    /// No cause but a closing one narrows a shop below this.
    pub floor: Radius,
}

/// The campaign of a cause that is released by command, as the database has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CauseCampaign {
    /// It is not there.
    Unknown,
    /// It is there and cannot be read.
    Damaged,
    /// The deadline of its present attempt.
    Deadline(Deadline),
}

/// What a release by command did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReleaseResult {
    /// The cause was in force, and is released.
    Done(Standing),
    /// No such cause is in force at the shop.
    NotInForce,
    /// There is no such shop.
    UnknownShop,
}

/// Releases a cause by command, whatever its campaign wants. Returns how that left the shop;
/// `None` if no such cause is in force, and then nothing changes.
///
/// 1. The cause goes, and the radius is resolved again.
/// 2. A released cause takes the place of a campaign's cause, as after the campaign's own release:
///    late copies of the activation are superseded until its deadline, and the campaign's own
///    release is answered as a repeat.
/// 3. The deadline of the released cause is that of the campaign as it is stored. If the campaign
///    cannot be read, it is [`Deadline::LAST`]: the row may be restored, and copies of its
///    activations count again then.
/// 4. A campaign that is not there leaves no released cause: requests that name it are rejected,
///    and a later campaign may get its number.
/// 5. Other released causes stay: only the owner of the shop's lane may drop them.
pub fn release_cause(
    shop: &mut ShopState,
    terms: ReleaseTerms,
    campaign: CauseCampaign,
) -> Option<Standing> {
    let ReleaseTerms { cause, floor } = terms;
    shop.active.remove(shop.active.find(cause)?);
    let before = shop.radius;
    let Resolution { radius, decided_by } = shop.resolution(floor);
    shop.radius = radius;
    shop.version += 1;
    let deadline = match campaign {
        CauseCampaign::Unknown => None,
        CauseCampaign::Damaged => Some(Deadline::LAST),
        CauseCampaign::Deadline(deadline) => Some(deadline),
    };
    if let CauseName::Campaign(campaign) = cause
        && let Some(deadline) = deadline
    {
        let place = shop.released.binary_search_by_key(&campaign, |released| released.campaign);
        // INVARIANT: a campaign's cause is active or released, and never both.
        if let Err(place) = place {
            let effect = Effect::from_change(before != radius);
            shop.released.insert(place, ReleasedCause { campaign, deadline, effect });
        }
    }
    Some(Standing { before: Some(before), after: radius, decided_by, version: shop.version })
}

/// Whether a campaign that is not in force at a shop may still ask for it there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prospect {
    /// There is no such campaign.
    UnknownCampaign,
    /// It asks for it: the activation of this shop has no outcome yet.
    Asked,
    /// It does not, unless it is retried.
    NotAsked,
    /// It or its outcomes cannot be read.
    Unreadable,
}
