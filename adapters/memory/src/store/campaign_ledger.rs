//! Runs the campaigns of a reply lane.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use catchment_domain::ports::{Answer, CampaignLedger, ChunkSummary, Lease, Recorded, StoreError};
use catchment_domain::{
    Attempt, Campaign, CampaignState, Chunk, Damage, Found, Lane, OpenSlots, Phase, Position,
    ReplyLane, Revision, ShopList, Timestamp,
};

use super::campaigns::StoredCampaign;
use super::{MemoryStore, Tables};

#[async_trait]
impl CampaignLedger for MemoryStore {
    async fn open(&self, lease: &Lease) -> Result<Found<Vec<Campaign>>, StoreError> {
        let mut tables = self.tables();
        let now = self.clock.now();
        tables.leased(lease)?;
        for stored in tables.campaigns.values_mut().filter(|stored| !stored.is_spoiled) {
            stored.campaign.reply_lane.get_or_insert(lease.lane);
        }
        let mut damaged = tables.end_what_is_over(lease.lane, now);
        damaged.extend(tables.damaged(lease.lane));
        let campaigns = tables.campaigns.values().filter_map(|stored| stored.read().ok());
        let open = campaigns.filter(|campaign| is_open_in(campaign, lease.lane));
        Ok(Found { found: open.cloned().collect(), damaged })
    }

    async fn damaged(&self, lane: ReplyLane) -> Result<Vec<Damage>, StoreError> {
        Ok(self.tables().damaged(lane).collect())
    }

    async fn chunks(&self, revision: Revision) -> Result<Found<Vec<ChunkSummary>>, StoreError> {
        let tables = self.tables();
        let Some(stored) = tables.campaigns.get(&revision) else { return Ok(Found::default()) };
        let chunks = stored.chunks.iter().map(|chunk| stored.outline(chunk).map(summary));
        Ok(chunks.collect())
    }

    async fn lists(
        &self,
        revision: Revision,
        numbers: &[u32],
    ) -> Result<Found<Vec<(u32, ShopList)>>, StoreError> {
        let tables = self.tables();
        let Some(stored) = tables.campaigns.get(&revision) else { return Ok(Found::default()) };
        let list = |number: &u32| {
            stored.list(*number).map(|list| list.map(|list| (*number, list.clone())))
        };
        Ok(numbers.iter().filter_map(list).collect())
    }

    async fn mark_sent(
        &self,
        lease: &Lease,
        revision: Revision,
        (phase, attempt): (Phase, Attempt),
        numbers: &[u32],
    ) -> Result<Found<Vec<Chunk>>, StoreError> {
        let mut tables = self.tables();
        tables.leased(lease)?;
        let mut marked: Found<Vec<Chunk>> = Found::default();
        let Some(stored) = tables.campaigns.get_mut(&revision) else { return Ok(marked) };
        if let Err(damage) = stored.read() {
            marked.damaged.push(damage);
            return Ok(marked);
        }
        if !stored.campaign.may_send(lease.lane, (phase, attempt)) {
            return Ok(marked);
        }
        let named = stored.chunks.iter().filter(|chunk| numbers.contains(&chunk.number));
        marked.damaged = named.filter_map(|chunk| stored.outcomes(chunk).err()).collect();
        let StoredCampaign { chunks, spoiled, .. } = stored;
        let is_marked = |chunk: &&mut Chunk| {
            numbers.contains(&chunk.number) && !spoiled.contains(&chunk.number)
        };
        for chunk in chunks.iter_mut().filter(is_marked) {
            if phase == Phase::Activation {
                chunk.sent = Some(attempt);
            }
            marked.found.push(chunk.clone());
        }
        Ok(marked)
    }

    async fn record(
        &self,
        lease: &Lease,
        to: Position,
        answers: &[(Revision, Answer)],
    ) -> Result<Recorded, StoreError> {
        let mut tables = self.tables();
        let now = self.clock.now();
        let row = tables.leased(lease)?;
        if row.position != lease.position {
            return Err(StoreError::Fenced);
        }
        row.position = to;
        let applied: BTreeMap<Lane, Position> =
            tables.lanes.iter().map(|(lane, row)| (*lane, row.applied_next)).collect();
        let mut by_chunk: BTreeMap<(Revision, u32), Vec<&Answer>> = BTreeMap::new();
        for (revision, answer) in answers {
            by_chunk.entry((*revision, answer.chunk)).or_default().push(answer);
        }
        let mut recorded = Recorded::default();
        for ((revision, number), answers) in by_chunk {
            let stored = tables.campaigns.get_mut(&revision);
            let stored = stored.filter(|stored| stored.campaign.reply_lane == Some(lease.lane));
            match stored.and_then(|stored| stored.record(number, &answers, (&applied, now))) {
                None => {}
                Some(Err(damage)) => recorded.damaged.push(damage),
                Some(Ok((counted, open))) => {
                    recorded.counted += counted;
                    recorded.open.push((revision, number, open));
                }
            }
        }
        recorded.damaged.dedup();
        let touched: BTreeSet<Revision> = recorded.open.iter().map(|(r, _, _)| *r).collect();
        let touched = touched.iter().filter_map(|revision| tables.campaigns.get(revision));
        recorded.campaigns = touched.map(|stored| stored.campaign.clone()).collect();
        Ok(recorded)
    }
}

impl Tables {
    /// Returns the damage of the unfinished campaigns that belong to this lane or to no lane.
    fn damaged(&self, lane: ReplyLane) -> impl Iterator<Item = Damage> {
        let of_lane = self.campaigns.values().filter(move |stored| {
            stored.campaign.reply_lane.is_none_or(|of| of == lane)
                && stored.campaign.state != CampaignState::Ended
        });
        of_lane.filter_map(|stored| stored.read().err())
    }

    /// Ends the campaigns of a lane whose time is over, and the replaced campaigns whose successors
    /// are through. The newest campaign comes first, so that a chain of campaigns ends in one call.
    /// Returns the damage that keeps a campaign from being ended.
    fn end_what_is_over(&mut self, lane: ReplyLane, now: Timestamp) -> Vec<Damage> {
        let mut damaged = Vec::new();
        let of_lane = self.campaigns.values().rev().filter_map(|stored| stored.read().ok());
        let of_lane = of_lane.filter(|campaign| campaign.reply_lane == Some(lane));
        let revisions: Vec<Revision> = of_lane.map(|campaign| campaign.name.revision).collect();
        for revision in revisions {
            let Some(took_over) = self.took_over(revision, now) else { continue };
            let Some(stored) = self.campaigns.get_mut(&revision) else { continue };
            damaged.extend(stored.chunks.iter().filter_map(|chunk| stored.outcomes(chunk).err()));
            if stored.whole().is_ok() {
                stored.end(&took_over);
                stored.note_end(now);
            }
        }
        damaged
    }

    /// Returns the shops at which a successor took over from a campaign, or `None` if the campaign
    /// does not have to end.
    fn took_over(&self, revision: Revision, now: Timestamp) -> Option<BTreeSet<String>> {
        let campaign = &self.campaigns.get(&revision)?.campaign;
        let successor =
            self.successor(campaign).filter(|successor| successor.campaign.is_through());
        let effective = successor.map(StoredCampaign::effective).unwrap_or_default();
        self.is_to_be_ended(campaign, now).then_some(effective)
    }

    /// Returns whether a campaign has to end.
    pub(super) fn is_to_be_ended(&self, campaign: &Campaign, now: Timestamp) -> bool {
        let successor = self.successor(campaign).map(|successor| &successor.campaign);
        campaign.is_to_be_ended(successor, now)
    }

    fn successor(&self, campaign: &Campaign) -> Option<&StoredCampaign> {
        campaign.replaced_by.and_then(|by| self.campaigns.get(&by)).filter(|by| !by.is_spoiled)
    }
}

impl StoredCampaign {
    /// Enters answers in a chunk. Returns how many counted and which slots are then open, or `None`
    /// if the chunk does not exist.
    fn record(
        &mut self,
        number: u32,
        answers: &[&Answer],
        (applied, at): (&BTreeMap<Lane, Position>, Timestamp),
    ) -> Option<Result<(u32, OpenSlots), Damage>> {
        let damaged = self.chunks.get(number as usize).map(|chunk| self.outcomes(chunk).err())?;
        if let Some(damage) = self.read().err().or(damaged) {
            return Some(Err(damage));
        }
        let Self { campaign, chunks, .. } = self;
        let chunk = chunks.get_mut(number as usize)?;
        let next = applied.get(&chunk.lane).copied();
        let (after, counted) = Answer::record_all(answers, chunk, campaign, next);
        *campaign = after;
        let open = chunk.open_slots();
        self.note_end(at);
        Some(Ok((counted, open)))
    }
}

fn is_open_in(campaign: &Campaign, lane: ReplyLane) -> bool {
    campaign.reply_lane == Some(lane) && 0 < campaign.state.open()
}

fn summary(chunk: &Chunk) -> ChunkSummary {
    ChunkSummary {
        number: chunk.number,
        lane: chunk.lane,
        first: chunk.first,
        // INVARIANT: a chunk has at most 2,000 shops.
        shops: u32::try_from(chunk.len()).unwrap_or(u32::MAX),
        open: chunk.open(),
    }
}
