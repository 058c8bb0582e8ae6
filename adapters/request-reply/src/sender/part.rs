//! How messages are cut into parts, what a part costs, and how its delivery is reported.

use rdkafka::ClientConfig;
use tokio::sync::mpsc;

use super::credit::{Taken, reserve_of, share_of};
use super::fault::Doubt;
use crate::error::{SendError, SettingsError};
use crate::record::Message;

/// The most messages of a part.
const PART_MESSAGES: usize = 256;

/// What may be under way at once, in bytes; each message costs a little more than it carries,
/// so that the client's limit of messages is kept, too.
pub(super) struct Budget {
    pub(super) credit: usize,
    surcharge: usize,
    largest: usize,
}

impl Budget {
    /// Three quarters of what the client buffers with these properties.
    pub(super) fn of(config: &ClientConfig) -> Result<Self, SettingsError> {
        let native = config.create_native_config()?;
        let number = |key: &str| -> Result<usize, SettingsError> {
            Ok(native.get(key)?.parse().unwrap_or(usize::MAX))
        };
        let kilobytes = number("queue.buffering.max.kbytes")?;
        let messages = match number("queue.buffering.max.messages")? {
            0 => usize::MAX,
            messages => messages,
        };
        // A semaphore takes no more than 32 bits of permits at once.
        let credit = (kilobytes.saturating_mul(1024) / 4 * 3).clamp(1, u32::MAX as usize);
        let surcharge = credit / (messages / 4 * 3).max(1);
        Ok(Self { credit, surcharge, largest: number("message.max.bytes")? })
    }

    /// Says which message no broker will take, before any is sent.
    pub(super) fn check(&self, messages: &[Message]) -> Result<(), SendError> {
        let too_large = messages.iter().position(|message| self.largest < message.size());
        too_large.map_or(Ok(()), |index| {
            let bytes = messages.get(index).map_or(0, Message::size);
            Err(SendError::TooLarge { index, bytes, limit: self.largest })
        })
    }

    fn cost(&self, message: &Message) -> usize {
        message.size() + self.surcharge + 1
    }
}

/// Messages that are handed to the client together.
pub(super) struct Part<'a> {
    pub(super) messages: &'a [Message],
    pub(super) cost: u32,
}

/// Cuts messages into parts, in order. Each costs no more than a call's share of the credit,
/// unless it is a single message, and none more than the reserve.
pub(super) fn parts<'a>(
    mut messages: &'a [Message],
    budget: &Budget,
) -> impl Iterator<Item = Part<'a>> {
    let (share, reserve) = (share_of(budget.credit), reserve_of(budget.credit));
    std::iter::from_fn(move || {
        let mut cost = 0;
        let mut taken = 0;
        for message in messages.iter().take(PART_MESSAGES) {
            let with = cost + budget.cost(message);
            if 0 < taken && share < with {
                break;
            }
            (cost, taken) = (with, taken + 1);
        }
        let (part, rest) = messages.split_at_checked(taken)?;
        messages = rest;
        let cost = u32::try_from(cost.min(reserve)).unwrap_or(u32::MAX);
        (0 < taken).then_some(Part { messages: part, cost })
    })
}

/// Why a call failed.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: SendError,
    /// Whether the client works is doubtful, where this says why.
    pub(super) doubt: Option<Doubt>,
}

impl From<SendError> for Failure {
    fn from(error: SendError) -> Self {
        Self { error, doubt: None }
    }
}

/// Where the parts of one call report. The call is complete once the last of them is gone.
pub(super) type Completion = mpsc::Sender<Failure>;

/// One failure is kept, the first.
pub(super) fn completion() -> (Completion, mpsc::Receiver<Failure>) {
    mpsc::channel(1)
}

/// The delivery of a part. It has ended when the report of the last message drops it.
pub(super) struct Delivery {
    _credit: Taken,
    completion: Completion,
}

impl Delivery {
    pub(super) fn new(credit: Taken, completion: &Completion) -> Self {
        Self { _credit: credit, completion: completion.clone() }
    }

    /// Says why a message failed, unless another did before or nobody waits any more.
    pub(super) fn fail(&self, failure: Failure) {
        let _ = self.completion.try_send(failure);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::settings::Settings;

    fn message(bytes: usize) -> Message {
        let value = Some(vec![0; bytes]);
        Message { topic: "t".into(), partition: None, key: None, value, headers: Vec::new() }
    }

    fn budget(properties: &[(&str, &str)]) -> Budget {
        let mut settings = Settings::new("localhost:9092", "group");
        for (key, value) in properties {
            settings.producer.insert((*key).to_owned(), (*value).to_owned());
        }
        Budget::of(&settings.producer_config().unwrap()).unwrap()
    }

    #[test]
    fn a_message_that_no_broker_takes_is_named() {
        let budget = budget(&[("message.max.bytes", "1000")]);
        let error = budget.check(&[message(10), message(1001), message(2000)]).unwrap_err();
        assert_eq!(error, SendError::TooLarge { index: 1, bytes: 1001, limit: 1000 });
        assert_eq!(budget.check(&[message(1000)]), Ok(()));
    }

    #[test]
    fn small_messages_are_counted_and_large_ones_weighed() {
        let budget = budget(&[
            ("queue.buffering.max.messages", "1000"),
            ("queue.buffering.max.kbytes", "1024"),
        ]);
        let most = budget.credit / budget.cost(&message(0));
        assert!((700..=750).contains(&most), "{most} empty messages");
        let most = budget.credit / budget.cost(&message(100_000));
        assert!((6..=7).contains(&most), "{most} large messages");
    }

    proptest! {
        #[test]
        fn prop_parts_are_all_messages_in_order_within_the_credit(
            sizes in prop::collection::vec(0_usize..400_000, 0..600),
            kilobytes in 1_usize..4096,
        ) {
            let budget = budget(&[("queue.buffering.max.kbytes", &kilobytes.to_string())]);
            let messages: Vec<_> = sizes.iter().map(|size| message(*size)).collect();
            let mut seen = Vec::new();
            for part in parts(&messages, &budget) {
                prop_assert!(!part.messages.is_empty());
                prop_assert!(part.messages.len() <= PART_MESSAGES);
                prop_assert!(part.cost as usize <= reserve_of(budget.credit));
                let is_of_a_share = part.cost as usize <= share_of(budget.credit);
                prop_assert!(is_of_a_share || part.messages.len() == 1);
                seen.extend(part.messages.iter().map(Message::size));
            }
            prop_assert_eq!(seen, sizes);
        }
    }
}
