//! Deletes old campaigns again and again, and does not read all shops each time.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::campaign::CampaignError;
use crate::ports::{Deletions, StoreError};
use crate::revision::Revision;
use crate::time::Timestamp;

use super::deletion::{Deletion, Unwanted, clear, delete_campaigns};

/// How long old campaigns that could not be deleted are not tried again.
const NOT_TRIED: Duration = Duration::from_hours(24);

/// Deletes campaigns some time after their end.
#[derive(Debug)]
pub struct Retention {
    kept: Option<Duration>,
    /// The old campaigns that could not be deleted.
    left: BTreeSet<Revision>,
    /// When all old campaigns were tried.
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
    /// 2. If every old campaign was tried within the last day, and could not be deleted, none is
    ///    tried again: that would read the causes of all shops.
    /// 3. Otherwise, every old campaign is deleted that can be. One that must only wait until its
    ///    last deadline has passed for long enough counts as not tried.
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
        let mut old: BTreeSet<Revision> = deletions.ended(kept).await?.into_iter().collect();
        let is_recent = self.tried <= now && now.saturating_since(self.tried) < NOT_TRIED;
        if is_recent && old.is_subset(&self.left) {
            return Ok(Deletion::default());
        }
        let deletion = delete_campaigns(deletions, Unwanted::EndedFor(kept), false).await?;
        for deleted in &deletion.deleted {
            old.remove(deleted);
        }
        for why in &deletion.kept {
            if let CampaignError::MayStillApply(waiting) = why {
                old.remove(waiting);
            }
        }
        (self.left, self.tried) = (old, now);
        Ok(deletion)
    }
}
