use super::Header;
use crate::record::Timestamp;

mod name {
    pub(super) const TOPIC: &str = "kafka_dlt-original-topic";
    pub(super) const PARTITION: &str = "kafka_dlt-original-partition";
    pub(super) const OFFSET: &str = "kafka_dlt-original-offset";
    pub(super) const TIMESTAMP: &str = "kafka_dlt-original-timestamp";
    pub(super) const TIMESTAMP_TYPE: &str = "kafka_dlt-original-timestamp-type";
    pub(super) const GROUP: &str = "kafka_dlt-original-consumer-group";
    pub(super) const CODE: &str = "kafka_dlt-exception-fqcn";
    pub(super) const MESSAGE: &str = "kafka_dlt-exception-message";
}

/// Where a dead-lettered record came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin<'a> {
    /// Its topic.
    pub topic: &'a str,
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// When it was written.
    pub timestamp: Timestamp,
    /// The consumer group that gave it up.
    pub group: &'a str,
}

/// Headers of a dead letter in Spring's names and encodings, so that its tools read them.
#[derive(Clone, Copy, Debug)]
pub struct DeadLetter<'a> {
    origin: Origin<'a>,
    partition: [u8; 4],
    offset: [u8; 8],
    timestamp: [u8; 8],
    timestamp_type: &'static str,
    code: &'a str,
    message: &'a str,
}

impl<'a> DeadLetter<'a> {
    /// A record given up for a reason: a code for machines, a message for people.
    #[must_use]
    pub const fn new(origin: Origin<'a>, code: &'a str, message: &'a str) -> Self {
        // The names of Java's enum, which is what Spring writes.
        let (timestamp, timestamp_type) = match origin.timestamp {
            Timestamp::Missing => (-1, "NoTimestampType"),
            Timestamp::Created(at) => (at, "CreateTime"),
            Timestamp::Appended(at) => (at, "LogAppendTime"),
        };
        Self {
            origin,
            partition: origin.partition.to_be_bytes(),
            offset: origin.offset.to_be_bytes(),
            timestamp: timestamp.to_be_bytes(),
            timestamp_type,
            code,
            message,
        }
    }

    /// The topic where dead letters of `topic` go, each to its original partition.
    #[must_use]
    pub fn topic(topic: &str) -> String {
        format!("{topic}-dlt")
    }

    /// The original's headers, all of them, and then the reason.
    ///
    /// A record that was a dead letter before loses what was said of it then, for no name is
    /// written twice.
    pub fn headers<'h>(
        &'h self,
        original: impl IntoIterator<Item = Header<'h>>,
    ) -> impl Iterator<Item = Header<'h>> {
        let reason = self.reason();
        let is_reason = move |name: &str| reason.iter().any(|(own, _)| *own == name);
        original.into_iter().filter(move |(name, _)| !is_reason(name)).chain(reason)
    }

    fn reason(&self) -> [Header<'_>; 8] {
        let Origin { topic, group, .. } = self.origin;
        [
            (name::TOPIC, Some(topic.as_bytes())),
            (name::PARTITION, Some(&self.partition)),
            (name::OFFSET, Some(&self.offset)),
            (name::TIMESTAMP, Some(&self.timestamp)),
            (name::TIMESTAMP_TYPE, Some(self.timestamp_type.as_bytes())),
            (name::GROUP, Some(group.as_bytes())),
            (name::CODE, Some(self.code.as_bytes())),
            (name::MESSAGE, Some(self.message.as_bytes())),
        ]
    }
}
