//! Finds causes that no campaign will release, and releases any cause by command.

use crate::campaign::{Campaign, CampaignState};
use crate::cause::{CauseName, Effect, ReleasedCause};
use crate::chunk::Slot;
use crate::outcome::Standing;
use crate::precedence::Resolution;
use crate::radius::Radius;
use crate::shop::ShopState;
use crate::time::Deadline;

/// Why a campaign's cause does not belong at a shop where it is in force. No campaign will release
/// the cause by itself, so a human must act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StrayCause {
    /// The database has no such campaign.
    UnknownCampaign,
    /// The campaign's list does not name the shop.
    NotListed,
    /// The campaign has ended.
    Ended,
}

/// Says why a campaign's cause does not belong at a shop where it is in force, or returns `None` if
/// it belongs there.
///
/// 1. The database has no such campaign.
/// 2. The campaign's list does not name the shop.
/// 3. The campaign has ended. (While it is ending, its releases are still under way.)
///
/// If several reasons apply, the first counts.
#[must_use]
pub fn find_stray(campaign: Option<&Campaign>, is_listed: bool) -> Option<StrayCause> {
    let Some(campaign) = campaign else { return Some(StrayCause::UnknownCampaign) };
    if !is_listed {
        return Some(StrayCause::NotListed);
    }
    (campaign.state == CampaignState::Ended).then_some(StrayCause::Ended)
}

/// Whether the cause of a campaign is missing at a shop, although the ledger says that its
/// activation took effect there. `commands` says how often a command released the cause at the
/// shop, by the kept receipts. The cause is missing if all of this is true:
///
/// 1. The outcome of the activation is applied or unchanged.
/// 2. The campaign goes on: it was neither ended nor replaced.
/// 3. Its cause is not in force at the shop.
/// 4. No command released the cause there: the shop has no released cause of the campaign, and no
///    receipt records a release by command.
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

/// The terms of a release by command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReleaseTerms {
    /// The cause.
    pub cause: CauseName,
    /// No cause narrows a shop below this radius, unless the cause closes the shop.
    pub floor: Radius,
}

/// What the database says about the campaign of a cause that a command releases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CauseCampaign {
    /// There is no such campaign.
    Unknown,
    /// The campaign cannot be read.
    Damaged,
    /// The deadline of the campaign's present attempt.
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

/// Releases a cause by command, whatever its campaign wants. Returns the shop's new standing. If no
/// such cause is in force, returns `None` and changes nothing.
///
/// 1. The cause is removed, and the radius is resolved again.
/// 2. A released cause takes the place of a campaign's cause, as after the campaign's own release.
///    Until its deadline, late copies of the activation are superseded, and the campaign's own
///    release is answered as a repeat.
/// 3. The released cause gets the stored deadline of the campaign. If the campaign cannot be read,
///    it gets [`Deadline::LAST`]: the row may be restored, and then copies of the campaign's
///    activations count again.
/// 4. If the campaign does not exist, there is no released cause: requests that name the campaign
///    are rejected, and a later campaign may get its number.
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
    /// The campaign has asked for the cause: the activation of this shop has no outcome yet.
    Asked,
    /// The campaign will not ask for the cause, unless it is retried.
    NotAsked,
    /// The campaign or its outcomes cannot be read.
    Unreadable,
}
