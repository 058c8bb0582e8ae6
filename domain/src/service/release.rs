//! Releases a cause at a shop by command, beside running services.

use crate::cause::CauseName;
use crate::ports::{CampaignRepository, Repairs, StoreError};
use crate::radius::Radius;
use crate::release::{Release, ReleaseTerms};
use crate::shop::ShopId;

/// Releases a cause at a shop, whatever its campaign wants, and whether or not the campaign can be
/// found. Its late requests do not bring the cause back.
///
/// # Errors
///
/// When the store cannot; nothing was changed then, or the answer to the commit was lost. A release
/// may be repeated.
pub async fn release(
    repairs: &dyn Repairs,
    campaigns: &dyn CampaignRepository,
    shop: &ShopId,
    cause: CauseName,
    floor: Radius,
) -> Result<Release, StoreError> {
    let campaign = match cause {
        CauseName::Campaign(revision) => match campaigns.get(revision).await {
            // Its requests are rejected as long as it cannot be read.
            Err(StoreError::BadData { .. }) => None,
            read => read?,
        },
        CauseName::Kind(_) => None,
    };
    let deadline = campaign.map(|campaign| campaign.deadline);
    repairs.release(shop, &ReleaseTerms { cause, deadline, floor }).await
}
