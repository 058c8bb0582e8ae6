//! The messages that answer a batch. Messages that brokers refuse are made smaller or taken out.

use super::Failure;
use crate::record::Message;

/// Messages to be sent, with the source of each.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    pub(super) messages: Vec<Message>,
    // INVARIANT: there are as many sources as messages.
    sources: Vec<Source>,
}

/// The source of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Source {
    /// The offset of the request.
    pub(super) offset: i64,
    /// Whether the message is the request's dead letter. Otherwise it is the reply.
    pub(super) is_letter: bool,
}

/// What is sent in the place of messages if one of them is too large.
#[derive(Debug)]
pub(super) enum Smaller {
    /// Both halves, one after the other. The message that is too large is in one of them.
    Halves(Outgoing, Outgoing),
    /// The message without its value.
    Shortened(Outgoing),
    /// Nothing: the message from this source cannot be made smaller.
    Nothing(Source),
}

impl Outgoing {
    /// Adds the reply to the request at this offset.
    pub(super) fn push_reply(&mut self, offset: i64, message: Message) {
        self.push(Source { offset, is_letter: false }, message);
    }

    /// Adds the dead letter of the request at this offset.
    pub(super) fn push_letter(&mut self, offset: i64, message: Message) {
        self.push(Source { offset, is_letter: true }, message);
    }

    fn push(&mut self, source: Source, message: Message) {
        self.messages.push(message);
        self.sources.push(source);
    }

    /// How many of the messages are dead letters.
    pub(super) fn letters(&self) -> usize {
        self.sources.iter().filter(|source| source.is_letter).count()
    }

    /// What is sent instead, once a topic has found one of these too large.
    pub(super) fn smaller(mut self) -> Smaller {
        if 1 < self.messages.len() {
            let middle = self.messages.len() / 2;
            let messages = self.messages.split_off(middle);
            let sources = self.sources.split_off(middle);
            return Smaller::Halves(self, Self { messages, sources });
        }
        match self.cut(0) {
            None => Smaller::Shortened(self),
            Some(source) => Smaller::Nothing(source),
        }
    }

    /// Makes a message smaller. If that is impossible, takes the message out and returns its
    /// source.
    pub(super) fn cut(&mut self, index: usize) -> Option<Source> {
        let message = self.messages.get_mut(index)?;
        let before = message.size();
        shorten(message, self.sources.get(index)?.is_letter);
        if message.size() < before {
            return None;
        }
        self.messages.remove(index);
        Some(self.sources.remove(index))
    }

    /// Takes messages out, and returns their sources.
    pub(super) fn take(&mut self, is_taken: impl Fn(&Message) -> bool) -> Vec<Source> {
        let all = std::mem::take(&mut self.messages).into_iter().zip(self.sources.drain(..));
        let (taken, left): (Vec<_>, Vec<_>) = all.partition(|(message, _)| is_taken(message));
        (self.messages, self.sources) = left.into_iter().unzip();
        taken.into_iter().map(|(_, source)| source).collect()
    }
}

/// Turns a reply that is too large into a failure, so that its requester does not wait in vain. A
/// dead letter loses its value, and still says where the original stands.
fn shorten(message: &mut Message, is_letter: bool) {
    let failure = Failure::rejected("too_large", "the reply is larger than the brokers take");
    message.value = (!is_letter).then(|| failure.to_json().into_bytes());
    message.headers.retain(|header| header.value.as_ref().is_none_or(|value| value.len() < 1_024));
    message.key.take_if(|key| 1_024 < key.len());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Header;

    fn outgoing(values: &[&str]) -> Outgoing {
        let mut outgoing = Outgoing::default();
        for (origin, value) in (0..).zip(values) {
            let (topic, value) = (format!("to-{value}"), Some(value.as_bytes().to_vec()));
            let (partition, key, headers) = (None, None, Vec::new());
            let message = Message { topic: topic.into(), partition, key, value, headers };
            outgoing.push_reply(origin, message);
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
                Smaller::Nothing(_) => {}
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
    fn a_dead_letter_loses_its_value_and_a_reply_says_that_it_is_too_large() {
        let mut outgoing = outgoing(&["reply"]);
        outgoing.push_letter(0, outgoing.messages[0].clone());
        let longer = vec![b'x'; 200];
        outgoing.messages.iter_mut().for_each(|one| one.value = Some(longer.clone()));
        assert_eq!((outgoing.cut(0), outgoing.cut(1)), (None, None));
        let values: Vec<_> = outgoing.messages.iter().map(|one| one.value.as_deref()).collect();
        assert!(values[0].is_some_and(|value| value.starts_with(b"{\"status\":\"rejected\"")));
        assert_eq!(values[1], None);
    }

    #[test]
    fn a_megabyte_of_small_headers_is_given_up_and_named() {
        let mut outgoing = outgoing(&["reply"]);
        outgoing.push_letter(7, outgoing.messages[0].clone());
        outgoing.messages[1].headers = vec![Header::new("small", [0; 500]); 2_000];
        assert_eq!(outgoing.cut(1), None, "the value is left out first");
        assert_eq!(outgoing.cut(1), Some(Source { offset: 7, is_letter: true }));
        assert_eq!((outgoing.messages.len(), outgoing.letters()), (1, 0));
    }

    #[test]
    fn what_is_taken_out_is_known_by_its_request() {
        let mut outgoing = outgoing(&["a", "b", "a", "c"]);
        outgoing.push_letter(3, outgoing.messages[0].clone());
        let source = |offset, is_letter| Source { offset, is_letter };
        assert_eq!(outgoing.letters(), 1);
        let taken = outgoing.take(|message| *message.topic == *"to-a");
        assert_eq!(taken, [source(0, false), source(2, false), source(3, true)]);
        assert_eq!((outgoing.messages.len(), outgoing.letters()), (2, 0));
        assert_eq!(outgoing.take(|message| *message.topic == *"to-c"), [source(3, false)]);
        assert_eq!(outgoing.take(|_| true), [source(1, false)]);
        assert!(outgoing.messages.is_empty());
    }
}
