//! Requests as they arrive, and the messages that answer them.

use std::borrow::Cow;
use std::sync::Arc;

use super::{AllowedTopics, Failure, Reply};
use crate::profile::{DeadLetter, Oddity, Origin, ReplyDetails, ReplyTo, TimestampKind};
use crate::record::{Header, Incoming, Message, OwnedRecord, Timestamp};

/// A request as it arrived.
pub(super) struct Arrived<R> {
    pub(super) key: Option<Vec<u8>>,
    pub(super) address: Address,
    /// The oddity of its reply headers.
    pub(super) oddity: Option<String>,
    pub(super) request: Result<R, Failure>,
}

/// Where a request wants its reply.
pub(super) enum Address {
    /// Nowhere.
    Nowhere,
    /// There: a [`ReplyTo`] in its compact bytes.
    There(Vec<u8>),
    /// In a topic that cannot be.
    Illegal,
}

/// Where a reply may go.
pub(super) enum Destination<'a> {
    /// Nowhere: none is asked for.
    Nowhere,
    /// There.
    There(ReplyTo<'a>),
    /// Nowhere: what is asked for is not allowed.
    Refused(&'static str),
}

impl<R> Arrived<R> {
    pub(super) fn read(record: &Incoming<'_>, request: Result<R, Failure>) -> Self {
        let address = match ReplyTo::read(record.headers.iter().copied()) {
            Ok(None) => Address::Nowhere,
            Ok(Some(reply_to)) => Address::There(reply_to.encoded().collect()),
            Err(_) => Address::Illegal,
        };
        let oddity = Oddity::of(&record.headers).map(|oddity| oddity.to_string());
        Self { key: record.key.map(<[u8]>::to_vec), address, oddity, request }
    }

    pub(super) fn destination(&self, allowed: &AllowedTopics) -> Destination<'_> {
        match &self.address {
            Address::Nowhere => Destination::Nowhere,
            Address::Illegal => Destination::Refused("the reply topic is no name of a topic"),
            Address::There(bytes) => match ReplyTo::decode(bytes) {
                Some(reply_to) if allowed.allows(reply_to.topic()) => Destination::There(reply_to),
                _ => Destination::Refused("replies may not go to the topic that was asked for"),
            },
        }
    }
}

/// The reply to a request.
pub(super) fn reply(
    reply_to: &ReplyTo<'_>,
    partition: Option<i32>,
    key: Option<&Vec<u8>>,
    outcome: &Result<Reply, Failure>,
) -> Message {
    let failure = outcome.as_ref().err().map(Failure::to_json);
    let type_id = outcome.as_ref().ok().and_then(|reply| reply.type_id.as_deref());
    let details = ReplyDetails { failure: failure.as_deref(), type_id };
    let headers = reply_to.headers(&details);
    let value = match outcome {
        Ok(Reply { value, .. }) => value.clone(),
        Err(_) => failure.clone().unwrap_or_default().into_bytes(),
    };
    Message {
        topic: reply_to.topic().into(),
        partition,
        key: key.cloned(),
        value: Some(value),
        headers: headers
            .map(|(name, value)| Header {
                name: Cow::Borrowed(name),
                value: value.map(<[u8]>::to_vec),
            })
            .collect(),
    }
}

/// The dead letter of a record.
pub(super) fn dead_letter(
    original: &OwnedRecord,
    topic: &Arc<str>,
    group: &str,
    (code, message): (&str, &str),
) -> Message {
    let (timestamp, timestamp_kind) = match original.timestamp {
        Timestamp::Missing => (-1, TimestampKind::Absent),
        Timestamp::Created(at) => (at, TimestampKind::Create),
        Timestamp::Appended(at) => (at, TimestampKind::LogAppend),
    };
    let origin = Origin {
        topic: &original.topic,
        partition: original.partition,
        offset: original.offset,
        timestamp,
        timestamp_kind,
        group,
    };
    let letter = DeadLetter::new(origin, code, message);
    let incoming = original.as_incoming();
    let headers = letter
        .headers(incoming.headers.iter().copied())
        .map(|(name, value)| Header {
            name: Cow::Owned(name.to_owned()),
            value: value.map(<[u8]>::to_vec),
        })
        .collect();
    Message {
        topic: Arc::clone(topic),
        partition: Some(original.partition),
        key: original.key.clone(),
        value: original.value.clone(),
        headers,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrived(headers: Vec<Header>) -> Arrived<()> {
        let record = OwnedRecord {
            topic: "shop".to_owned(),
            partition: 0,
            offset: 0,
            timestamp: Timestamp::Missing,
            key: Some(b"key".to_vec()),
            value: None,
            headers,
        };
        Arrived::read(&record.as_incoming(), Ok(()))
    }

    fn asking_for(topic: &str) -> Vec<Header> {
        vec![Header::new("kafka_replyTopic", topic), Header::new("kafka_correlationId", "id")]
    }

    #[test]
    fn only_allowed_topics_are_destinations() {
        let allowed = AllowedTopics::usual("shop");
        let is_there = |headers| {
            let arrived = arrived(headers);
            matches!(arrived.destination(&allowed), Destination::There(_))
        };
        assert!(is_there(asking_for("shop.reply")));
        assert!(!is_there(asking_for("other")) && !is_there(asking_for("a/b")));
        let nowhere = arrived(Vec::new());
        assert!(matches!(nowhere.destination(&allowed), Destination::Nowhere));
    }

    #[test]
    fn a_failure_is_the_value_and_a_header() {
        let arrived = arrived(asking_for("shop.reply"));
        let Destination::There(reply_to) = arrived.destination(&AllowedTopics::usual("shop"))
        else {
            panic!("allowed");
        };
        let failed = Err(Failure::rejected("bad", "no"));
        let message = reply(&reply_to, None, arrived.key.as_ref(), &failed);
        let json = r#"{"status":"rejected","code":"bad","message":"no","retryable":false}"#;
        assert_eq!(message.value, Some(json.as_bytes().to_vec()));
        let id = Header::new("kafka_correlationId", "id");
        assert_eq!(message.headers, [id, Header::new("catchment-failure", json)]);
        assert_eq!(message.key, Some(b"key".to_vec()));
    }
}
