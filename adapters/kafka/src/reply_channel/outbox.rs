//! What one call sends: replies and dead letters, in the order of the requests.

use catchment_domain::{Code, Reply};
use catchment_request_reply::profile::{Failure, ReplyBody, ReplyTo};
use catchment_request_reply::{Header, Message, OwnedRecord};

use super::routes::{KnownTopics, Route};
use crate::address::Origin;
use crate::request_channel::owned;
use crate::wire::{self, NamedType};

/// The status of the outcome, for those who count without parsing.
const STATUS: &str = "catchment-status";
/// The code of an outcome that is not plain success.
const ERROR_CODE: &str = "catchment-error-code";

/// Messages that are to be sent together.
pub(crate) struct Outbox<'a> {
    pub(crate) messages: Vec<Message>,
    /// For each message the request to dead-letter should it be refused, unless that is done.
    origins: Vec<Option<Origin>>,
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
            origins: Vec::with_capacity(capacity),
            topics: KnownTopics::new(),
            replied_at,
            type_id,
            json: Vec::new(),
            bytes: 0,
        }
    }

    /// Puts a dead letter in.
    pub(crate) fn put_letter(&mut self, letter: Message) {
        self.put(letter, None);
    }

    fn put(&mut self, message: Message, origin: Option<Origin>) {
        self.bytes += message.size();
        self.messages.push(message);
        self.origins.push(origin);
    }

    /// Whether it is time to send what is in it.
    pub(crate) const fn is_full(&self) -> bool {
        FULL <= self.bytes
    }

    /// Takes out what was sent.
    pub(crate) fn clear(&mut self) {
        self.messages.clear();
        self.origins.clear();
        self.bytes = 0;
    }

    /// Takes out the first messages, which were sent.
    pub(crate) fn clear_first(&mut self, count: usize) {
        self.messages.drain(..count.min(self.messages.len()));
        self.origins.drain(..count.min(self.origins.len()));
    }

    /// Takes out what was to be sent to a topic: for each message the request that is to be
    /// dead-lettered in its place.
    pub(crate) fn take_out(&mut self, topic: &str) -> Vec<Option<Origin>> {
        let all =
            std::mem::take(&mut self.messages).into_iter().zip(std::mem::take(&mut self.origins));
        let (out, kept): (Vec<_>, Vec<_>) = all.partition(|(message, _)| *message.topic == *topic);
        (self.messages, self.origins) = kept.into_iter().unzip();
        out.into_iter().map(|(_, origin)| origin).collect()
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
        let body =
            ReplyBody { value: &self.json, failure: failure.as_deref(), type_id: self.type_id };
        let mut headers: Vec<Header> = reply_to.headers(&body).map(owned).collect();
        headers.push(Header::new(STATUS, reply.outcome.status.as_str()));
        headers.extend(reply.outcome.code.map(|code| Header::new(ERROR_CODE, code.as_str())));
        let shop = || Some(reply.shop.as_ref()?.as_str().as_bytes().to_vec());
        let message = Message {
            topic: route.topic,
            partition: route.partition,
            key: original.map_or_else(shop, |original| original.key.clone()),
            value: reply_to.value(&body).map(<[u8]>::to_vec),
            headers,
        };
        self.put(message, origin);
    }

    /// Leaves out the value of a message that is too large, so that a dead letter still says
    /// where the original stands; where that is not enough, the message.
    pub(crate) fn leave_out(&mut self, index: usize) {
        let Some(message) = self.messages.get_mut(index) else { return };
        if message.value.take().is_none() {
            self.messages.remove(index);
            self.origins.remove(index);
        }
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
