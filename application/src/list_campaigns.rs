//! Lists campaigns, a page at a time.

use catchment_domain::ports::CampaignRepository;
use catchment_domain::{Campaign, Found, Revision};

use crate::{Page, UseCaseError};

/// Returns up to `size` campaigns behind a campaign, the oldest first. The next page begins behind
/// the last one.
///
/// # Errors
///
/// When the campaigns cannot be read.
pub async fn list_campaigns(
    campaigns: &dyn CampaignRepository,
    behind: Option<Revision>,
    size: usize,
) -> Result<Page<Campaign, Revision>, UseCaseError> {
    let Found { found: items, damaged } = campaigns.list(behind, size).await?;
    let last = items.last().filter(|_| size <= items.len());
    let next = last.map(|campaign| campaign.name.revision);
    Ok(Page { items, damaged, next })
}
