//! Reading requests and replies.

use std::collections::BTreeMap;

use async_trait::async_trait;
use catchment_domain::ports::{CommitLog, LogError, ReplyLog, ReplyRecord, RequestLog, Stretch};
use catchment_domain::{
    Committed, Lane, LogIdentity, Position, ReplyLane, RequestId, ReturnAddress,
};

use super::Gated;
use crate::simulator::wires::Wires;

#[async_trait]
impl RequestLog for Gated<Wires> {
    fn identity(&self) -> LogIdentity {
        self.inner.identity()
    }

    async fn read(&self, lane: Lane, from: Position, max: usize) -> Result<Stretch, LogError> {
        self.gate.before("read").await.unreadable()?;
        let records = self.inner.read(lane, from, max).await;
        self.gate.after("read").await.unreadable()?;
        records
    }

    async fn last_before(
        &self,
        lane: Lane,
        position: Position,
    ) -> Result<Option<RequestId>, LogError> {
        self.gate.before("last_before").await.unreadable()?;
        let last = self.inner.last_before(lane, position).await;
        self.gate.after("last_before").await.unreadable()?;
        last
    }

    async fn wait(&self, _: Lane, _: Position) {
        self.gate.sleep(std::time::Duration::ZERO).await;
    }

    async fn commit(&self, lane: Lane, committed: Committed) {
        self.gate.before("commit").await;
        self.world.witness().released(lane, committed.next);
        self.inner.commit(lane, committed).await;
        self.gate.after("commit").await;
    }

    async fn committed(&self, lane: Lane) -> Result<Option<Committed>, LogError> {
        self.gate.before("committed").await.unreadable()?;
        let committed = self.inner.committed();
        self.gate.after("committed").await.unreadable()?;
        Ok(committed.get(&lane).copied())
    }
}

#[async_trait]
impl CommitLog for Gated<Wires> {
    fn identity(&self) -> LogIdentity {
        self.inner.identity()
    }

    async fn committed(&self) -> Result<BTreeMap<Lane, Committed>, LogError> {
        self.gate.before("committed").await.unreadable()?;
        let committed = self.inner.committed();
        self.gate.after("committed").await.unreadable()?;
        Ok(committed)
    }
}

#[async_trait]
impl ReplyLog for Gated<Wires> {
    fn identity(&self) -> LogIdentity {
        self.inner.identity()
    }

    fn lanes(&self) -> u16 {
        self.inner.reply_lanes()
    }

    fn address(&self, lane: ReplyLane) -> ReturnAddress {
        self.inner.address(lane)
    }

    async fn end(&self, lane: ReplyLane) -> Result<Position, LogError> {
        self.gate.before("end").await.unreadable()?;
        let end = self.inner.reply_end(lane).await;
        self.gate.after("end").await.unreadable()?;
        end
    }

    async fn read(
        &self,
        lane: ReplyLane,
        from: Position,
        max: usize,
    ) -> Result<Vec<ReplyRecord>, LogError> {
        self.gate.before("read_replies").await.unreadable()?;
        let replies = self.inner.read_replies(lane, from, max).await;
        self.gate.after("read_replies").await.unreadable()?;
        replies
    }

    async fn wait(&self, _: ReplyLane, _: Position) {
        self.gate.sleep(std::time::Duration::ZERO).await;
    }

    async fn release(&self, lane: ReplyLane, next: Position) {
        self.gate.before("release_replies").await;
        self.world.witness().replies_released(lane, next);
        self.inner.release_replies(lane, next).await;
        self.gate.after("release_replies").await;
    }
}
