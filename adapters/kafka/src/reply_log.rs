//! The reply lanes, as the requester reads them.

use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use catchment_domain::ports::{Clock, LogError, ReplyLog, ReplyRecord};
use catchment_domain::{LogIdentity, Position, ReplyLane, ReturnAddress};
use catchment_request_reply::profile::{Answer, ReplyTo, RequestStyle};
use catchment_request_reply::reply::{self, Destination};
use catchment_request_reply::requester::{
    Reply, ReplyBatches, Requester, RequesterSettings, StartError,
};
use catchment_request_reply::{ReadError, Reader, Record, Sender, Topics};
use tokio::time::sleep;

use crate::caller::Caller;
use crate::counts::Counters;
use crate::error::{log_error, offset, position};
use crate::wire;

/// How often the lanes are counted.
const COUNT: Duration = Duration::from_secs(10);

/// The reply lanes, as the requester reads them: each is a partition of the reply topic.
///
/// One of them may be the lane of single calls, too ([`KafkaReplyLog::caller`]): they and the
/// campaigns share its reader.
#[derive(Clone, Debug)]
pub struct KafkaReplyLog(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    identity: LogIdentity,
    requests: Arc<str>,
    replies: Arc<str>,
    topics: Topics,
    lanes: AtomicU16,
    sender: Sender,
    reader: Reader<Reply>,
    calls: OnceLock<(ReplyLane, ReplyBatches)>,
    counters: Arc<Counters>,
}

impl KafkaReplyLog {
    pub(crate) fn new(
        identity: LogIdentity,
        (requests, replies): (&str, &str),
        (topics, lanes): (Topics, u16),
        (sender, reader): (Sender, Reader<Reply>),
        counters: Arc<Counters>,
    ) -> Self {
        let (requests, replies) = (requests.into(), replies.into());
        let calls = OnceLock::new();
        Self(Arc::new(Shared {
            identity,
            requests,
            replies,
            topics,
            lanes: AtomicU16::new(lanes),
            sender,
            reader,
            calls,
            counters,
        }))
    }

    /// Counts the lanes again and again. The topic may get more partitions, or be made again with
    /// fewer ones. As long as it is missing, the count stays.
    pub async fn keep_counting(self) {
        let Shared { topics, replies, lanes, .. } = &*self.0;
        loop {
            sleep(COUNT).await;
            match topics.partitions(replies).await {
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

    /// Lets single calls be answered in a lane, of which at most `pending` wait at a time.
    ///
    /// # Errors
    ///
    /// When no broker answers, or there is such a lane already.
    pub async fn caller(
        &self,
        lane: ReplyLane,
        pending: usize,
        clock: Arc<dyn Clock>,
    ) -> Result<Caller, LogError> {
        let Shared { requests, replies, sender, reader, calls, .. } = &*self.0;
        let settings = RequesterSettings {
            partition: lane.0.into(),
            style: RequestStyle::OWN,
            pending,
            ..RequesterSettings::new(Arc::clone(requests), Arc::clone(replies))
        };
        let started = Requester::on_clients(sender.clone(), reader.clone(), settings).await;
        let (requester, batches) = started.map_err(|error| match error {
            StartError::Unreadable(error) => log_error(error),
            StartError::Settings(_) | StartError::ReplyTopic(_) => {
                LogError::Unavailable(error.into())
            }
        })?;
        if calls.set((lane, batches)).is_err() {
            return Err(LogError::Unavailable("another lane has the calls already".into()));
        }
        Ok(Caller::new(requester, clock))
    }

    /// The batches of a lane that calls are answered in, too.
    fn shared_with_calls(&self, lane: ReplyLane) -> Option<&ReplyBatches> {
        let (of_calls, batches) = self.0.calls.get()?;
        (*of_calls == lane).then_some(batches)
    }

    async fn records(
        &self,
        lane: ReplyLane,
        from: i64,
        max: usize,
    ) -> Result<Vec<Record<Reply>>, ReadError> {
        match self.shared_with_calls(lane) {
            Some(batches) => batches.read(from, max),
            None => self.0.reader.read(lane.0.into(), from, max).await,
        }
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
        ReplyTo::of(&self.0.replies, lane.0.into())
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
        let records = self.records(lane, offset(from), max).await.map_err(log_error)?;
        Ok(records.iter().map(|record| self.parse(record)).collect())
    }

    async fn wait(&self, lane: ReplyLane, from: Position) {
        match self.shared_with_calls(lane) {
            Some(batches) => batches.wait(offset(from)).await,
            None => self.0.reader.wait(lane.0.into(), offset(from)).await,
        }
    }

    async fn release(&self, lane: ReplyLane, next: Position) {
        match self.shared_with_calls(lane) {
            Some(batches) => batches.release(offset(next)),
            None => self.0.reader.release(lane.0.into(), offset(next)),
        }
    }
}

/// The address that makes replies arrive in a lane.
fn of_lane(reply_to: ReplyTo<'_>) -> ReturnAddress {
    let destination = Destination::To(reply_to);
    let address = reply::ReturnAddress { place: None, note: "", destination };
    ReturnAddress(address.encode())
}
