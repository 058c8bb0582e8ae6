//! Deleting campaigns that ended.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use catchment_domain::ports::{CommandError, Deletions, StoreError};
use catchment_domain::{
    Campaign, CampaignError, CampaignState, Found, Origin, Revision, Timestamp,
};

use super::MemoryStore;
use super::campaigns::StoredCampaign;

#[async_trait]
impl Deletions for MemoryStore {
    async fn ended(&self, ago: Duration) -> Result<Vec<Revision>, StoreError> {
        let tables = self.tables();
        let now = self.clock.now();
        let ended = tables.campaigns.iter().filter(|(_, stored)| {
            stored.ended_at.is_some_and(|ended| ended.saturating_add(ago) <= now)
        });
        Ok(ended.map(|(revision, _)| *revision).collect())
    }

    async fn in_force(&self) -> Result<Found<BTreeSet<Revision>>, StoreError> {
        let mut in_force: Found<BTreeSet<Revision>> = Found::default();
        for (key, row) in &self.tables().shops {
            match row.state(&key.id) {
                Ok(state) => {
                    in_force.found.extend(state.active.iter().filter_map(
                        |cause| match cause.origin {
                            Origin::Campaign(campaign) => Some(campaign),
                            Origin::Request => None,
                        },
                    ));
                }
                Err(damage) => in_force.damaged.push(damage),
            }
        }
        Ok(in_force)
    }

    async fn delete(&self, campaign: Revision, dry_run: bool) -> Result<(), CommandError> {
        let mut tables = self.tables();
        let now = self.clock.now();
        let stored = tables.campaigns.get(&campaign).ok_or(CampaignError::Unknown(campaign))?;
        stored.read().map_err(StoreError::from)?.check_deletable(now)?;
        let older = |other: &&StoredCampaign| other.campaign.replaced_by == Some(campaign);
        if let Some(older) = tables.campaigns.values().find(older) {
            return Err(CampaignError::Succeeds(campaign, older.campaign.name.revision).into());
        }
        if !dry_run {
            tables.campaigns.remove(&campaign);
        }
        Ok(())
    }

    /// Nothing is left: a campaign is one piece here.
    async fn clear(&self) -> Result<bool, StoreError> {
        Ok(false)
    }
}

impl StoredCampaign {
    /// Notes that it has ended by now, or that it is asked again.
    pub(super) fn note_end(&mut self, now: Timestamp) {
        self.ended_at = match &self.campaign {
            Campaign { state: CampaignState::Ended, .. } => self.ended_at.or(Some(now)),
            _ => None,
        };
    }
}
