//! Finds and mends damage, and releases causes by command. In memory, nothing decays: see
//! `MemoryStore::spoil`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use catchment_domain::ports::{Repairs, StoreError};
use catchment_domain::{
    Campaign, CauseCampaign, CauseName, Chunk, ChunkOutline, ChunkRemains, Damage, Deadline, Found,
    ImportEntry, ImportReceipt, ImportRemark, Lane, Mended, ReleaseResult, ReleaseTerms, Repair,
    RepairTerms, Revision, ShopId, Slot, StateRemains, StoredItem, Timestamp, Trace, Unmendable,
    check_campaign, is_lane_listed, may_have_left_a_cause, rebuild_chunk, rebuild_state,
    release_cause,
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
        let spoiled = tables.shops.iter().filter(|(_, row)| row.is_profile_spoiled);
        damaged.extend(spoiled.map(|(key, _)| damage(StoredItem::Profile(key.id.to_string()))));
        for (lane, row) in &tables.lanes {
            let spoiled = row.spoiled_imports.iter();
            let spoiled = spoiled.map(|number| StoredItem::ImportReceipt(*lane, *number));
            damaged.extend(spoiled.map(damage));
        }
        damaged.sort();
        Ok(damaged)
    }

    async fn mend_outcomes(
        &self,
        campaign: Revision,
        chunks: &[u32],
        terms: &RepairTerms,
    ) -> Result<Vec<Repair>, StoreError> {
        let (mut tables, now) = (self.tables(), self.clock.now());
        let stored = tables.campaigns.get_mut(&campaign).filter(|stored| !stored.is_spoiled);
        let Some(stored) = stored else {
            return Ok(vec![Repair::Impossible(Unmendable::OfCampaign(campaign)); chunks.len()]);
        };
        let repairs: Vec<Repair> =
            chunks.iter().map(|number| stored.mend(*number, terms.dry_run)).collect();
        let is_mended = repairs.iter().any(|repair| matches!(repair, Repair::Mended(_)));
        if is_mended && !terms.dry_run {
            stored.campaign = stored.counted();
            stored.note_end(now);
        }
        Ok(repairs)
    }

    async fn mend_counts(
        &self,
        campaign: Revision,
        terms: &RepairTerms,
    ) -> Result<Repair, StoreError> {
        let (mut tables, now) = (self.tables(), self.clock.now());
        let stored = tables.campaigns.get_mut(&campaign).filter(|stored| !stored.is_spoiled);
        let Some(stored) = stored else {
            return Ok(Repair::Impossible(Unmendable::OfCampaign(campaign)));
        };
        let mut chunks = stored.chunks.clone();
        let counted = stored.campaign.clone().fitted(&mut chunks);
        if counted.has_counts_of(&stored.campaign) && chunks == stored.chunks {
            return Ok(Repair::NotNeeded);
        }
        let (open, unreleased) = (counted.state.open(), counted.unreleased);
        if !terms.dry_run {
            (stored.campaign, stored.chunks) = (counted, chunks);
            stored.note_end(now);
        }
        Ok(Repair::Mended(Mended::Counts { open, unreleased }))
    }

    async fn mend_states(
        &self,
        shops: &[ShopId],
        terms: &RepairTerms,
    ) -> Result<Vec<Repair>, StoreError> {
        let (mut tables, at) = (self.tables(), self.clock.now());
        let kept = i64::try_from(self.receipts_kept.as_millis()).unwrap_or(i64::MAX);
        let kept_from = Timestamp::from_millis(at.millis().saturating_sub(kept));
        let mut entries: BTreeMap<Lane, Vec<ImportEntry>> = BTreeMap::new();
        let mut repairs = Vec::with_capacity(shops.len());
        for id in shops {
            let key = tables.key(id);
            let mark = tables.lane(key.lane)?.expired_up_to;
            let Some(row) = tables.shops.get(&key).filter(|row| row.spoiled) else {
                repairs.push(Repair::NotNeeded);
                continue;
            };
            let remains = StateRemains {
                base: Some(row.state.base),
                radius: Some(row.state.radius),
                version: Some(row.state.version),
            };
            let traces = tables.traces((key.lane, id), mark, kept_from);
            let rebuilt = traces.and_then(|traces| rebuild_state(remains, &traces, terms, mark));
            repairs.push(match rebuilt {
                Err(why) => Repair::Impossible(why),
                Ok((state, standing)) => {
                    let causes = state.active.len();
                    if let Some(row) = tables.shops.get_mut(&key).filter(|_| !terms.dry_run) {
                        row.state = state;
                        row.spoiled = false;
                        let entry = ImportEntry { shop: id.clone(), standing, remark: None };
                        entries.entry(key.lane).or_default().push(entry);
                    }
                    Repair::Mended(Mended::State { causes, standing, is_base_lost: false })
                }
            });
        }
        for (lane, entries) in entries {
            tables.leave_receipt((lane, at), entries, self.receipts_kept)?;
        }
        Ok(repairs)
    }

    async fn release(
        &self,
        shop: &ShopId,
        terms: ReleaseTerms,
    ) -> Result<ReleaseResult, StoreError> {
        let (mut tables, at) = (self.tables(), self.clock.now());
        let key = tables.key(shop);
        let Some(mut state) = tables.load(&key)?.state else {
            return Ok(ReleaseResult::UnknownShop);
        };
        let stored = match terms.cause {
            CauseName::Campaign(campaign) => tables.campaigns.get(&campaign),
            CauseName::Kind(_) => None,
        };
        let campaign = match stored.map(StoredCampaign::read) {
            None => CauseCampaign::Unknown,
            Some(Err(_)) => CauseCampaign::Damaged,
            Some(Ok(campaign)) => CauseCampaign::Deadline(campaign.deadline),
        };
        let Some(standing) = release_cause(&mut state, terms, campaign) else {
            return Ok(ReleaseResult::NotInForce);
        };
        if let Some(row) = tables.shops.get_mut(&key) {
            row.state = state;
        }
        let remark = Some(ImportRemark::Released(terms.cause));
        let entry = ImportEntry { shop: shop.clone(), standing, remark };
        tables.leave_receipt((key.lane, at), vec![entry], self.receipts_kept)?;
        Ok(ReleaseResult::Done(standing))
    }
}

impl StoredCampaign {
    /// Returns everything that is damaged in the campaign.
    pub(super) fn damages(&self) -> Vec<Damage> {
        let revision = self.campaign.name.revision;
        let lists = (0..).zip(&self.lists);
        let lists = lists.filter(|(number, _)| !self.spoiled_lists.contains(number));
        let lists = Found {
            found: lists.map(|(number, list)| (number, list.clone())).collect(),
            damaged: self
                .spoiled_lists
                .iter()
                .map(|n| StoredItem::List(revision, *n))
                .map(damage)
                .collect(),
        };
        let chunks = Found {
            found: self.chunks.iter().filter(|it| self.outcomes(it).is_ok()).cloned().collect(),
            damaged: self
                .spoiled
                .iter()
                .map(|n| StoredItem::Outcomes(revision, *n))
                .map(damage)
                .collect(),
        };
        let campaign = self.read();
        let mut damages = check_campaign(revision, campaign.as_ref().ok().copied(), chunks, lists);
        damages.extend(campaign.err());
        damages
    }

    /// Returns the campaign with new counts.
    fn counted(&self) -> Campaign {
        self.campaign.clone().mended(&self.chunks)
    }

    fn mend(&mut self, number: u32, is_dry: bool) -> Repair {
        if !self.spoiled.contains(&number) {
            return Repair::NotNeeded;
        }
        if self.spoiled_lists.contains(&number) {
            return Repair::Impossible(Unmendable::OfList(self.campaign.name.revision));
        }
        let Some(chunk) = self.chunks.get_mut(number as usize) else { return Repair::NotNeeded };
        let Chunk { lane, first, .. } = *chunk;
        let remains = ChunkRemains { is_unsent: chunk.sent.is_none(), ..ChunkRemains::default() };
        let rebuilt = rebuild_chunk(&self.campaign, (number, lane, first), chunk.len(), remains);
        let open = rebuilt.open();
        if !is_dry {
            *chunk = rebuilt;
            self.spoiled.remove(&number);
            self.lost.remove(&number);
        }
        Repair::Mended(Mended::Outcomes { open })
    }

    /// Returns whether all shops of the campaign in a lane are known. Lane and length of a chunk
    /// never decay here.
    fn is_listed(&self, lane: Lane) -> bool {
        let outline = |chunk: &Chunk| {
            let shops = u32::try_from(chunk.len()).ok();
            let is_spoiled = self.spoiled_lists.contains(&chunk.number);
            let listed = shops.filter(|_| !is_spoiled);
            let (lane, first) = (Some(chunk.lane), Some(chunk.first));
            (chunk.number, ChunkOutline { lane, listed, shops, first })
        };
        let outlines = self.chunks.iter().map(outline).collect();
        is_lane_listed(Some(self.campaign.shops), &outlines, lane)
    }
}

impl Tables {
    /// Stores a receipt of changes to shops of a lane, like that of an import.
    fn leave_receipt(
        &mut self,
        (lane, at): (Lane, Timestamp),
        entries: Vec<ImportEntry>,
        kept: Duration,
    ) -> Result<(), StoreError> {
        let revision = self.take_revision();
        let row = self.lane(lane)?;
        let number = row.count_import();
        row.keep_import(ImportReceipt { lane, number, revision, at, entries }, kept);
        Ok(())
    }

    /// Returns what is known of a shop.
    fn traces(
        &self,
        (lane, shop): (Lane, &ShopId),
        mark: Deadline,
        kept_from: Timestamp,
    ) -> Result<Vec<Trace>, Unmendable> {
        let unlisted = self.campaigns.values().find(|stored| {
            let may_matter = stored.is_spoiled || may_have_left_a_cause(&stored.campaign, mark);
            may_matter && !stored.is_listed(lane)
        });
        if let Some(unlisted) = unlisted {
            return Err(Unmendable::OfList(unlisted.campaign.name.revision));
        }
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
            let index = chunk.first + u32::try_from(place).unwrap_or(u32::MAX);
            let mut trace = Trace::new(Arc::new(stored.campaign.clone()), index, shop);
            let row = self.lanes.get(&lane);
            let receipts = row.into_iter().flat_map(|row| &row.receipts);
            let receipts = receipts.filter(|row| !row.is_spoiled);
            let entries = receipts.flat_map(|row| &row.receipt.entries);
            entries.for_each(|entry| trace.add_receipt(entry));
            let imports = row.into_iter().flat_map(|row| &row.import_receipts);
            let imports = imports.filter(|receipt| {
                row.is_none_or(|row| !row.spoiled_imports.contains(&receipt.number))
            });
            for receipt in imports {
                let at = (receipt.at, kept_from);
                receipt.entries.iter().for_each(|entry| trace.add_import(entry, at));
            }
            if !stored.spoiled.contains(&chunk.number) {
                let slot = |slots: &[Slot]| slots.get(place).copied();
                trace.set_slots(slot(chunk.activations()), slot(chunk.releases()));
            }
            traces.push(trace);
        }
        Ok(traces)
    }
}
