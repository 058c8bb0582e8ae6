use std::collections::VecDeque;
use std::sync::Arc;

use super::routes::KnownTopics;
use super::{Destination, Place, Undeliverable};
use crate::record::{Header, Message};

/// What is sent together: replies and dead letters, in the order of the requests.
#[derive(Debug, Default)]
pub struct Outbox {
    messages: Vec<Message>,
    // INVARIANT: there is one kind for each message.
    kinds: Vec<Kind>,
    pub(super) topics: KnownTopics,
    /// Requests whose replies were given up, and that are not dead letters yet.
    pub(super) given_up: VecDeque<(Place, Undeliverable)>,
    /// The dead letters of such requests.
    pub(super) letters: Option<Box<Outbox>>,
    bytes: usize,
    /// How many of the first messages are sent at once; `None`: all. There is a piece while the
    /// first messages go to a topic that takes smaller messages only.
    piece: Option<usize>,
}

/// The kind of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Reply(ReplyKind),
    /// The dead letter of this request.
    Letter(Place),
}

/// What is known of a reply beside its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ReplyKind {
    /// If the reply is refused, this request is dead-lettered; `None` if that is already done.
    pub(super) undelivered: Option<Place>,
    /// The header that says a failure, if a shorter value is one.
    pub(super) failure: Option<&'static str>,
}

/// What was left out of a message that is too large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LeftOut {
    /// A part of it. It is still to be sent.
    Part(Kind),
    /// The short value of a reply. It is still to be sent.
    Value,
    /// The whole message.
    All(Kind),
}

/// Bytes with which an outbox is full: dead letters may be large, and a batch has thousands.
const FULL: usize = 4 << 20;

impl Outbox {
    /// An outbox with room for so many messages.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        let (messages, kinds) = (Vec::with_capacity(capacity), Vec::with_capacity(capacity));
        Self { messages, kinds, ..Self::default() }
    }

    /// Adds a reply. If it cannot be delivered, the request at this place is dead-lettered.
    /// `failure` is the header that says a failure, if [`shorter`](super::ReplyEvents::shorter)
    /// makes one of the reply.
    pub fn push_reply(
        &mut self,
        message: Message,
        undelivered: Option<Place>,
        failure: Option<&'static str>,
    ) {
        self.push(message, Kind::Reply(ReplyKind { undelivered, failure }));
    }

    pub(super) fn push_letter(&mut self, letter: Message, place: Place) {
        self.push(letter, Kind::Letter(place));
    }

    fn push(&mut self, message: Message, kind: Kind) {
        self.bytes += message.size();
        self.messages.push(message);
        self.kinds.push(kind);
    }

    /// Whether it is time to send what is in it.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        FULL <= self.bytes
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// The messages to send next.
    pub(super) fn next(&self) -> &[Message] {
        self.messages.get(..self.next_count()).unwrap_or_default()
    }

    fn next_count(&self) -> usize {
        self.piece.map_or(self.messages.len(), |piece| piece.min(self.messages.len()))
    }

    /// Removes the messages that were sent. Returns how many of them were dead letters.
    pub(super) fn sent(&mut self) -> usize {
        let count = self.next_count();
        let topic = self.messages.first().map(|message| Arc::clone(&message.topic));
        self.messages.drain(..count);
        let kinds = self.kinds.drain(..count);
        let letters = kinds.filter(|kind| matches!(kind, Kind::Letter(_))).count();
        let same = topic.map_or(0, |topic| self.first_to(&topic));
        self.piece =
            self.piece.map(|piece| piece.saturating_mul(2).min(same)).filter(|&piece| 0 < piece);
        if self.is_empty() {
            self.bytes = 0;
        }
        letters
    }

    /// One of the next messages is too large for this topic. Returns whether it is known which: the
    /// first, because no other of them went there.
    ///
    /// The messages to that topic are sent first from now on, in smaller pieces and in their order.
    /// So the messages to other topics are sent once more, and not once for each piece.
    pub(super) fn halve(&mut self, topic: &str) -> bool {
        let is_first = |message: &Message| *message.topic == *topic;
        if !self.next().iter().all(is_first) {
            let all = std::mem::take(&mut self.messages).into_iter();
            let all = all.zip(std::mem::take(&mut self.kinds));
            let (mut first, others): (Vec<_>, Vec<_>) = all.partition(|(one, _)| is_first(one));
            first.extend(others);
            (self.messages, self.kinds) = first.into_iter().unzip();
            self.piece = Some(self.first_to(topic));
        }
        let count = self.next_count();
        self.piece = Some((count / 2).max(1));
        count <= 1
    }

    /// How many of the first messages go to this topic.
    fn first_to(&self, topic: &str) -> usize {
        self.messages.iter().take_while(|message| *message.topic == *topic).count()
    }

    /// Removes the messages to a topic, and returns their kinds.
    pub(super) fn take_out(&mut self, topic: &str) -> Vec<Kind> {
        let all =
            std::mem::take(&mut self.messages).into_iter().zip(std::mem::take(&mut self.kinds));
        let (out, kept): (Vec<_>, Vec<_>) = all.partition(|(message, _)| *message.topic == *topic);
        (self.messages, self.kinds) = kept.into_iter().unzip();
        out.into_iter().map(|(_, kind)| kind).collect()
    }

    /// Makes a message smaller; where that is impossible, removes it.
    ///
    /// A dead letter loses its value, and still says where the original stands. A reply gets a
    /// shorter value and loses what is absurdly long, so that its requester does not wait in vain;
    /// a reply that is still too large loses its value.
    pub(super) fn leave_out(
        &mut self,
        index: usize,
        shorter: impl FnOnce(&[u8]) -> Option<Vec<u8>>,
    ) -> Option<LeftOut> {
        let (message, kind) = (self.messages.get_mut(index)?, *self.kinds.get(index)?);
        let before = message.size();
        match kind {
            Kind::Letter(_) => message.value = None,
            Kind::Reply(reply) => shorten(message, reply, shorter),
        }
        if message.size() < before {
            return Some(LeftOut::Part(kind));
        }
        if message.value.take().is_some_and(|value| !value.is_empty()) {
            return Some(LeftOut::Value);
        }
        self.messages.remove(index);
        Some(LeftOut::All(self.kinds.remove(index)))
    }
}

fn shorten(
    message: &mut Message,
    ReplyKind { failure, .. }: ReplyKind,
    shorter: impl FnOnce(&[u8]) -> Option<Vec<u8>>,
) {
    let value = message.value.as_deref().and_then(shorter);
    let is_short = |bytes: &Vec<u8>| bytes.len() <= Destination::MOST;
    message.headers.retain(|header| header.value.as_ref().is_none_or(is_short));
    message.key.take_if(|key| !is_short(key));
    let Some(value) = value else { return };
    if let Some(name) = failure {
        message.headers.retain(|header| header.name != name);
        message.headers.push(Header::new(name, value.clone()));
    }
    message.value = Some(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place = Place { partition: 0, offset: 7 };

    fn message(value: &str) -> Message {
        let (topic, value) = (format!("to-{value}"), Some(value.as_bytes().to_vec()));
        Message { topic: topic.into(), partition: None, key: None, value, headers: Vec::new() }
    }

    fn outbox(values: &[&str]) -> Outbox {
        let mut outbox = Outbox::default();
        for value in values {
            outbox.push_reply(message(value), None, None);
        }
        outbox
    }

    fn shorter(value: &[u8]) -> Option<Vec<u8>> {
        (!value.is_empty()).then(|| b"short".to_vec())
    }

    /// Sends until everything was taken or given up. Returns the sizes of what was taken, and the
    /// number of attempts.
    fn sent(outbox: Outbox, limit: usize) -> (Vec<usize>, u32) {
        let (taken, attempts, _) = sent_and_offered(outbox, limit, "");
        (taken, attempts)
    }

    /// Also returns how many messages to `topic` were handed over, once or again.
    fn sent_and_offered(mut outbox: Outbox, limit: usize, topic: &str) -> (Vec<usize>, u32, usize) {
        let (mut taken, mut attempts, mut offered) = (Vec::new(), 0, 0);
        while !outbox.is_empty() {
            attempts += 1;
            offered += outbox.next().iter().filter(|message| *message.topic == *topic).count();
            if outbox.next().iter().all(|message| message.size() <= limit) {
                taken.extend(outbox.next().iter().map(Message::size));
                outbox.sent();
            } else {
                let large = outbox.next().iter().find(|message| limit < message.size());
                let topic = Arc::clone(&large.unwrap().topic);
                if outbox.halve(&topic) {
                    outbox.leave_out(0, shorter);
                }
            }
        }
        (taken, attempts, offered)
    }

    #[test]
    fn a_message_to_another_topic_is_sent_twice_at_most() {
        let large = "x".repeat(1_000);
        let mut values = vec!["a"; 1_800];
        values.splice(900..900, vec![&*large; 20]);
        let (taken, _, offered) = sent_and_offered(outbox(&values), 500, "to-a");
        assert_eq!(taken.len(), 1_820);
        assert_eq!(offered, 3_600);
    }

    #[test]
    fn only_what_is_too_large_gets_a_shorter_value() {
        let large = "x".repeat(1_000);
        let values = ["a", "bb", &large, "dddd", "e"];
        assert_eq!(sent(outbox(&[&large]), 500).0, [5]);
        assert_eq!(sent(outbox(&values), 500).0, [5, 1, 2, 4, 1], "all, in the order of a topic");
        assert_eq!(sent(outbox(&values), 4).0, [0, 1, 2, 4, 1], "or none, if it never fits");
        assert_eq!(sent(outbox(&values[..2]), 10), (vec![1, 2], 1));
        let many = vec![&*large; 1_000];
        assert!(
            sent(outbox(&many), 500).1 < 3_100,
            "each is found in a bounded number of attempts"
        );
    }

    #[test]
    fn a_shorter_value_that_is_a_failure_is_one_in_its_header_too() {
        let mut outbox = Outbox::default();
        let mut long = message(&"x".repeat(9_000));
        let id = Header::new("kafka_correlationId", "id");
        long.headers = vec![id.clone(), Header::new("failed", [b'x'; 9_000])];
        long.key = Some(vec![0; 9_000]);
        outbox.push_reply(long, Some(PLACE), Some("failed"));
        let kind = ReplyKind { undelivered: Some(PLACE), failure: Some("failed") };
        assert_eq!(outbox.leave_out(0, shorter), Some(LeftOut::Part(Kind::Reply(kind))));
        let message = &outbox.next()[0];
        assert_eq!(message.headers, [id, Header::new("failed", "short")]);
        assert_eq!((&message.key, message.value.as_deref()), (&None, Some(&b"short"[..])));
        assert_eq!(outbox.leave_out(0, shorter), Some(LeftOut::Value));
        assert_eq!(outbox.next()[0].value, None, "better than no reply");
        assert_eq!(outbox.leave_out(0, shorter), Some(LeftOut::All(Kind::Reply(kind))));
        assert!(outbox.is_empty());
    }

    #[test]
    fn a_dead_letter_loses_its_value_and_then_is_lost() {
        let mut outbox = Outbox::default();
        let mut letter = message("letter");
        letter.headers = vec![Header::new("small", [0; 500]); 2_000];
        outbox.push_letter(letter, PLACE);
        assert_eq!(outbox.leave_out(0, shorter), Some(LeftOut::Part(Kind::Letter(PLACE))));
        assert_eq!(outbox.leave_out(0, shorter), Some(LeftOut::All(Kind::Letter(PLACE))));
        assert_eq!(outbox.leave_out(0, shorter), None);
    }

    #[test]
    fn what_is_taken_out_is_known_by_its_request() {
        let mut outbox = outbox(&["a", "b", "a", "c"]);
        outbox.push_letter(message("a"), PLACE);
        let reply = Kind::Reply(ReplyKind { undelivered: None, failure: None });
        assert_eq!(outbox.take_out("to-a"), [reply, reply, Kind::Letter(PLACE)]);
        assert_eq!(outbox.next().len(), 2);
        assert_eq!(outbox.sent(), 0);
        outbox.push_letter(message("a"), PLACE);
        assert_eq!((outbox.sent(), outbox.is_empty()), (1, true));
    }
}
