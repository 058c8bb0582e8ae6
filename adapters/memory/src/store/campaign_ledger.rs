//! Running the campaigns of a reply lane.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use catchment_domain::ports::{Answer, CampaignLedger, ChunkSummary, Lease, Recorded, StoreError};
use catchment_domain::{
    Attempt, Campaign, CampaignState, Chunk, Phase, Position, ReplyLane, Revision, ShopList,
    Timestamp,
};

use super::campaigns::StoredCampaign;
use super::{MemoryStore, Tables};

#[async_trait]
impl CampaignLedger for MemoryStore {
    async fn open(&self, lease: &Lease) -> Result<Vec<Campaign>, StoreError> {
        let mut tables = self.tables();
        let now = self.clock.now();
        tables.leased(lease)?;
        for stored in tables.campaigns.values_mut() {
            stored.campaign.reply_lane.get_or_insert(lease.lane);
        }
        tables.end_what_is_over(lease.lane, now);
        let campaigns = tables.campaigns.values().map(|stored| &stored.campaign);
        let open = campaigns.filter(|campaign| is_open_in(campaign, lease.lane));
        Ok(open.cloned().collect())
    }

    async fn chunks(&self, revision: Revision) -> Result<Vec<ChunkSummary>, StoreError> {
        let tables = self.tables();
        let chunks = tables.campaigns.get(&revision).map(|stored| &stored.chunks);
        Ok(chunks.into_iter().flatten().map(summary).collect())
    }

    async fn lists(
        &self,
        revision: Revision,
        numbers: &[u32],
    ) -> Result<Vec<(u32, ShopList)>, StoreError> {
        let tables = self.tables();
        let stored = tables.campaigns.get(&revision);
        let list = |number: &u32| Some((*number, stored?.chunk(*number)?.0.clone()));
        Ok(numbers.iter().filter_map(list).collect())
    }

    async fn mark_sent(
        &self,
        lease: &Lease,
        revision: Revision,
        (phase, attempt): (Phase, Attempt),
        numbers: &[u32],
    ) -> Result<Vec<Chunk>, StoreError> {
        let mut tables = self.tables();
        tables.leased(lease)?;
        let stored = tables.campaigns.get_mut(&revision);
        let stored = stored.filter(|stored| {
            stored.campaign.reply_lane == Some(lease.lane)
                && may_send(&stored.campaign, phase, attempt)
        });
        let Some(StoredCampaign { chunks, .. }) = stored else { return Ok(Vec::new()) };
        let mut marked = Vec::with_capacity(numbers.len());
        for chunk in chunks.iter_mut().filter(|chunk| numbers.contains(&chunk.number)) {
            if phase == Phase::Activation {
                chunk.sent = Some(attempt);
            }
            marked.push(chunk.clone());
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
        let row = tables.leased(lease)?;
        row.position = row.position.max(to);
        let mut by_chunk: BTreeMap<(Revision, u32), Vec<&Answer>> = BTreeMap::new();
        for (revision, answer) in answers {
            by_chunk.entry((*revision, answer.chunk)).or_default().push(answer);
        }
        let mut recorded = Recorded::default();
        for ((revision, number), answers) in by_chunk {
            let stored = tables.campaigns.get_mut(&revision);
            let stored = stored.filter(|stored| stored.campaign.reply_lane == Some(lease.lane));
            let Some((counted, open)) = stored.and_then(|stored| stored.record(number, &answers))
            else {
                continue;
            };
            recorded.counted += counted;
            recorded.open.push((revision, number, open));
        }
        let touched: BTreeSet<Revision> = recorded.open.iter().map(|(r, _, _)| *r).collect();
        let touched = touched.iter().filter_map(|revision| tables.campaigns.get(revision));
        recorded.campaigns = touched.map(|stored| stored.campaign.clone()).collect();
        Ok(recorded)
    }
}

impl Tables {
    /// Ends the campaigns of a lane whose time is over, and those that were replaced once
    /// their successors are through. The newest first, so that a chain of them ends in one go.
    fn end_what_is_over(&mut self, lane: ReplyLane, now: Timestamp) {
        let of_lane = self.campaigns.values().rev().map(|stored| &stored.campaign);
        let of_lane = of_lane.filter(|campaign| campaign.reply_lane == Some(lane));
        let revisions: Vec<Revision> = of_lane.map(|campaign| campaign.name.revision).collect();
        for revision in revisions {
            let Some(took_over) = self.took_over(revision, now) else { continue };
            if let Some(stored) = self.campaigns.get_mut(&revision) {
                stored.end(&took_over);
            }
        }
    }

    /// The shops of a campaign that is to be ended where another took its place; `None` while
    /// it is not.
    fn took_over(&self, revision: Revision, now: Timestamp) -> Option<BTreeSet<String>> {
        let campaign = &self.campaigns.get(&revision)?.campaign;
        let successor =
            self.successor(campaign).filter(|successor| successor.campaign.is_through());
        let effective = successor.map(StoredCampaign::effective).unwrap_or_default();
        self.is_to_be_ended(campaign, now).then_some(effective)
    }

    /// Whether a campaign's time is over, or it was replaced and its successor is through.
    pub(super) fn is_to_be_ended(&self, campaign: &Campaign, now: Timestamp) -> bool {
        let successor = self.successor(campaign).map(|successor| &successor.campaign);
        let is_replaced = successor.is_some_and(Campaign::is_through);
        !campaign.state.is_ending_or_ended() && (is_replaced || campaign.is_over(now))
    }

    fn successor(&self, campaign: &Campaign) -> Option<&StoredCampaign> {
        campaign.replaced_by.and_then(|by| self.campaigns.get(&by))
    }
}

impl StoredCampaign {
    /// Enters answers in a chunk. Returns how many counted and how many slots are open then;
    /// `None` where there is no such chunk.
    fn record(&mut self, number: u32, answers: &[&Answer]) -> Option<(u32, u32)> {
        let Self { campaign, chunks, .. } = self;
        let chunk = chunks.get_mut(number as usize)?;
        let before = chunk.lacking();
        let mut counted = 0;
        for answer in answers {
            counted += u32::from(chunk.record(campaign, answer.ticket, &answer.outcome));
        }
        let now = chunk.lacking();
        *campaign = campaign.clone().recorded(before, now);
        Some((counted, now.open))
    }
}

/// Whether requests of this part of a campaign may be sent now.
fn may_send(campaign: &Campaign, phase: Phase, attempt: Attempt) -> bool {
    campaign.attempt == attempt
        && match phase {
            Phase::Activation => campaign.may_send_activations(),
            Phase::Release => matches!(campaign.state, CampaignState::Ending { .. }),
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
