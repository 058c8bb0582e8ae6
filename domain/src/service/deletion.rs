//! Deletes campaigns that ended.

use std::time::Duration;

use crate::campaign::CampaignError;
use crate::damage::{Damage, Found, StoredItem};
use crate::ports::{CommandError, Deletions, StoreError};
use crate::revision::Revision;

/// Which campaigns are to be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unwanted {
    /// This one.
    Campaign(Revision),
    /// All that ended at least so long ago.
    EndedFor(Duration),
}

/// What a deletion did, or would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deletion {
    /// The campaigns that were deleted.
    pub deleted: Vec<Revision>,
    /// Why the others were not.
    pub kept: Vec<CampaignError>,
    /// The campaigns that were not deleted because they cannot be read.
    pub damaged: Vec<Damage>,
    /// Shops whose causes cannot be read. While there are any, nothing is deleted: nobody knows
    /// which campaigns are in force there, and a repair reads the lists of campaigns.
    pub unreadable_shops: Vec<Damage>,
}

/// Deletes campaigns that are in force nowhere, and clears away what earlier deletions left.
///
/// The causes at shops are read before the first campaign is deleted. That is not too early: no
/// request of a campaign that can be deleted takes effect any more.
///
/// # Errors
///
/// When the store cannot. What was deleted until then is deleted.
pub async fn delete_campaigns(
    deletions: &dyn Deletions,
    unwanted: Unwanted,
    dry_run: bool,
) -> Result<Deletion, StoreError> {
    if !dry_run {
        clear(deletions).await?;
    }
    let campaigns = match unwanted {
        Unwanted::Campaign(campaign) => vec![campaign],
        Unwanted::EndedFor(ago) => deletions.ended(ago).await?,
    };
    if campaigns.is_empty() {
        return Ok(Deletion::default());
    }
    let Found { found: in_force, damaged: unreadable_shops } = deletions.in_force().await?;
    let mut deletion = Deletion { unreadable_shops, ..Deletion::default() };
    if !deletion.unreadable_shops.is_empty() {
        return Ok(deletion);
    }
    for campaign in campaigns {
        // One that has not ended is in force, too, and that is the better reason.
        let is_in_force = in_force.contains(&campaign);
        match deletions.delete(campaign, dry_run || is_in_force).await {
            Ok(()) if is_in_force => deletion.kept.push(CampaignError::InForce(campaign)),
            Ok(()) => deletion.deleted.push(campaign),
            // The older one would be gone by now.
            Err(CommandError::Campaign(CampaignError::Succeeds(_, older)))
                if dry_run && deletion.deleted.contains(&older) =>
            {
                deletion.deleted.push(campaign);
            }
            // Somebody else deletes, too.
            Err(CommandError::Campaign(CampaignError::Unknown(_)))
                if matches!(unwanted, Unwanted::EndedFor(_)) => {}
            Err(CommandError::Campaign(why)) => deletion.kept.push(why),
            Err(CommandError::Store(StoreError::BadData { what })) => {
                deletion.damaged.push(Damage { item: StoredItem::Campaign(campaign), what });
            }
            Err(CommandError::Store(error)) => return Err(error),
        }
        if !dry_run {
            clear(deletions).await?;
        }
    }
    Ok(deletion)
}

/// Clears away what deleted campaigns left.
pub(super) async fn clear(deletions: &dyn Deletions) -> Result<(), StoreError> {
    while deletions.clear().await? {}
    Ok(())
}
