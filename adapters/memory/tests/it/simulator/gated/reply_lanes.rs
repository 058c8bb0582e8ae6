//! Leases.

use std::time::Duration;

use async_trait::async_trait;
use catchment_domain::ports::{Holder, Lease, ReplyLanes, StoreError};
use catchment_domain::{LogIdentity, Position, ReplyLane};
use catchment_memory::MemoryStore;

use super::Gated;
use crate::simulator::coverage::Met;

#[async_trait]
impl ReplyLanes for Gated<MemoryStore> {
    async fn lease(
        &self,
        lane: ReplyLane,
        holder: Holder,
        log: (LogIdentity, Position),
        duration: Duration,
    ) -> Result<Option<Lease>, StoreError> {
        self.gate.before("lease").await.unavailable()?;
        let lease = self.inner.lease(lane, holder, log, duration).await;
        if let Ok(Some(lease)) = &lease {
            self.world.witness().leased(lease);
        }
        self.gate.after("lease").await.lost()?;
        lease
    }

    async fn renew(&self, lease: &Lease, duration: Duration) -> Result<(), StoreError> {
        self.gate.before("renew").await.unavailable()?;
        let renewed = self.inner.renew(lease, duration).await;
        if renewed.is_ok() {
            self.world.witness().wrote_by_lease("renew", lease);
        }
        self.note_fence(matches!(renewed, Err(StoreError::Fenced)));
        self.gate.after("renew").await.lost()?;
        renewed
    }

    async fn go_back(&self, lease: &Lease, end: Position) -> Result<(), StoreError> {
        self.gate.before("go back").await.unavailable()?;
        let gone_back = self.inner.go_back(lease, end).await;
        if gone_back.is_ok() {
            self.world.witness().wrote_by_lease("go back", lease);
        }
        self.gate.after("go back").await.lost()?;
        gone_back
    }

    async fn surrender(&self, lease: &Lease) -> Result<(), StoreError> {
        self.gate.before("surrender").await.unavailable()?;
        let surrendered = self.inner.surrender(lease).await;
        if surrendered.is_ok() {
            self.world.witness().wrote_by_lease("surrender", lease);
        }
        self.gate.after("surrender").await.lost()?;
        surrendered
    }

    async fn orphans(&self) -> Result<Vec<ReplyLane>, StoreError> {
        self.gate.before("orphans").await.unavailable()?;
        let orphans = self.inner.orphans().await?;
        self.world.witness().coverage.add(Met::Orphan, orphans.len() as u64);
        self.gate.after("orphans").await.unavailable()?;
        Ok(orphans)
    }
}
