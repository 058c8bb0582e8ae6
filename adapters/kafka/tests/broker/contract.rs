//! The ports on Kafka keep what every adapter promises.

use std::sync::Arc;

use async_trait::async_trait;
use catchment_contract::{Capabilities, Log, LogHarness};
use catchment_domain::ports::{LogError, ReplyLog, ReplyRecord, RequestLog, Stretch};
use catchment_domain::{
    Committed, Lane, Lanes, LogIdentity, Position, ReplyLane, RequestId, ReturnAddress,
};
use catchment_kafka::{KafkaReplyLog, KafkaRequestLog};
use uuid::Uuid;

use crate::world::{LANES, World};

async fn log() -> World {
    World::new().await
}

#[async_trait]
impl LogHarness for World {
    fn log(&self) -> Log {
        Log {
            requests: Arc::clone(&self.requests) as _,
            request_log: Arc::new(ArrivedRequests(Arc::clone(&self.request_log))),
            commits: Arc::new(self.cluster.lookout(LANES).unwrap()),
            replies: Arc::clone(&self.replies) as _,
            reply_log: Arc::new(ArrivedReplies(Arc::clone(&self.reply_log))),
        }
    }

    fn lanes(&self) -> Lanes {
        LANES
    }

    async fn send_foreign(&self, lane: Lane) -> Option<RequestId> {
        let id = Uuid::now_v7();
        let value = format!(r#"{{"id":"{id}","type":"order.create","data":[]}}"#);
        self.inject(lane, None, Some(value.as_bytes()), Vec::new()).await;
        Some(RequestId(id))
    }

    async fn drop_requests(&self, lane: Lane, next: Position) {
        let (topic, next) = (&self.settings.requests_topic, i64::try_from(next.0).unwrap());
        self.topics.delete_records(topic, lane.0.into(), next).await.unwrap();
    }

    async fn drop_replies(&self, lane: ReplyLane, next: Position) {
        let (topic, next) = (&self.settings.replies_topic, i64::try_from(next.0).unwrap());
        self.topics.delete_records(topic, lane.0.into(), next).await.unwrap();
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { capacity: None }
    }
}

/// Reads only once everything that the broker has is here: the suite asks at once for what it
/// has just sent, and a reader may say that there is nothing yet.
struct ArrivedRequests(Arc<KafkaRequestLog>);

#[async_trait]
impl RequestLog for ArrivedRequests {
    fn identity(&self) -> LogIdentity {
        self.0.identity()
    }

    async fn read(&self, lane: Lane, from: Position, max: usize) -> Result<Stretch, LogError> {
        let ends = self.0.reader().watermarks(lane.0.into()).await.unwrap();
        let end = Position(u64::try_from(ends.high).unwrap());
        loop {
            let stretch = self.0.read(lane, from, max).await?;
            let next = stretch.last.map_or(from, |(position, _)| position.next());
            if end <= next || max <= stretch.requests.len() {
                return Ok(stretch);
            }
            self.0.wait(lane, next).await;
        }
    }

    async fn last_before(
        &self,
        lane: Lane,
        position: Position,
    ) -> Result<Option<RequestId>, LogError> {
        self.0.last_before(lane, position).await
    }

    async fn wait(&self, lane: Lane, from: Position) {
        self.0.wait(lane, from).await;
    }

    async fn commit(&self, lane: Lane, committed: Committed) {
        self.0.commit(lane, committed).await;
    }

    async fn committed(&self, lane: Lane) -> Result<Option<Committed>, LogError> {
        self.0.committed(lane).await
    }
}

/// The same for replies.
struct ArrivedReplies(Arc<KafkaReplyLog>);

#[async_trait]
impl ReplyLog for ArrivedReplies {
    fn identity(&self) -> LogIdentity {
        self.0.identity()
    }

    fn lanes(&self) -> u16 {
        self.0.lanes()
    }

    fn address(&self, lane: ReplyLane) -> ReturnAddress {
        self.0.address(lane)
    }

    async fn end(&self, lane: ReplyLane) -> Result<Position, LogError> {
        self.0.end(lane).await
    }

    async fn read(
        &self,
        lane: ReplyLane,
        from: Position,
        max: usize,
    ) -> Result<Vec<ReplyRecord>, LogError> {
        let end = self.0.end(lane).await?;
        loop {
            let replies = self.0.read(lane, from, max).await?;
            let next = replies.last().map_or(from, |reply| reply.position.next());
            if end <= next || max <= replies.len() {
                return Ok(replies);
            }
            self.0.wait(lane, next).await;
        }
    }

    async fn wait(&self, lane: ReplyLane, from: Position) {
        self.0.wait(lane, from).await;
    }

    async fn release(&self, lane: ReplyLane, next: Position) {
        self.0.release(lane, next).await;
    }
}

catchment_contract::log_suite!(
    #[ignore = "needs Kafka"]
    log
);
