//! Ends a campaign, retries it, or gives it up.

use catchment_domain::ports::CampaignRepository;
use catchment_domain::{Campaign, Command, Revision};

use crate::UseCaseError;

/// Does to a campaign what a user wants. Returns the campaign as it is then.
///
/// # Errors
///
/// When there is no such campaign, or its state does not allow the command.
pub async fn command_campaign(
    campaigns: &dyn CampaignRepository,
    revision: Revision,
    command: Command,
) -> Result<Campaign, UseCaseError> {
    Ok(campaigns.command(revision, command).await?)
}
