//! What one call sends: replies and dead letters, in the order of the requests.

use catchment_domain::{Code, Reply};
use catchment_request_reply::profile::{Failure, ReplyDetails, ReplyTo};
use catchment_request_reply::{Header, Message, OwnedRecord};

use super::routes::{KnownTopics, Route};
use crate::address::Origin;
use crate::request_channel::owned;
use crate::wire::{self, NamedType};

/// The status of the outcome, for those who count without parsing.
const STATUS: &str = "catchment-status";
/// The code of an outcome that is not plain success.
const ERROR_CODE: &str = "catchment-error-code";

/// The kind of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A reply. If it is refused, this request is dead-lettered; `None` if that is already done.
    Reply(Option<Origin>),
    /// The dead letter of this request.
    Letter(Origin),
}

/// What was left out because Kafka does not take it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LeftOut {
    /// The value of a message. The message is still to be sent.
    Value(Kind),
    /// The whole message.
    Message(Kind),
}

/// Messages that are to be sent together.
pub(crate) struct Outbox<'a> {
    pub(crate) messages: Vec<Message>,
    // INVARIANT: there is one kind for each message.
    kinds: Vec<Kind>,
    pub(crate) topics: KnownTopics,
    replied_at: &'a str,
    type_id: Option<&'a str>,
    json: Vec<u8>,
    bytes: usize,
}

/// Bytes with which an outbox is full: dead letters may be large, and a batch has thousands.
const FULL: usize = 4 << 20;

impl<'a> Outbox<'a> {
    pub(crate) fn new(replied_at: &'a str, type_id: Option<&'a str>, capacity: usize) -> Self {
        let messages = Vec::with_capacity(capacity);
        Self {
            messages,
            kinds: Vec::with_capacity(capacity),
            topics: KnownTopics::new(),
            replied_at,
            type_id,
            json: Vec::new(),
            bytes: 0,
        }
    }

    /// Adds the dead letter of a request.
    pub(crate) fn put_letter(&mut self, letter: Message, origin: Origin) {
        self.put(letter, Kind::Letter(origin));
    }

    fn put(&mut self, message: Message, kind: Kind) {
        self.bytes += message.size();
        self.messages.push(message);
        self.kinds.push(kind);
    }

    /// Whether it is time to send what is in it.
    pub(crate) const fn is_full(&self) -> bool {
        FULL <= self.bytes
    }

    /// Removes all messages after they were sent. Returns how many of them were dead letters.
    pub(crate) fn clear(&mut self) -> u64 {
        self.bytes = 0;
        self.clear_first(self.messages.len())
    }

    /// Removes the first messages after they were sent. Returns how many of them were dead letters.
    pub(crate) fn clear_first(&mut self, count: usize) -> u64 {
        self.messages.drain(..count.min(self.messages.len()));
        let kinds = self.kinds.drain(..count.min(self.kinds.len()));
        kinds.map(|kind| u64::from(matches!(kind, Kind::Letter(_)))).sum()
    }

    /// Removes the messages to a topic, and returns their kinds.
    pub(crate) fn take_out(&mut self, topic: &str) -> Vec<Kind> {
        let all =
            std::mem::take(&mut self.messages).into_iter().zip(std::mem::take(&mut self.kinds));
        let (out, kept): (Vec<_>, Vec<_>) = all.partition(|(message, _)| *message.topic == *topic);
        (self.messages, self.kinds) = kept.into_iter().unzip();
        out.into_iter().map(|(_, kind)| kind).collect()
    }

    /// Puts a reply in, under the request's key: where the original was not looked up, the
    /// shop's id is the same.
    pub(crate) fn put_reply(
        &mut self,
        reply: &Reply,
        named_type: &NamedType,
        (reply_to, route): (ReplyTo<'_>, Route),
        origin: Option<Origin>,
        original: Option<&OwnedRecord>,
    ) {
        self.json.clear();
        wire::write_reply(reply, named_type, self.replied_at, &mut self.json);
        let failure = failure(reply).filter(|_| reply_to.reports_failures());
        let details = ReplyDetails { failure: failure.as_deref(), type_id: self.type_id };
        let mut headers: Vec<Header> = reply_to.headers(&details).map(owned).collect();
        headers.push(Header::new(STATUS, reply.outcome.status.as_str()));
        headers.extend(reply.outcome.code.map(|code| Header::new(ERROR_CODE, code.as_str())));
        let shop = || Some(reply.shop.as_ref()?.as_str().as_bytes().to_vec());
        let message = Message {
            topic: route.topic,
            partition: route.partition,
            key: original.map_or_else(shop, |original| original.key.clone()),
            value: Some(self.json.clone()),
            headers,
        };
        self.put(message, Kind::Reply(origin));
    }

    /// Leaves out the value of a message that is too large, so that a dead letter still says
    /// where the original stands; where that is not enough, the message.
    pub(crate) fn leave_out(&mut self, index: usize) -> Option<LeftOut> {
        let message = self.messages.get_mut(index)?;
        if message.value.take().is_some() {
            return self.kinds.get(index).copied().map(LeftOut::Value);
        }
        self.messages.remove(index);
        Some(LeftOut::Message(self.kinds.remove(index)))
    }
}

/// What went wrong, for clients that see nothing else of a reply.
fn failure(reply: &Reply) -> Option<String> {
    let outcome = &reply.outcome;
    let failure = Failure {
        status: outcome.status.as_str(),
        code: outcome.code.map(Code::as_str).unwrap_or_default(),
        message: outcome.message()?,
        retryable: outcome.code.is_some_and(Code::is_retryable),
    };
    Some(failure.to_json())
}
