//! Single records from anywhere in a topic, by a client of their own, so that whoever reads
//! the partition is not disturbed. It is made when it is needed first.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::topic_partition_list::TopicPartitionList;

use super::incoming::incoming;
use crate::client_log;
use crate::record::OwnedRecord;

/// Fetches single records.
pub(super) struct SideClient {
    config: ClientConfig,
    consumer: Mutex<Option<BaseConsumer<Quiet>>>,
}

impl SideClient {
    pub(super) fn new(mut config: ClientConfig) -> Self {
        config.set("enable.partition.eof", "true");
        // One record is wanted; the broker sends a larger one nevertheless.
        config.set("queued.min.messages", "1").set("fetch.message.max.bytes", "65536");
        // The next record that is wanted waits until the request under way is answered.
        config.set("fetch.wait.max.ms", "10");
        config.remove("group.instance.id");
        Self { config, consumer: Mutex::new(None) }
    }

    /// The record at the start of the list's one partition, `None` where there is none at
    /// exactly that offset. Blocks.
    pub(super) fn fetch(
        &self,
        at: &TopicPartitionList,
        offset: i64,
        within: Duration,
    ) -> KafkaResult<Option<OwnedRecord>> {
        let mut consumer = self.consumer.lock().unwrap_or_else(PoisonError::into_inner);
        let consumer = match &mut *consumer {
            Some(consumer) => consumer,
            none => none.insert(self.config.create_with_context(Quiet)?),
        };
        consumer.assign(at)?;
        let found = first(consumer, offset, Instant::now() + within);
        consumer.unassign()?;
        found
    }

    /// Ends the client, if there is one. Blocks.
    pub(super) fn close(&self) {
        self.consumer.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

fn first(
    consumer: &BaseConsumer<Quiet>,
    offset: i64,
    deadline: Instant,
) -> KafkaResult<Option<OwnedRecord>> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match consumer.poll(left) {
            Some(Ok(message)) => {
                let found = message.offset() == offset;
                return Ok(found.then(|| incoming(&message).to_owned()));
            }
            Some(Err(KafkaError::PartitionEOF(_))) => return Ok(None),
            Some(Err(error)) if is_gone(&error) => return Ok(None),
            // Connections mend.
            Some(Err(_)) | None if !left.is_zero() => {}
            Some(Err(error)) => return Err(error),
            None => return Err(KafkaError::NoMessageReceived),
        }
    }
}

fn is_gone(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange)
    )
}

/// A client that has nothing to report but log lines.
struct Quiet;

impl ClientContext for Quiet {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        client_log::line(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        client_log::is_fatal(&error, reason);
    }
}

impl ConsumerContext for Quiet {}
