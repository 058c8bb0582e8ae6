//! Looks ahead for a release by command that found nothing to release.

use crate::chunk::Slot;
use crate::correlation::Phase;
use crate::ports::{CampaignRepository, OutcomeFilter, StoreError};
use crate::release::Prospect;
use crate::revision::Revision;
use crate::shop::ShopId;

/// How many outcomes are read at a time.
const PAGE: usize = 10_000;

/// Whether a campaign that is not in force at a shop may still ask for it there.
///
/// 1. A campaign that is ending or ended does not.
/// 2. Another one does if its list names the shop and the activation has no outcome.
///
/// # Errors
///
/// When the store cannot.
pub async fn find_prospect(
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
    let (mut from, mut is_whole) = (0, true);
    loop {
        let page = campaigns.outcomes(campaign, filter, from, PAGE).await?;
        is_whole &= page.damaged.is_empty();
        if let Some(outcome) = page.found.iter().find(|outcome| outcome.shop == *shop) {
            let is_open = outcome.slot == Slot::Open;
            return Ok(if is_open { Prospect::Asked } else { Prospect::NotAsked });
        }
        match page.found.last().and_then(|last| last.index.checked_add(1)) {
            Some(next) => from = next,
            None if is_whole => return Ok(Prospect::NotAsked),
            None => return Ok(Prospect::Unreadable),
        }
    }
}
