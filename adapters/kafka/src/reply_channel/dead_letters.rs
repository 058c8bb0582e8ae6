//! Requests that could not be dealt with, as Spring's tools know them.

use std::sync::Arc;

use catchment_request_reply::profile::{self, DeadLetter, TimestampKind};
use catchment_request_reply::{Header, Message, OwnedRecord, ReadError, Reader, Timestamp};

use crate::address::Origin;
use crate::originals::Originals;
use crate::request_log::{Entry, KafkaRequestLog};

/// Makes dead letters of requests.
#[derive(Debug)]
pub(crate) struct DeadLetters {
    reader: Reader<Entry>,
    kept: Arc<Originals>,
    topic: Arc<str>,
    group: String,
}

impl DeadLetters {
    /// Dead letters of the requests of a log.
    pub(crate) fn new(log: &KafkaRequestLog, topic: &str, group: &str) -> Self {
        let (reader, kept) = (log.reader().clone(), log.originals());
        Self { reader, kept, topic: DeadLetter::topic(topic).into(), group: group.to_owned() }
    }

    /// Whether a topic is theirs.
    pub(crate) fn are_in(&self, topic: &str) -> bool {
        *self.topic == *topic
    }

    /// A request as it stands in the log, while it is there.
    pub(crate) async fn original(
        &self,
        origin: Origin,
    ) -> Result<Option<Arc<OwnedRecord>>, ReadError> {
        if let Some(kept) = self.kept.get(origin) {
            return Ok(Some(kept));
        }
        let fetched = self.reader.fetch(origin.partition, origin.offset).await?;
        Ok(fetched.map(Arc::new))
    }

    /// A request with the reason why it could not be dealt with, for the same partition.
    pub(crate) fn letter(&self, original: &OwnedRecord, code: &str, message: &str) -> Message {
        let (timestamp, timestamp_kind) = match original.timestamp {
            Timestamp::Created(millis) => (millis, TimestampKind::Create),
            Timestamp::Appended(millis) => (millis, TimestampKind::LogAppend),
            Timestamp::Missing => (-1, TimestampKind::Absent),
        };
        let origin = profile::Origin {
            topic: &original.topic,
            partition: original.partition,
            offset: original.offset,
            timestamp,
            timestamp_kind,
            group: &self.group,
        };
        let letter = DeadLetter::new(origin, code, message);
        let headers = original.headers.iter().map(|h| (&*h.name, h.value.as_deref()));
        let owned = |(name, value): profile::Header<'_>| Header {
            name: name.to_owned().into(),
            value: value.map(<[u8]>::to_vec),
        };
        Message {
            topic: Arc::clone(&self.topic),
            partition: Some(original.partition),
            key: original.key.clone(),
            value: original.value.clone(),
            headers: letter.headers(headers).map(owned).collect(),
        }
    }
}
