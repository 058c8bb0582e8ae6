//! The request lanes, as the consumer reads them: a member of a group.

pub(crate) mod commits;
mod offset_commits;

use std::sync::Arc;

use async_trait::async_trait;
use catchment_domain::ports::{LogError, RequestLog, Stretch};
use catchment_domain::{
    Committed, Lane, LogIdentity, Position, RequestId, RequestRecord, ReturnAddress,
};
use catchment_request_reply::profile::Oddity;
use catchment_request_reply::reply::{
    self, AllowedTopics, DeadLetterCache, Destination, LogThrottle, Place,
};
use catchment_request_reply::{Incoming, OwnedRecord, ReadError, Reader, Record};

use crate::counts::Counters;
use crate::error::{log_error, offset, position};
use crate::wire::{self, Refusal};
use offset_commits::OffsetCommits;

/// The request lanes, as the consumer reads them.
///
/// A lane is a partition. It can be read while the group has assigned it to this member.
/// Positions are kept in the database. What is committed to Kafka is a moment behind the truth: for
/// tools that show lag, and, with the owner's epoch beside it, to notice that the database was
/// restored from a backup.
///
/// A message that is no request is a record all the same, with what is wrong with it, so that
/// the lane goes on behind it and it is answered. A request of a type that belongs to somebody
/// else is passed over and counted.
#[derive(Clone, Debug)]
pub struct KafkaRequestLog {
    identity: LogIdentity,
    reader: Reader<Entry>,
    offset_commits: Arc<OffsetCommits>,
    dead_letters: Arc<DeadLetterCache>,
}

impl KafkaRequestLog {
    pub(crate) fn new(
        identity: LogIdentity,
        reader: Reader<Entry>,
        dead_letters: Arc<DeadLetterCache>,
    ) -> Self {
        Self { identity, reader, offset_commits: Arc::default(), dead_letters }
    }

    pub(crate) fn dead_letters(&self) -> Arc<DeadLetterCache> {
        Arc::clone(&self.dead_letters)
    }

    /// The reader, for those who are concerned with the group rather than with requests.
    #[must_use]
    pub const fn reader(&self) -> &Reader<Entry> {
        &self.reader
    }

    /// Commits at once what waits for its time, as before the lane is given away.
    pub fn commit_rest(&self, lane: Lane) {
        if let Some(committed) = self.offset_commits.take(lane) {
            self.reader.commit(lane.0.into(), &commits::written(committed));
        }
    }

    fn commit_due(&self, lane: Lane) {
        if let Some(committed) = self.offset_commits.take_due(lane) {
            self.reader.commit(lane.0.into(), &commits::written(committed));
        }
    }
}

#[async_trait]
impl RequestLog for KafkaRequestLog {
    fn identity(&self) -> LogIdentity {
        self.identity
    }

    async fn read(&self, lane: Lane, from: Position, max: usize) -> Result<Stretch, LogError> {
        let read = self.reader.read(lane.0.into(), offset(from), max).await;
        Ok(stretch(read.map_err(log_error)?))
    }

    async fn last_before(
        &self,
        lane: Lane,
        position: Position,
    ) -> Result<Option<RequestId>, LogError> {
        let (partition, next) = (i32::from(lane.0), offset(position));
        let ends = self.reader.watermarks(partition).await.map_err(log_error)?;
        if ends.high < next {
            return Err(LogError::Beyond {
                from: position,
                end: crate::error::position(ends.high),
            });
        }
        if next <= ends.low {
            return Ok(None);
        }
        id_at(&self.reader, partition, next - 1).await.map_err(log_error)
    }

    async fn wait(&self, lane: Lane, from: Position) {
        let reading = self.reader.wait(lane.0.into(), offset(from));
        let committing = async {
            self.offset_commits.due(lane).await;
            self.commit_due(lane);
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = reading => {}
            () = committing => {}
        }
    }

    async fn commit(&self, lane: Lane, committed: Committed) {
        let next = offset(committed.next);
        self.reader.release(lane.0.into(), next);
        self.dead_letters.release(lane.0.into(), next);
        self.offset_commits.put(lane, committed);
        self.commit_due(lane);
    }

    async fn committed(&self, lane: Lane) -> Result<Option<Committed>, LogError> {
        let committed = self.reader.committed(lane.0.into()).await.map_err(log_error)?;
        Ok(committed.as_ref().and_then(commits::read))
    }
}

/// The id of the request at an offset, or of what ought to be one; `None` if it is gone.
pub(crate) async fn id_at<M: Clone + Send + Sync + 'static>(
    reader: &Reader<M>,
    partition: i32,
    offset: i64,
) -> Result<Option<RequestId>, ReadError> {
    let record = reader.fetch(partition, offset).await?;
    let id = |record: OwnedRecord| {
        wire::parse_request(record.key.as_deref(), record.value.as_deref()).id
    };
    Ok(record.map(id))
}

/// What stands in a lane.
#[derive(Clone, Debug)]
pub enum Entry {
    /// A request, or what ought to be one.
    Request(RequestRecord),
    /// Something of somebody else's.
    Foreign(RequestId),
}

impl Entry {
    const fn id(&self) -> RequestId {
        match self {
            Self::Request(record) => record.id,
            Self::Foreign(id) => *id,
        }
    }
}

fn stretch(records: Vec<Record<Entry>>) -> Stretch {
    let last = records.last().map(|record| (position(record.offset), record.message.id()));
    let requests = records.into_iter().filter_map(|record| match record.message {
        Entry::Request(request) => Some(request),
        Entry::Foreign(_) => None,
    });
    Stretch { requests: requests.collect(), last }
}

/// Reads what stands in a lane, whatever it is.
#[derive(Debug, Default)]
pub(crate) struct RecordParser {
    pub(crate) allowed: AllowedTopics,
    pub(crate) dead_letters: Arc<DeadLetterCache>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) warnings: LogThrottle,
}

impl RecordParser {
    pub(crate) fn entry(&self, incoming: &Incoming<'_>) -> Entry {
        let parsed = wire::parse_request(incoming.key, incoming.value);
        let request = match parsed.content {
            Ok(request) => Ok(request),
            Err(Refusal::Invalid(invalid)) => Err(invalid),
            Err(Refusal::Foreign) => {
                self.counters.foreign_requests.count();
                return Entry::Foreign(parsed.id);
            }
        };
        if let Some(oddity) = Oddity::of(&incoming.headers) {
            self.note(oddity, incoming);
        }
        let destination = Destination::read(incoming.headers.iter().copied());
        if request.is_err() || !self.allowed.permit(&destination) {
            self.dead_letters.keep(incoming);
        }
        let place = Place { partition: incoming.partition, offset: incoming.offset };
        let note = parsed.named_type.as_str().unwrap_or_default();
        let address = reply::ReturnAddress { place: Some(place), note, destination };
        Entry::Request(RequestRecord {
            position: position(incoming.offset),
            id: parsed.id,
            return_address: ReturnAddress(address.encode()),
            request,
        })
    }

    /// Counts an oddity of reply headers. The request is handled all the same.
    fn note(&self, oddity: Oddity<'_>, incoming: &Incoming<'_>) {
        match oddity {
            Oddity::Repeated(_) => self.counters.repeated_reply_headers.count(),
            Oddity::Unanswerable(_) => self.counters.unknown_reply_headers.count(),
        }
        if self.warnings.is_time() {
            let (partition, offset) = (incoming.partition, incoming.offset);
            tracing::warn!(partition, offset, "a request has odd reply headers: {oddity}");
        }
    }
}

#[cfg(test)]
mod tests {
    use catchment_request_reply::Timestamp;

    use super::*;
    use crate::counts::KafkaCounts;

    /// Reads a request with these headers. Returns the counts, and the reply topic.
    fn read(names: &[(&'static str, &'static str)]) -> (KafkaCounts, Option<String>) {
        let headers = names.iter().map(|(name, value)| (*name, Some(value.as_bytes()))).collect();
        let allowed = AllowedTopics::new(["requests.reply", "replies"]);
        let parser = RecordParser { allowed, ..RecordParser::default() };
        let entry = parser.entry(&Incoming {
            topic: "requests",
            partition: 0,
            offset: 0,
            timestamp: Timestamp::Missing,
            key: Some(b"k"),
            value: Some(b"{}"),
            headers,
        });
        let Entry::Request(record) = entry else { panic!("the record is a request of ours") };
        let topic =
            match reply::ReturnAddress::decode(&record.return_address.0).unwrap().destination {
                Destination::To(reply_to) => Some(reply_to.topic().to_owned()),
                Destination::Nowhere | Destination::Illegal | Destination::Oversized => None,
            };
        (parser.counters.read(), topic)
    }

    #[test]
    fn the_same_reply_header_twice_is_counted_and_the_last_counts() {
        let twice = [
            ("kafka_replyTopic", "requests.reply"),
            ("kafka_correlationId", "1"),
            ("kafka_replyTopic", "replies"),
        ];
        let expected = KafkaCounts { repeated_reply_headers: 1, ..KafkaCounts::default() };
        assert_eq!(read(&twice), (expected, Some("replies".to_owned())));
        assert_eq!(read(&twice[1..]), (KafkaCounts::default(), Some("replies".to_owned())));
    }

    #[test]
    fn reply_headers_of_ones_own_are_counted_and_not_answered() {
        let expected = KafkaCounts { unknown_reply_headers: 1, ..KafkaCounts::default() };
        assert_eq!(read(&[("reply-to", "replies"), ("correlation-id", "1")]), (expected, None));
        assert_eq!(read(&[("kafka_correlationId", "1")]), (expected, None));
        assert_eq!(read(&[("traceparent", "1")]), (KafkaCounts::default(), None));
    }
}
