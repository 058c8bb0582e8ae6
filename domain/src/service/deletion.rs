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
    /// The others, and why each was not.
    pub kept: Vec<(Revision, CampaignError)>,
    /// The campaigns that were not deleted because they cannot be read.
    pub damaged: Vec<Damage>,
    /// Shops whose causes cannot be read. While there are any, nothing is deleted: nobody knows
    /// which campaigns are in force there, and a repair reads the lists of campaigns.
    pub unreadable_shops: Vec<Damage>,
}

impl Deletion {
    /// Adds a campaign that was refused.
    fn refused(&mut self, campaign: Revision, error: CommandError) -> Result<(), StoreError> {
        match error {
            CommandError::Campaign(why) => self.kept.push((campaign, why)),
            CommandError::Store(StoreError::BadData { what }) => {
                self.damaged.push(Damage { item: StoredItem::Campaign(campaign), what });
            }
            CommandError::Store(error) => return Err(error),
        }
        Ok(())
    }
}

/// Why none of these campaigns can be deleted, whatever is in force at shops; `None` if one of them
/// can. This does not read the causes of all shops.
pub(super) async fn all_refused(
    deletions: &dyn Deletions,
    campaigns: impl IntoIterator<Item = Revision>,
) -> Result<Option<Deletion>, StoreError> {
    let mut refused = Deletion::default();
    for campaign in campaigns {
        match deletions.delete(campaign, true).await {
            Ok(()) => return Ok(None),
            // Somebody else deletes, too.
            Err(CommandError::Campaign(CampaignError::Unknown(_))) => {}
            Err(error) => refused.refused(campaign, error)?,
        }
    }
    Ok(Some(refused))
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
            Ok(()) if is_in_force => {
                deletion.kept.push((campaign, CampaignError::InForce(campaign)));
            }
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
            Err(error) => deletion.refused(campaign, error)?,
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
