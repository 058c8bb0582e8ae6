//! Where the request lanes stand.

use async_trait::async_trait;
use catchment_domain::ports::{Restores, StoreError};
use catchment_domain::{Known, LaneProgress, LogIdentity, RestoreTerms, Restored};
use catchment_memory::MemoryStore;

use super::Gated;

#[async_trait]
impl Restores for Gated<MemoryStore> {
    async fn lanes(&self) -> Result<Vec<LaneProgress>, StoreError> {
        self.gate.before("lanes").await.unavailable()?;
        let lanes = self.inner.lanes().await;
        self.gate.after("lanes").await.unavailable()?;
        lanes
    }

    async fn has_left(&self, log: LogIdentity) -> Result<bool, StoreError> {
        self.gate.before("has left").await.unavailable()?;
        let has_left = self.inner.has_left(log).await;
        self.gate.after("has left").await.unavailable()?;
        has_left
    }

    async fn known(&self) -> Result<Known, StoreError> {
        self.inner.known().await
    }

    async fn restored(&self, terms: &RestoreTerms) -> Result<Restored, StoreError> {
        self.inner.restored(terms).await
    }
}
