//! Releases a cause by command. If the cause is not in force, finds out whether it may still come.

use crate::cause::CauseName;
use crate::chunk::Slot;
use crate::correlation::Phase;
use crate::outcome::Standing;
use crate::ports::{CampaignRepository, OutcomeFilter, Repairs, StoreError};
use crate::release::{Prospect, ReleaseResult, ReleaseTerms};
use crate::revision::Revision;
use crate::service::OutcomePages;
use crate::shop::ShopId;

/// The result of a release by command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandedRelease {
    /// The cause was in force, and is released.
    Done(Standing),
    /// The cause is not in force at the shop. Says whether its campaign may still ask for it there.
    Nothing(Prospect),
    /// There is no such shop.
    UnknownShop,
}

/// Releases a cause by command. If the cause is not in force, this checks whether the campaign may
/// still ask for it, and then tries the release once more.
///
/// The second try is needed: between the first try and the check an activation may take effect, and
/// its outcome may be recorded. Then the campaign asks no more, because its cause is in force.
///
/// # Errors
///
/// When the store cannot.
pub async fn release_by_command(
    repairs: &dyn Repairs,
    campaigns: &dyn CampaignRepository,
    shop: &ShopId,
    terms: ReleaseTerms,
) -> Result<CommandedRelease, StoreError> {
    let first = repairs.release(shop, terms).await?;
    let (result, prospect) = match (first, terms.cause) {
        (ReleaseResult::NotInForce, CauseName::Campaign(campaign)) => {
            let prospect = find_prospect(campaigns, campaign, shop).await?;
            (repairs.release(shop, terms).await?, prospect)
        }
        (result, _) => (result, Prospect::NotAsked),
    };
    Ok(match result {
        ReleaseResult::Done(standing) => CommandedRelease::Done(standing),
        ReleaseResult::NotInForce => CommandedRelease::Nothing(prospect),
        ReleaseResult::UnknownShop => CommandedRelease::UnknownShop,
    })
}

/// Whether a campaign that is not in force at a shop may still ask for its cause there.
///
/// 1. A campaign that is ending or ended will not.
/// 2. Any other campaign may, if its list names the shop and the activation has no outcome.
async fn find_prospect(
    campaigns: &dyn CampaignRepository,
    campaign: Revision,
    shop: &ShopId,
) -> Result<Prospect, StoreError> {
    match campaigns.get(campaign).await {
        Ok(None) => return Ok(Prospect::UnknownCampaign),
        Err(StoreError::BadData { .. }) => return Ok(Prospect::Unreadable),
        Ok(Some(found)) if found.state.is_ending_or_ended() => return Ok(Prospect::NotAsked),
        Ok(Some(_)) => {}
        Err(error) => return Err(error),
    }
    let filter = OutcomeFilter { phase: Phase::Activation, status: None };
    let mut pages = OutcomePages::new(campaigns, campaign, filter);
    while let Some(page) = pages.next().await? {
        if let Some(outcome) = page.iter().find(|outcome| outcome.shop == *shop) {
            let is_open = outcome.slot == Slot::Open;
            return Ok(if is_open { Prospect::Asked } else { Prospect::NotAsked });
        }
    }
    let is_whole = pages.damaged.is_empty();
    Ok(if is_whole { Prospect::NotAsked } else { Prospect::Unreadable })
}
