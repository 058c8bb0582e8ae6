//! Deletes campaigns that ended, with their outcomes.

use catchment_domain::ports::Deletions;
use catchment_domain::service::{self, Deletion, Unwanted};

use crate::UseCaseError;

/// Deletes unwanted campaigns, or only says which if this is a dry run. A campaign that cannot be
/// deleted is named with the reason.
///
/// # Errors
///
/// When the store fails.
pub async fn delete_campaigns(
    deletions: &dyn Deletions,
    unwanted: Unwanted,
    dry_run: bool,
) -> Result<Deletion, UseCaseError> {
    Ok(service::delete_campaigns(deletions, unwanted, dry_run).await?)
}
