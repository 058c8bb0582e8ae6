//! Deletes old campaigns again and again, and does not read all shops each time.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::campaign::CampaignError;
use crate::ports::{Deletions, StoreError};
use crate::revision::Revision;
use crate::time::Timestamp;

use super::deletion::{Deletion, Unwanted, all_refused, clear, delete_campaigns};

/// How long old campaigns that could not be deleted are not tried again.
const NOT_TRIED: Duration = Duration::from_hours(24);

/// Deletes campaigns some time after their end.
#[derive(Debug)]
pub struct Retention {
    kept: Option<Duration>,
    /// The old campaigns that could not be deleted.
    left: BTreeSet<Revision>,
    /// When all old campaigns were tried, or since when none counts as tried.
    tried: Timestamp,
}

impl Retention {
    /// `kept` is how long campaigns are kept after their end; `None` for ever.
    #[must_use]
    pub const fn new(kept: Option<Duration>) -> Self {
        Self { kept, left: BTreeSet::new(), tried: Timestamp::MIN }
    }

    /// Looks for old campaigns once. The caller looks again and again.
    ///
    /// 1. What deleted campaigns left is cleared away, also where campaigns are kept for ever: the
    ///    process that deleted them may have been killed.
    /// 2. A campaign that was tried within the last day, and could not be deleted, does not count.
    ///    One that must only wait until its last deadline has passed for long enough counts.
    /// 3. If none of those that count can be deleted, nothing else is done: to delete, the causes of
    ///    all shops must be read.
    /// 4. Otherwise, every old campaign is deleted that can be.
    ///
    /// # Errors
    ///
    /// When the store cannot. What was deleted until then is deleted.
    pub async fn look(
        &mut self,
        deletions: &dyn Deletions,
        now: Timestamp,
    ) -> Result<Deletion, StoreError> {
        clear(deletions).await?;
        let Some(kept) = self.kept else { return Ok(Deletion::default()) };
        let old: BTreeSet<Revision> = deletions.ended(kept).await?.into_iter().collect();
        if now < self.tried || NOT_TRIED <= now.saturating_since(self.tried) {
            (self.left, self.tried) = (BTreeSet::new(), now);
        }
        let new: BTreeSet<Revision> = old.difference(&self.left).copied().collect();
        if let Some(refused) = all_refused(deletions, new.iter().copied()).await? {
            self.left.extend(without_waiting(new, &refused));
            return Ok(refused);
        }
        let deletion = delete_campaigns(deletions, Unwanted::EndedFor(kept), false).await?;
        (self.left, self.tried) = (without_waiting(old, &deletion), now);
        Ok(deletion)
    }
}

/// The campaigns that could not be deleted, without those that must only wait.
fn without_waiting(mut campaigns: BTreeSet<Revision>, tried: &Deletion) -> BTreeSet<Revision> {
    for deleted in &tried.deleted {
        campaigns.remove(deleted);
    }
    for (_, why) in &tried.kept {
        if let CampaignError::MayStillApply(waiting) = why {
            campaigns.remove(waiting);
        }
    }
    campaigns
}
