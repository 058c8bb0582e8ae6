//! Starts campaigns, and reports on them.

use std::collections::BTreeSet;
use std::ops::Bound;

use async_trait::async_trait;
use catchment_domain::ports::{
    CampaignRepository, CommandError, OutcomeFilter, ShopOutcome, StoreError, Tallies,
};
use catchment_domain::{
    Campaign, CampaignError, Chunk, Command, Deadline, Draft, Found, FrozenList, Revision,
    ShopCursor,
};

use super::campaigns::StoredCampaign;
use super::{MemoryStore, Tables};

#[async_trait]
impl CampaignRepository for MemoryStore {
    async fn add(&self, draft: &Draft) -> Result<Campaign, CommandError> {
        let mut tables = self.tables();
        let now = self.clock.now();
        let list = tables.freeze(draft);
        let shops = list.count()?;
        let replaced = draft.replaces.map(|old| tables.replaceable(old)).transpose()?;
        let revision = tables.take_revision();
        let campaign = draft.begin(revision, shops, replaced.as_ref(), (now, tables.mark()));
        if let Some(old) = draft.replaces.and_then(|old| tables.campaigns.get_mut(&old)) {
            old.campaign.replaced_by = Some(revision);
        }
        tables.campaigns.insert(revision, StoredCampaign::new(campaign.clone(), &list));
        Ok(campaign)
    }

    async fn get(&self, revision: Revision) -> Result<Option<Campaign>, StoreError> {
        let tables = self.tables();
        let campaign = tables.campaigns.get(&revision).map(|stored| stored.read().cloned());
        Ok(campaign.transpose()?)
    }

    async fn list(
        &self,
        behind: Option<Revision>,
        limit: usize,
    ) -> Result<Found<Vec<Campaign>>, StoreError> {
        let tables = self.tables();
        let behind = behind.map_or(Bound::Unbounded, Bound::Excluded);
        let campaigns = tables.campaigns.range((behind, Bound::Unbounded));
        Ok(Found::page(campaigns.map(|(_, stored)| stored.read().cloned()), limit))
    }

    async fn command(
        &self,
        revision: Revision,
        command: Command,
    ) -> Result<Campaign, CommandError> {
        let mut tables = self.tables();
        let now = self.clock.now();
        let stored = tables.campaigns.get(&revision).ok_or(CampaignError::Unknown(revision))?;
        let campaign = stored.whole()?.clone();
        let deadline = Deadline::of_attempt(now, tables.mark(), campaign.timeout);
        let mut chunks = stored.chunks.clone();
        let campaign = campaign.command(command, &mut chunks, deadline)?;
        if let Some(stored) = tables.campaigns.get_mut(&revision) {
            stored.campaign = campaign.clone();
            stored.chunks = chunks;
            stored.note_end(now);
        }
        Ok(campaign)
    }

    async fn tallies(&self, revision: Revision) -> Result<Found<Tallies>, StoreError> {
        let tables = self.tables();
        let tallies = tables.campaigns.get(&revision).map(|stored| Found {
            found: Tallies {
                activation: stored.tally(Chunk::activations),
                release: stored.tally(Chunk::releases),
            },
            damaged: stored.chunks.iter().filter_map(|c| stored.outcomes(c).err()).collect(),
        });
        Ok(tallies.unwrap_or_default())
    }

    async fn outcomes(
        &self,
        revision: Revision,
        filter: OutcomeFilter,
        from: u32,
        limit: usize,
    ) -> Result<Found<Vec<ShopOutcome>>, StoreError> {
        let tables = self.tables();
        let mut page: Found<Vec<ShopOutcome>> = Found::default();
        let Some(stored) = tables.campaigns.get(&revision) else { return Ok(page) };
        let behind = stored.chunks.iter();
        let behind = behind.filter(|chunk| (from as usize) < chunk.first as usize + chunk.len());
        for chunk in behind {
            if limit <= page.found.len() {
                break;
            }
            match (stored.list(chunk.number), stored.outcomes(chunk)) {
                (Some(Ok(list)), Ok(chunk)) => {
                    page.found.extend(ShopOutcome::of_chunk(chunk, list, filter, from));
                }
                (_, Err(damage)) | (Some(Err(damage)), Ok(_)) => page.damaged.push(damage),
                (None, Ok(_)) => {}
            }
        }
        page.found.truncate(limit);
        Ok(page)
    }
}

impl Tables {
    /// Returns the shops of a new campaign.
    fn freeze(&self, draft: &Draft) -> FrozenList {
        let mut list = FrozenList::default();
        if let Some(ids) = draft.scope.named_only() {
            let named: BTreeSet<ShopCursor> = ids.iter().map(|id| self.key(id)).collect();
            for shop in &named {
                list.push(shop.lane, &shop.id);
            }
        } else {
            self.scope(&draft.scope).for_each(|shop| list.push(shop.lane, &shop.id));
        }
        list
    }

    fn replaceable(&self, old: Revision) -> Result<Campaign, CommandError> {
        let stored = self.campaigns.get(&old).ok_or(CampaignError::Unknown(old))?;
        let campaign = stored.read().map_err(StoreError::from)?;
        campaign.check_replaceable()?;
        Ok(campaign.clone())
    }
}
