//! Lists what became of the shops of a campaign, a page at a time.

use catchment_domain::ports::{CampaignRepository, OutcomeFilter, ShopOutcome};
use catchment_domain::{CampaignError, Found, Revision};

use crate::{Page, UseCaseError};

/// Returns up to `size` outcomes that the filter wants, from this place of the campaign's list on.
///
/// # Errors
///
/// When there is no such campaign, or its outcomes cannot be read.
pub async fn campaign_outcomes(
    campaigns: &dyn CampaignRepository,
    revision: Revision,
    filter: OutcomeFilter,
    from: Option<u32>,
    size: usize,
) -> Result<Page<ShopOutcome, u32>, UseCaseError> {
    if from.is_none() {
        campaigns.get(revision).await?.ok_or(CampaignError::Unknown(revision))?;
    }
    // One more than wanted shows whether there is another page.
    let more = size.saturating_add(1);
    let outcomes = campaigns.outcomes(revision, filter, from.unwrap_or(0), more).await?;
    let Found { found: mut items, damaged } = outcomes;
    let next = items.get(size).map(|outcome| outcome.index);
    items.truncate(size);
    Ok(Page { items, damaged, next })
}
