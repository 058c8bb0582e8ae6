//! What is damaged, and mending it. In memory nothing decays: see `MemoryStore::spoil`.

use async_trait::async_trait;
use catchment_domain::ports::{Repairs, StoreError};
use catchment_domain::{
    Chunk, ChunkRemains, Damage, ImportEntry, ImportReceipt, Lane, Mended, Repair, RepairTerms,
    Revision, ShopId, StateRemains, StoredItem, Trace, Unmendable, rebuild_chunk, rebuild_state,
};

use super::campaigns::{StoredCampaign, damage};
use super::{MemoryStore, Tables};

#[async_trait]
impl Repairs for MemoryStore {
    async fn find(&self) -> Result<Vec<Damage>, StoreError> {
        let tables = self.tables();
        let mut damaged: Vec<Damage> =
            tables.campaigns.values().flat_map(StoredCampaign::damages).collect();
        let spoiled = tables.shops.iter().filter(|(_, row)| row.spoiled);
        damaged.extend(spoiled.map(|(key, _)| damage(StoredItem::State(key.id.to_string()))));
        damaged.sort();
        Ok(damaged)
    }

    async fn mend_outcomes(
        &self,
        campaign: Revision,
        chunks: &[u32],
        terms: &RepairTerms,
    ) -> Result<Vec<Repair>, StoreError> {
        let mut tables = self.tables();
        let stored = tables.campaigns.get_mut(&campaign).filter(|stored| !stored.is_spoiled);
        let Some(stored) = stored else {
            return Ok(vec![Repair::Impossible(Unmendable::OfCampaign(campaign)); chunks.len()]);
        };
        let repairs: Vec<Repair> =
            chunks.iter().map(|number| stored.mend(*number, terms.dry_run)).collect();
        let is_mended = repairs.iter().any(|repair| matches!(repair, Repair::Mended(_)));
        if is_mended && !terms.dry_run {
            stored.campaign = stored.campaign.clone().mended(&stored.chunks);
        }
        Ok(repairs)
    }

    async fn mend_states(
        &self,
        lane: Lane,
        shops: &[ShopId],
        terms: &RepairTerms,
    ) -> Result<Vec<Repair>, StoreError> {
        let (mut tables, at) = (self.tables(), self.clock.now());
        let mark = tables.lane(lane)?.expired_up_to;
        let (mut repairs, mut entries) = (Vec::new(), Vec::new());
        for id in shops {
            let Some(row) = tables.shops.get(&self.key(id)).filter(|row| row.spoiled) else {
                repairs.push(Repair::NotNeeded);
                continue;
            };
            let remains = StateRemains {
                base: Some(row.state.base),
                radius: Some(row.state.radius),
                version: Some(row.state.version),
            };
            let traces = tables.traces(lane, id);
            let rebuilt = traces.and_then(|traces| rebuild_state(remains, &traces, terms, mark));
            repairs.push(match rebuilt {
                Err(why) => Repair::Impossible(why),
                Ok((state, standing)) => {
                    let causes = state.active.len();
                    if let Some(row) =
                        tables.shops.get_mut(&self.key(id)).filter(|_| !terms.dry_run)
                    {
                        row.state = state;
                        row.spoiled = false;
                    }
                    entries.push(ImportEntry { shop: id.clone(), standing });
                    Repair::Mended(Mended::State { causes, standing, is_base_lost: false })
                }
            });
        }
        if !entries.is_empty() && !terms.dry_run {
            let revision = tables.take_revision();
            let row = tables.lane(lane)?;
            let number = row.count_import();
            let receipt = ImportReceipt { lane, number, revision, at, entries };
            row.keep_import(receipt, self.receipts_kept);
        }
        Ok(repairs)
    }
}

impl StoredCampaign {
    /// Everything that is damaged of it.
    fn damages(&self) -> impl Iterator<Item = Damage> {
        let revision = self.campaign.name.revision;
        let campaign = self.is_spoiled.then_some(StoredItem::Campaign(revision));
        let lists = self.spoiled_lists.iter().map(move |n| StoredItem::List(revision, *n));
        let outcomes = self.spoiled.iter().map(move |n| StoredItem::Outcomes(revision, *n));
        campaign.into_iter().chain(lists).chain(outcomes).map(damage)
    }

    fn mend(&mut self, number: u32, is_dry: bool) -> Repair {
        if !self.spoiled.contains(&number) {
            return Repair::NotNeeded;
        }
        if self.spoiled_lists.contains(&number) {
            return Repair::Impossible(Unmendable::OfList);
        }
        let Some(chunk) = self.chunks.get_mut(number as usize) else { return Repair::NotNeeded };
        let Chunk { lane, first, .. } = *chunk;
        let remains = ChunkRemains { is_unsent: chunk.sent.is_none(), ..ChunkRemains::default() };
        let rebuilt = rebuild_chunk(&self.campaign, (number, lane, first), chunk.len(), remains);
        let open = rebuilt.open();
        if !is_dry {
            *chunk = rebuilt;
            self.spoiled.remove(&number);
        }
        Repair::Mended(Mended::Outcomes { open })
    }
}

impl Tables {
    /// What is known of a shop.
    fn traces(&self, lane: Lane, shop: &ShopId) -> Result<Vec<Trace>, Unmendable> {
        let mut traces = Vec::new();
        for stored in self.campaigns.values() {
            let chunks = stored.lists.iter().zip(&stored.chunks);
            let mut chunks = chunks.filter(|(_, chunk)| {
                chunk.lane == lane && !stored.spoiled_lists.contains(&chunk.number)
            });
            let found = chunks.find_map(|(list, chunk)| {
                Some((list.iter().position(|id| id == shop.as_str())?, chunk))
            });
            let Some((place, chunk)) = found else { continue };
            if stored.is_spoiled {
                return Err(Unmendable::OfCampaign(stored.campaign.name.revision));
            }
            let chunk_is_read = !stored.spoiled.contains(&chunk.number);
            let slot = |slots: &[catchment_domain::Slot]| {
                slots.get(place).copied().filter(|_| chunk_is_read)
            };
            let (activation, release) = (slot(chunk.activations()), slot(chunk.releases()));
            let index = chunk.first + u32::try_from(place).unwrap_or(u32::MAX);
            let mut trace = Trace::new(stored.campaign.clone(), index, activation, release);
            let receipts = self.lanes.get(&lane).into_iter().flat_map(|lane| &lane.receipts);
            receipts.flat_map(|row| &row.receipt.entries).for_each(|entry| trace.see(entry));
            traces.push(trace);
        }
        Ok(traces)
    }
}
