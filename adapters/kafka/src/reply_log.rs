//! The reply lanes, as the requester reads them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use catchment_domain::ports::{LogError, ReplyLog, ReplyRecord};
use catchment_domain::{LogIdentity, Position, ReplyLane, ReturnAddress};
use catchment_request_reply::profile::{Answer, ReplyTo};
use catchment_request_reply::reply::{self, Destination};
use catchment_request_reply::requester::Reply;
use catchment_request_reply::{Reader, Record, Topics};
use tokio::time::sleep;

use crate::counts::Counters;
use crate::error::{log_error, offset, position};
use crate::wire;

/// How often the lanes are counted.
const COUNT: Duration = Duration::from_secs(10);

/// The reply lanes, as the requester reads them: each is a partition of the reply topic.
#[derive(Clone, Debug)]
pub struct KafkaReplyLog(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    identity: LogIdentity,
    topics: Topics,
    lanes: AtomicU16,
    reader: Reader<Reply>,
    counters: Arc<Counters>,
}

impl KafkaReplyLog {
    pub(crate) fn new(
        identity: LogIdentity,
        (topics, lanes): (Topics, u16),
        reader: Reader<Reply>,
        counters: Arc<Counters>,
    ) -> Self {
        let lanes = AtomicU16::new(lanes);
        Self(Arc::new(Shared { identity, topics, lanes, reader, counters }))
    }

    /// Counts the lanes again and again. The topic may get more partitions, or be made again with
    /// fewer ones. As long as it is missing, the count stays.
    pub async fn keep_counting(self) {
        let Shared { topics, lanes, reader, .. } = &*self.0;
        loop {
            sleep(COUNT).await;
            match topics.partitions(reader.topic()).await {
                Ok(found) => {
                    let found = found.and_then(|count| u16::try_from(count).ok());
                    if let Some(count) = found.filter(|count| 0 < *count) {
                        lanes.store(count, Ordering::Relaxed);
                    }
                }
                Err(error) => tracing::debug!(%error, "the reply lanes could not be counted"),
            }
        }
    }

    /// The reader, for those who end it.
    #[must_use]
    pub fn reader(&self) -> &Reader<Reply> {
        &self.0.reader
    }

    /// What stands in a reply lane, whatever it is.
    fn parse(&self, record: &Record<Reply>) -> ReplyRecord {
        let reply = match record.message.answer() {
            Answer::Value(value) => wire::parse_reply(value),
            Answer::Failure(_) | Answer::Malformed => None,
        };
        if reply.is_none() {
            self.0.counters.unreadable_replies.count();
        }
        ReplyRecord { position: position(record.offset), reply }
    }
}

#[async_trait]
impl ReplyLog for KafkaReplyLog {
    fn identity(&self) -> LogIdentity {
        self.0.identity
    }

    fn lanes(&self) -> u16 {
        self.0.lanes.load(Ordering::Relaxed)
    }

    fn address(&self, lane: ReplyLane) -> ReturnAddress {
        // INVARIANT: a topic that has partitions has a name that a topic can have.
        ReplyTo::of(self.0.reader.topic(), lane.0.into())
            .map_or_else(|_| ReturnAddress::default(), of_lane)
    }

    /// The broker is asked: what this process has read so far says nothing of it.
    async fn end(&self, lane: ReplyLane) -> Result<Position, LogError> {
        let ends = self.0.reader.watermarks(lane.0.into()).await.map_err(log_error)?;
        Ok(position(ends.high))
    }

    async fn read(
        &self,
        lane: ReplyLane,
        from: Position,
        max: usize,
    ) -> Result<Vec<ReplyRecord>, LogError> {
        let records = self.0.reader.read(lane.0.into(), offset(from), max).await;
        let records = records.map_err(log_error)?;
        Ok(records.iter().map(|record| self.parse(record)).collect())
    }

    async fn wait(&self, lane: ReplyLane, from: Position) {
        self.0.reader.wait(lane.0.into(), offset(from)).await;
    }

    async fn release(&self, lane: ReplyLane, next: Position) {
        self.0.reader.release(lane.0.into(), offset(next));
    }
}

/// The address that makes replies arrive in a lane.
fn of_lane(reply_to: ReplyTo<'_>) -> ReturnAddress {
    let destination = Destination::To(reply_to);
    let address = reply::ReturnAddress { place: None, note: "", destination };
    ReturnAddress(address.encode())
}
