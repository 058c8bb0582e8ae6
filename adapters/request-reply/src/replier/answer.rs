//! Requests as they arrive, and the replies to them.

use std::sync::Arc;

use super::{Failure, Handler, Outcome, Reply};
use crate::profile::{Oddity, ReplyDetails, ReplyTo};
use crate::record::{Header, Incoming, Message};
use crate::reply::{AllowedTopics, DeadLetterCache, Destination, ReturnAddress, Route};

/// A request as it arrived.
pub(super) struct Arrived<R> {
    pub(super) key: Option<Vec<u8>>,
    /// A [`ReturnAddress`].
    address: Vec<u8>,
    /// The oddity of its reply headers.
    pub(super) oddity: Option<String>,
    pub(super) request: Result<R, Failure>,
}

/// What one partition's records are parsed into.
pub(super) type Parsed<H> = Arc<Arrived<<H as Handler>::Request>>;

impl<R> Arrived<R> {
    /// Keeps the record, too, if it will be dead-lettered.
    pub(super) fn read(
        record: &Incoming<'_>,
        request: Result<R, Failure>,
        allowed: &AllowedTopics,
        dead_letters: &DeadLetterCache,
    ) -> Self {
        let destination = Destination::read(record.headers.iter().copied());
        if request.is_err() || !allowed.permit(&destination) {
            dead_letters.keep(record);
        }
        let address = ReturnAddress { place: None, note: "", destination }.encode();
        let oddity = Oddity::of(&record.headers).map(|oddity| oddity.to_string());
        Self { key: record.key.map(<[u8]>::to_vec), address, oddity, request }
    }

    pub(super) fn destination(&self) -> Destination<'_> {
        let address = ReturnAddress::decode(&self.address);
        address.map_or(Destination::Nowhere, |address| address.destination)
    }
}

/// The reply to a request. Each outcome has a value, and the class that Spring reads it as: a
/// failure, too.
pub(super) fn reply(
    reply_to: &ReplyTo<'_>,
    route: Route,
    key: Option<&Vec<u8>>,
    outcome: Outcome,
    type_id: Option<&str>,
) -> Message {
    let failure = outcome.as_ref().err().map(Failure::to_json);
    let named = outcome.as_ref().ok().and_then(|reply| reply.type_id.as_deref());
    let details = ReplyDetails { failure: failure.as_deref(), type_id: named.or(type_id) };
    let headers = reply_to.headers(&details).map(Header::from).collect();
    let value = match outcome {
        Ok(Reply { value, .. }) => value,
        Err(_) => failure.unwrap_or_default().into_bytes(),
    };
    let Route { topic, partition } = route;
    Message { topic, partition, key: key.cloned(), value: Some(value), headers }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUESTS: [(&[(&str, &str)], bool); 4] = [
        (&[("kafka_replyTopic", "t")], true),
        (&[("kafka_replyTopic", "t"), ("kafka_replyPartition", "0")], true),
        (&[("REPLY_TOPIC", "t")], false),
        (&[("REPLY_TOPIC", "t"), ("kafka_replyTopic", "t")], true),
    ];

    /// A reader of Spring's that is not told the class of a value reads it again and again.
    #[test]
    fn every_reply_to_spring_has_a_value_and_its_class() {
        let plain = || Ok(Reply::from("v"));
        let named = || Ok(Reply { value: b"v".to_vec(), type_id: Some("Own".into()) });
        let failed = || Err(Failure::rejected("bad", "no"));
        let json = r#"{"status":"rejected","code":"bad","message":"no","retryable":false}"#;
        for (headers, has_class) in REQUESTS {
            let headers = headers.iter().map(|(name, value)| (*name, Some(value.as_bytes())));
            let reply_to = ReplyTo::read(headers).unwrap().unwrap();
            for (outcome, value, class) in
                [(plain(), "v", "Usual"), (named(), "v", "Own"), (failed(), json, "Usual")]
            {
                let route = Route { topic: "t".into(), partition: None };
                let message = reply(&reply_to, route, None, outcome, Some("Usual"));
                assert_eq!(message.value.as_deref(), Some(value.as_bytes()));
                let class = has_class.then(|| Header::new("__TypeId__", class));
                let found = message.headers.iter().find(|header| header.name == "__TypeId__");
                assert_eq!(found, class.as_ref());
            }
        }
    }

    #[test]
    fn a_failure_is_the_value_and_a_header() {
        let headers = [("kafka_replyTopic", Some(&b"t"[..])), ("kafka_correlationId", Some(b"id"))];
        let reply_to = ReplyTo::read(headers).unwrap().unwrap();
        let route = Route { topic: "t".into(), partition: Some(1) };
        let (key, failed) = (b"key".to_vec(), Err(Failure::rejected("bad", "no")));
        let message = reply(&reply_to, route, Some(&key), failed, None);
        let json = r#"{"status":"rejected","code":"bad","message":"no","retryable":false}"#;
        assert_eq!(message.value, Some(json.as_bytes().to_vec()));
        let id = Header::new("kafka_correlationId", "id");
        assert_eq!(message.headers, [id, Header::new("catchment-failure", json)]);
        assert_eq!((message.key, message.partition), (Some(key), Some(1)));
    }
}
