//! The messages that answer a batch, and what becomes of those that brokers refuse.

use super::Failure;
use crate::record::Message;

/// Messages on their way, and for each the offset of the request that it comes from.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    pub(super) messages: Vec<Message>,
    origins: Vec<i64>,
    is_short: bool,
}

/// What is sent in the place of messages of which one is too large.
#[derive(Debug)]
pub(super) enum Smaller {
    /// Both, one after the other: it is in one of them.
    Halves(Outgoing, Outgoing),
    /// This message without its value.
    Shortened(Outgoing),
    /// Nothing: without its value it was too large, too.
    Nothing,
}

impl Outgoing {
    /// Adds a message that comes from the request at this offset.
    pub(super) fn push(&mut self, origin: i64, message: Message) {
        self.messages.push(message);
        self.origins.push(origin);
    }

    /// What is sent instead, once a topic has found one of these too large.
    pub(super) fn smaller(mut self) -> Smaller {
        if 1 < self.messages.len() {
            let middle = self.messages.len() / 2;
            let messages = self.messages.split_off(middle);
            let origins = self.origins.split_off(middle);
            return Smaller::Halves(self, Self { messages, origins, is_short: false });
        }
        if self.is_short {
            return Smaller::Nothing;
        }
        self.is_short = true;
        self.messages.iter_mut().for_each(shorten);
        Smaller::Shortened(self)
    }

    /// Takes the value from one message.
    pub(super) fn shorten(&mut self, index: usize) {
        if let Some(message) = self.messages.get_mut(index) {
            shorten(message);
        }
    }

    /// Takes messages out, and says where they came from.
    pub(super) fn take(&mut self, is_taken: impl Fn(&Message) -> bool) -> Vec<i64> {
        let all = std::mem::take(&mut self.messages).into_iter().zip(self.origins.drain(..));
        let (taken, left): (Vec<_>, Vec<_>) = all.partition(|(message, _)| is_taken(message));
        (self.messages, self.origins) = left.into_iter().unzip();
        taken.into_iter().map(|(_, origin)| origin).collect()
    }
}

/// What no broker takes is sent as a failure, so that nobody waits for it.
fn shorten(message: &mut Message) {
    let failure = Failure::rejected("too_large", "the reply is larger than the brokers take");
    message.value = Some(failure.to_json().into_bytes());
    message.headers.retain(|header| header.value.as_ref().is_none_or(|value| value.len() < 1_024));
    message.key.take_if(|key| 1_024 < key.len());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outgoing(values: &[&str]) -> Outgoing {
        let mut outgoing = Outgoing::default();
        for (origin, value) in (0..).zip(values) {
            let (topic, value) = (format!("to-{value}"), Some(value.as_bytes().to_vec()));
            let (partition, key, headers) = (None, None, Vec::new());
            let message = Message { topic: topic.into(), partition, key, value, headers };
            outgoing.push(origin, message);
        }
        outgoing
    }

    /// Sends until everything was taken or given up; says what was taken, and how often it took.
    fn sent(outgoing: Outgoing, limit: usize) -> (Vec<usize>, u32) {
        let (mut waiting, mut taken, mut attempts) = (vec![outgoing], Vec::new(), 0);
        while let Some(piece) = waiting.pop() {
            attempts += 1;
            if piece.messages.iter().all(|message| message.size() <= limit) {
                taken.extend(piece.messages.iter().map(Message::size));
                continue;
            }
            match piece.smaller() {
                Smaller::Halves(first, second) => waiting.extend([second, first]),
                Smaller::Shortened(piece) => waiting.push(piece),
                Smaller::Nothing => {}
            }
        }
        (taken, attempts)
    }

    #[test]
    fn only_what_is_too_large_loses_its_value() {
        let large = "x".repeat(1_000);
        let values = ["a", "bb", &large, "dddd", "e"];
        let short = sent(outgoing(&[&large]), 500).0;
        assert_eq!(sent(outgoing(&values), 500).0, [1, 2, short[0], 4, 1], "all, in order");
        assert_eq!(sent(outgoing(&values), 10).0, [1, 2, 4, 1], "one that never fits is left out");
        assert_eq!(sent(outgoing(&values[..2]), 10), (vec![1, 2], 1));
    }

    #[test]
    fn what_is_taken_out_is_known_by_its_request() {
        let mut outgoing = outgoing(&["a", "b", "a", "c"]);
        assert_eq!(outgoing.take(|message| *message.topic == *"to-a"), [0, 2]);
        assert_eq!(outgoing.messages.len(), 2);
        assert_eq!(outgoing.take(|message| *message.topic == *"to-c"), [3]);
        assert_eq!(outgoing.take(|_| true), [1]);
        assert!(outgoing.messages.is_empty());
    }
}
