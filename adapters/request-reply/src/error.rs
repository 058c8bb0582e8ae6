//! Why something did not work, by what the caller can do about it.

use std::time::Duration;

use thiserror::Error;

/// A client that could not be made from its settings.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SettingsError {
    /// The client does not know the property, or not this value.
    #[error("`{key}` = `{value}` was refused: {reason}")]
    Refused {
        /// The property.
        key: String,
        /// Its value; of a secret only that there is one.
        value: String,
        /// What the client says.
        reason: String,
    },
    /// The bootstrap servers are not a list of brokers. The message does not show them, because
    /// they may hold a password.
    #[error(
        "`bootstrap.servers` is not a list of brokers such as `kafka-1:9092,kafka-2:9092`; user \
         and password belong in the properties `sasl.username` and `sasl.password`"
    )]
    Brokers,
    /// The property is not the user's to set.
    #[error("`{key}` must not be set: {reason}")]
    Reserved {
        /// The property.
        key: String,
        /// What depends on it.
        reason: &'static str,
    },
    /// The client library or the operating system gives no client.
    #[error("a client could not be made: {what}")]
    Client {
        /// What they say.
        what: String,
    },
    /// The settings contradict each other.
    #[error("{what}")]
    Contradiction {
        /// Which, and what would do.
        what: String,
    },
}

/// Why records could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReadError {
    /// Try again later.
    #[error("`{topic}` cannot be read now: {cause}")]
    Unavailable {
        /// The topic.
        topic: String,
        /// What the client says.
        cause: String,
    },
    /// A human must grant this client a right. Until then, trying again fails.
    #[error("`{topic}` cannot be read: {cause}")]
    Refused {
        /// The topic.
        topic: String,
        /// Which right is missing.
        cause: String,
    },
    /// A human must look: records that were not read yet are gone.
    #[error("the partition starts at {first}, and {from} was to be read: records were lost")]
    Truncated {
        /// What was to be read.
        from: i64,
        /// The first that is there.
        first: i64,
    },
    /// A human must look: the topic was made again, or the position is another topic's.
    #[error("the partition ends at {end}, and {from} was to be read: the topic was made again")]
    Beyond {
        /// What was to be read.
        from: i64,
        /// One past the last that is there.
        end: i64,
    },
    /// The partition is not (or no longer) this member's: stop its lane.
    #[error("partition {partition} belongs to another member")]
    NotAssigned {
        /// The partition.
        partition: i32,
    },
    /// The reader was closed.
    #[error("the reader is closed")]
    Closed,
    /// The client is of no use any more: end the process, and start it again.
    #[error("the client has failed for good: {cause}")]
    Fatal {
        /// What the client says.
        cause: String,
    },
}

/// Why messages may not have been sent.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SendError {
    /// Send the same again: whether any of it arrived is not known.
    #[error("messages may not have been sent: {cause}")]
    Undelivered {
        /// What the client says of the first that failed.
        cause: String,
    },
    /// Leave out what goes to this topic, or what is too large for it: the brokers will not
    /// take it. Whether others arrived is not known.
    #[error("`{topic}` does not take messages: {cause}")]
    Refused {
        /// The topic of the first that was refused.
        topic: String,
        /// What is wrong.
        refusal: Refusal,
        /// What the brokers say.
        cause: String,
    },
    /// Leave out this message: nothing of this call was sent.
    #[error("message {index} has {bytes} bytes, and {limit} is the most")]
    TooLarge {
        /// Its place among the messages of the call.
        index: usize,
        /// Its size.
        bytes: usize,
        /// The most that is taken.
        limit: usize,
    },
    /// The sender was closed: whether any of it arrived is not known.
    #[error("the sender is closed")]
    Closed,
    /// The client is of no use any more: end the process, and start it again.
    #[error("the client has failed for good: {cause}")]
    Fatal {
        /// What the client says.
        cause: String,
    },
}

/// Why brokers refuse a message, now and later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such topic, or no such partition of it.
    NoTopic,
    /// This client may not write to the topic.
    NotAllowed,
    /// The topic takes smaller messages only; sent alone, it is known which one it is.
    TooLarge,
}

/// Why a topic could not be looked at or changed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TopicsError {
    /// Try again later.
    #[error("the brokers `{brokers}` did not answer: {cause}")]
    Unavailable {
        /// The bootstrap servers.
        brokers: String,
        /// What the client says.
        cause: String,
    },
    /// The brokers will not do it.
    #[error("`{topic}` was refused: {cause}")]
    Refused {
        /// The topic.
        topic: String,
        /// What the brokers say.
        cause: String,
    },
}

/// What was left when a client had to be given up. The process should end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the client was not closed within {within:?}")]
pub struct NotClosed {
    /// How long it was waited.
    pub within: Duration,
}
