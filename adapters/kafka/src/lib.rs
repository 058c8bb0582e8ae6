//! The domain's messaging ports on Kafka.
//!
//! [`KafkaCluster`] is where to begin: it answered, and makes the ports. A lane is a partition,
//! a position is an offset, and the shop's id is the key of its requests and replies.
//!
//! - [`KafkaRequestChannel`] and [`KafkaRequestLog`]: requests, sent and read.
//! - [`KafkaReplyChannel`] and [`KafkaReplyLog`]: replies, sent and read. The channel answers
//!   any kind of peer in its own headers, and dead-letters what cannot be dealt with.
//! - [`Caller`]: one request, and what becomes of it.
//! - [`KafkaLookout`]: the logs from outside, for those who neither send nor read.
//!
//! The domain sets the order: it stores an outcome, waits until the reply is acknowledged, and only
//! then commits the offset. What travels is known to `wire` alone.

mod caller;
#[cfg(test)]
mod captured;
mod cluster;
mod counts;
#[cfg(test)]
mod document;
mod error;
mod identity;
mod reply_channel;
mod reply_log;
mod request_channel;
mod request_log;
mod settings;
mod wire;

pub use caller::Caller;
pub use catchment_request_reply::{
    Created, GroupEvent, GroupEvents, Membership, NotClosed, ReadError, Reader, Sender,
    Settings as ClientSettings, SettingsError, TopicsError, Trouble, is_secret,
};
pub use cluster::{KafkaCluster, KafkaLookout};
pub use counts::KafkaCounts;
pub use reply_channel::KafkaReplyChannel;
pub use reply_log::KafkaReplyLog;
pub use request_channel::KafkaRequestChannel;
pub use request_log::{Entry, KafkaRequestLog};
pub use settings::KafkaSettings;
