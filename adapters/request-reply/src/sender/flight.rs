//! How messages are cut into flights, what a flight costs, and how it lands.

use rdkafka::ClientConfig;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use crate::error::{SendError, SettingsError};
use crate::record::Message;

/// The most messages of a flight.
const FLIGHT_MESSAGES: usize = 256;

/// The most bytes of a flight, unless it is a single message.
const FLIGHT_BYTES: usize = 256 * 1024;

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
pub(super) struct Cut<'a> {
    pub(super) messages: &'a [Message],
    pub(super) cost: u32,
}

/// Cuts messages into flights, in order; each costs no more than all the credit there is.
pub(super) fn flights<'a>(
    mut messages: &'a [Message],
    budget: &Budget,
) -> impl Iterator<Item = Cut<'a>> {
    std::iter::from_fn(move || {
        let mut cost = 0;
        let mut taken = 0;
        for message in messages.iter().take(FLIGHT_MESSAGES) {
            let with = cost + budget.cost(message);
            if 0 < taken && FLIGHT_BYTES.min(budget.credit) < with {
                break;
            }
            (cost, taken) = (with, taken + 1);
        }
        let (flight, rest) = messages.split_at_checked(taken)?;
        messages = rest;
        let cost = u32::try_from(cost.min(budget.credit)).unwrap_or(u32::MAX);
        (0 < taken).then_some(Cut { messages: flight, cost })
    })
}

/// Where the flights of one call report; the call waits until the last of them is gone.
pub(super) type Landing = mpsc::Sender<SendError>;

/// One failure is kept, the first.
pub(super) fn landing() -> (Landing, mpsc::Receiver<SendError>) {
    mpsc::channel(1)
}

/// Messages under way. It has landed when the last message lets go of it.
pub(super) struct Flight {
    _credit: OwnedSemaphorePermit,
    landing: Landing,
}

impl Flight {
    pub(super) fn new(credit: OwnedSemaphorePermit, landing: &Landing) -> Self {
        Self { _credit: credit, landing: landing.clone() }
    }

    /// Says why a message failed, unless another did before or nobody waits any more.
    pub(super) fn fail(&self, failure: SendError) {
        let _ = self.landing.try_send(failure);
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
        fn prop_flights_are_all_messages_in_order_within_the_credit(
            sizes in prop::collection::vec(0_usize..400_000, 0..600),
            kilobytes in 1_usize..4096,
        ) {
            let budget = budget(&[("queue.buffering.max.kbytes", &kilobytes.to_string())]);
            let messages: Vec<_> = sizes.iter().map(|size| message(*size)).collect();
            let mut seen = Vec::new();
            for flight in flights(&messages, &budget) {
                prop_assert!(!flight.messages.is_empty());
                prop_assert!(flight.messages.len() <= FLIGHT_MESSAGES);
                prop_assert!(flight.cost as usize <= budget.credit);
                seen.extend(flight.messages.iter().map(Message::size));
            }
            prop_assert_eq!(seen, sizes);
        }
    }
}
