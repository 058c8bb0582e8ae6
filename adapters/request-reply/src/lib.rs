//! Durable request-reply over Kafka, for anybody.

pub mod correlation;
pub mod pending;
pub mod profile;
pub mod requester;

mod assignment;
mod buffer;
mod client_log;
mod error;
mod reader;
mod record;
mod sender;
mod settings;
mod topics;

pub use error::{NotClosed, ReadError, SendError, SettingsError, TopicsError};
pub use reader::{GroupEvent, GroupEvents, Reader, Record, Watermarks};
pub use record::{Header, Incoming, Message, OwnedRecord, Timestamp};
pub use sender::Sender;
pub use settings::{Membership, Settings};
pub use topics::{Created, NewTopic, Topics};
