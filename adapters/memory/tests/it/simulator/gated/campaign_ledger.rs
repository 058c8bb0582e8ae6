//! Running campaigns; after each entry in their ledger its truth is checked.

use async_trait::async_trait;
use catchment_domain::ports::{
    Answer, CampaignLedger, CampaignRepository, ChunkSummary, Lease, Recorded, StoreError,
};
use catchment_domain::{
    Attempt, Campaign, Chunk, Damage, Found, Phase, Position, ReplyLane, Revision, ShopList,
    StoredItem,
};
use catchment_memory::MemoryStore;

use super::Gated;
use crate::simulator::coverage::Met;
use crate::simulator::truth;

#[async_trait]
impl CampaignLedger for Gated<MemoryStore> {
    async fn open(&self, lease: &Lease) -> Result<Found<Vec<Campaign>>, StoreError> {
        self.gate.before("open").await.unavailable()?;
        let before = CampaignRepository::list(&*self.inner, None, usize::MAX).await?.found;
        let campaigns = self.inner.open(lease).await;
        if campaigns.is_ok() {
            let after = CampaignRepository::list(&*self.inner, None, usize::MAX).await?.found;
            let ended = before.iter().zip(&after).filter(|(before, after)| {
                let ended = !before.state.is_ending_or_ended() && after.state.is_ending_or_ended();
                ended && after.replaced_by.is_none()
            });
            self.world.witness().coverage.add(Met::Until, ended.count() as u64);
            self.world.witness().wrote_by_lease("open", lease);
        }
        self.note_fence(matches!(campaigns, Err(StoreError::Fenced)));
        self.gate.after("open").await.lost()?;
        campaigns
    }

    async fn damaged(&self, lane: ReplyLane) -> Result<Vec<Damage>, StoreError> {
        self.gate.before("damaged").await.unavailable()?;
        let damaged = self.inner.damaged(lane).await;
        self.gate.after("damaged").await.unavailable()?;
        damaged
    }

    async fn chunks(&self, revision: Revision) -> Result<Found<Vec<ChunkSummary>>, StoreError> {
        self.gate.before("chunks").await.unavailable()?;
        let chunks = self.inner.chunks(revision).await;
        self.gate.after("chunks").await.unavailable()?;
        chunks
    }

    async fn lists(
        &self,
        revision: Revision,
        numbers: &[u32],
    ) -> Result<Found<Vec<(u32, ShopList)>>, StoreError> {
        self.gate.before("lists").await.unavailable()?;
        let lists = self.inner.lists(revision, numbers).await;
        self.gate.after("lists").await.unavailable()?;
        lists
    }

    async fn mark_sent(
        &self,
        lease: &Lease,
        revision: Revision,
        part: (Phase, Attempt),
        numbers: &[u32],
    ) -> Result<Found<Vec<Chunk>>, StoreError> {
        self.gate.before("mark_sent").await.unavailable()?;
        let chunks = self.inner.mark_sent(lease, revision, part, numbers).await;
        if chunks.as_ref().is_ok_and(|chunks| !chunks.found.is_empty()) {
            self.world.witness().wrote_by_lease("mark_sent", lease);
        }
        self.note_fence(matches!(chunks, Err(StoreError::Fenced)));
        self.gate.after("mark_sent").await.lost()?;
        chunks
    }

    async fn record(
        &self,
        lease: &Lease,
        to: Position,
        answers: &[(Revision, Answer)],
    ) -> Result<Recorded, StoreError> {
        self.gate.before("record").await.unavailable()?;
        let recorded = self.inner.record(lease, to, answers).await;
        if let Ok(recorded) = &recorded {
            let mut witness = self.world.witness();
            witness.recorded(lease, to);
            let campaigns = recorded.damaged.iter().filter_map(|damage| {
                let StoredItem::Campaign(revision) = damage.item else { return None };
                Some(revision)
            });
            witness.left_out.extend(campaigns);
            drop(witness);
            for campaign in &recorded.campaigns {
                truth::check_campaign(&self.world, campaign, false);
            }
        }
        self.note_fence(matches!(recorded, Err(StoreError::Fenced)));
        self.gate.after("record").await.lost()?;
        recorded
    }
}
