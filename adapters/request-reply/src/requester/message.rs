use std::sync::Arc;

use uuid::Uuid;

use crate::correlation::CorrelationId;
use crate::profile::{Answer, ReadReply, RequestHeaders, asks_for_reply};
use crate::record::{Header, Incoming, Message};

/// A request that is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Identifies it: the correlation id of its replies. Unique, and the same when re-sent.
    pub id: Uuid,
    /// What it is about: requests of one key keep their order.
    pub key: Option<Vec<u8>>,
    /// What it asks.
    pub value: Option<Vec<u8>>,
    /// More headers. Those by which peers ask for a reply are left out: the requester writes them.
    pub headers: Vec<Header>,
}

impl Request {
    /// A request with an id of its own.
    #[must_use]
    pub fn new(key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Self {
        Self {
            id: Uuid::now_v7(),
            key: Some(key.into()),
            value: Some(value.into()),
            headers: Vec::new(),
        }
    }

    /// The request as it is sent, with the headers by which it asks for a reply.
    pub(super) fn into_message(self, topic: &Arc<str>, own: &RequestHeaders<'_>) -> Message {
        let Self { key, value, headers, .. } = self;
        let others = headers.into_iter().filter(|header| !asks_for_reply(&header.name));
        let headers = own.iter().map(Header::from).chain(others).collect();
        Message { topic: Arc::clone(topic), partition: None, key, value, headers }
    }
}

/// A reply as it arrived. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    correlation_id: Option<CorrelationId>,
    kind: Kind,
    /// How much of `bytes` is the key, where there is one.
    key: Option<usize>,
    bytes: Arc<[u8]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Value,
    Failure,
    Malformed,
}

impl Reply {
    /// The bytes that it keeps.
    pub(super) fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Keeps what a record says as a reply; what [`Reader`](crate::Reader) is to parse.
    #[must_use]
    pub fn parse(record: &Incoming<'_>) -> Self {
        let ReadReply { correlation_id, answer } =
            ReadReply::read(record.headers.iter().copied(), record.value);
        let (kind, text) = match answer {
            Answer::Value(value) => (Kind::Value, value),
            Answer::Failure(failure) => (Kind::Failure, failure),
            Answer::Malformed => (Kind::Malformed, &[][..]),
        };
        Self {
            correlation_id: correlation_id.map(CorrelationId::read),
            kind,
            key: record.key.map(<[u8]>::len),
            bytes: record.key.unwrap_or_default().iter().chain(text).copied().collect(),
        }
    }

    /// The id of the request that is answered, where there is one.
    #[must_use]
    pub const fn correlation_id(&self) -> Option<CorrelationId> {
        self.correlation_id
    }

    /// The reply's key. Not every replier sends one.
    #[must_use]
    pub fn key(&self) -> Option<&[u8]> {
        self.bytes.get(..self.key?)
    }

    /// What the replier says.
    #[must_use]
    pub fn answer(&self) -> Answer<'_> {
        let text = self.bytes.get(self.key.unwrap_or_default()..).unwrap_or_default();
        match self.kind {
            Kind::Value => Answer::Value(text),
            Kind::Failure => Answer::Failure(text),
            Kind::Malformed => Answer::Malformed,
        }
    }

    /// The reply's value: empty where it has none.
    #[must_use]
    pub fn value(&self) -> &[u8] {
        match self.answer() {
            Answer::Value(value) => value,
            Answer::Failure(_) | Answer::Malformed => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{RequestStyle, Trace};
    use crate::record::Timestamp;

    fn reply(key: Option<&[u8]>, value: Option<&[u8]>, headers: &[(&str, &[u8])]) -> Reply {
        let headers = headers.iter().map(|(name, value)| (*name, Some(*value))).collect();
        let (topic, partition, offset) = ("replies", 0, 0);
        let timestamp = Timestamp::Missing;
        Reply::parse(&Incoming { topic, partition, offset, timestamp, key, value, headers })
    }

    /// A replier takes the last of a repeated header.
    #[test]
    fn the_headers_of_a_request_lead_its_reply_nowhere_else() {
        let forged = ["kafka_correlationId", "kafka_replyTopic", "kafka_replyPartition"];
        let others = ["REPLY_CORRELATION_ID", "REPLY_TOPIC", "REPLY_PARTITION"];
        let forged = forged.into_iter().chain(others).map(|name| Header::new(name, "1"));
        let mine = Header::new("tenant", "a");
        let mut request = Request::new("key", "value");
        request.headers = forged.chain([mine.clone()]).collect();
        let place = ("replies", 3);
        let own = RequestHeaders::new(RequestStyle::OWN, place, request.id, Trace::default());
        let message = request.into_message(&"requests".into(), &own);
        let expected: Vec<_> = own.iter().map(Header::from).chain([mine]).collect();
        assert_eq!(message.headers, expected);
    }

    #[test]
    fn key_and_value_are_kept_apart() {
        let both = reply(Some(b"key"), Some(b"value"), &[]);
        assert_eq!((both.key(), both.value()), (Some(&b"key"[..]), &b"value"[..]));
        let without_key = reply(None, Some(b"value"), &[]);
        assert_eq!((without_key.key(), without_key.value()), (None, &b"value"[..]));
        let empty_key = reply(Some(b""), Some(b""), &[]);
        assert_eq!((empty_key.key(), empty_key.answer()), (Some(&b""[..]), Answer::Value(b"")));
    }

    #[test]
    fn a_failure_is_no_value_and_a_null_value_is_neither() {
        let failed = reply(None, None, &[("kafka_nest-err", b"{}")]);
        assert_eq!((failed.answer(), failed.value()), (Answer::Failure(b"{}"), &b""[..]));
        let malformed = reply(Some(b"key"), None, &[]);
        assert_eq!((malformed.answer(), malformed.value()), (Answer::Malformed, &b""[..]));
    }

    #[test]
    fn an_id_that_is_too_long_to_be_ours_is_one_all_the_same() {
        let foreign = reply(None, None, &[("kafka_correlationId", &[0; 99])]);
        assert_eq!(foreign.correlation_id(), Some(CorrelationId::read(&[0; 99])));
        assert_eq!(reply(None, None, &[]).correlation_id(), None);
    }
}
