//! Single records from anywhere in a topic, and where its partitions end: by a client of its own,
//! so that whoever reads a partition is not disturbed. It is made when it is needed first.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::client_log;
use crate::commit::{Commit, commit_of};
use crate::incoming::incoming;
use crate::record::OwnedRecord;

/// Which records there are for a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Isolation {
    /// Those that may be read: partitions end at the first transaction that is open.
    Committed,
    /// All of them.
    Uncommitted,
}

/// What stands at an offset, or is the first behind it.
#[derive(Debug)]
pub(crate) enum First {
    /// A record.
    Record(OwnedRecord),
    /// Nothing yet.
    End,
    /// What stood there is gone.
    Gone,
}

/// Fetches single records, and asks where partitions end.
pub(crate) struct PointReader {
    config: ClientConfig,
    consumer: Mutex<Option<Arc<BaseConsumer<Quiet>>>>,
    /// One record at a time.
    turn: Mutex<()>,
}

impl PointReader {
    pub(crate) fn new(mut config: ClientConfig, isolation: Isolation) -> Self {
        let isolation = match isolation {
            Isolation::Committed => "read_committed",
            Isolation::Uncommitted => "read_uncommitted",
        };
        config.set("isolation.level", isolation);
        // One record is wanted; the broker sends a larger one nevertheless.
        config.set("queued.min.messages", "1").set("fetch.message.max.bytes", "65536");
        // The next record that is wanted waits until the request under way is answered.
        config.set("fetch.wait.max.ms", "10");
        config.remove("group.instance.id");
        Self { config, consumer: Mutex::new(None), turn: Mutex::new(()) }
    }

    /// The record at exactly this offset, `None` where there is none. Blocks.
    pub(crate) fn fetch(
        &self,
        topic: &str,
        (partition, offset): (i32, i64),
        within: Duration,
    ) -> KafkaResult<Option<OwnedRecord>> {
        Ok(match self.first(topic, (partition, offset), within)? {
            First::Record(record) if record.offset == offset => Some(record),
            First::Record(_) | First::End | First::Gone => None,
        })
    }

    /// What stands at an offset or is the first behind it. Blocks.
    pub(crate) fn first(
        &self,
        topic: &str,
        (partition, offset): (i32, i64),
        within: Duration,
    ) -> KafkaResult<First> {
        let consumer = self.consumer()?;
        let mut at = TopicPartitionList::new();
        at.add_partition_offset(topic, partition, Offset::Offset(offset))?;
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        consumer.assign(&at)?;
        let found = first(&consumer, Instant::now() + within);
        consumer.unassign()?;
        found
    }

    /// One past the last record of a partition. Blocks.
    pub(crate) fn end(&self, topic: &str, partition: i32, within: Duration) -> KafkaResult<i64> {
        let (_, end) = self.consumer()?.fetch_watermarks(topic, partition, within)?;
        Ok(end)
    }

    /// One past the last record of each of these partitions, by one question to each broker;
    /// those without a leader are left out. Blocks.
    pub(crate) fn ends(
        &self,
        topic: &str,
        partitions: std::ops::Range<i32>,
        within: Duration,
    ) -> KafkaResult<Vec<(i32, i64)>> {
        let mut asked = TopicPartitionList::new();
        for partition in partitions {
            // In the place of a time, the end means just that.
            asked.add_partition_offset(topic, partition, Offset::End)?;
        }
        let answered = self.consumer()?.offsets_for_times(asked, within)?;
        let ends = answered.elements().into_iter().filter_map(|element| {
            match (element.error(), element.offset()) {
                (Ok(()), Offset::Offset(end)) => Some((element.partition(), end)),
                _ => None,
            }
        });
        Ok(ends.collect())
    }

    /// Asks the coordinator of the settings' group for the committed offset of the topic's first
    /// partition. Fails if the coordinator does not answer. Blocks.
    pub(crate) fn ask_coordinator(&self, topic: &str, within: Duration) -> KafkaResult<()> {
        self.committed(topic, 0..1, within).map(drop)
    }

    /// What the settings' group has committed for each of these partitions, where it has. Blocks.
    pub(crate) fn committed(
        &self,
        topic: &str,
        partitions: std::ops::Range<i32>,
        within: Duration,
    ) -> KafkaResult<Vec<(i32, Commit)>> {
        let mut asked = TopicPartitionList::new();
        for partition in partitions {
            asked.add_partition(topic, partition);
        }
        let answered = self.consumer()?.committed_offsets(asked, within)?;
        let mut committed = Vec::new();
        for element in answered.elements() {
            element.error()?;
            committed.extend(commit_of(&element).map(|commit| (element.partition(), commit)));
        }
        Ok(committed)
    }

    /// The client, for other questions.
    pub(crate) fn consumer(&self) -> KafkaResult<Arc<BaseConsumer<Quiet>>> {
        let mut consumer = self.consumer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(consumer) = &*consumer {
            return Ok(Arc::clone(consumer));
        }
        let made = Arc::new(self.config.create_with_context(Quiet)?);
        Ok(Arc::clone(consumer.insert(made)))
    }

    /// Ends the client, if there is one. Blocks.
    pub(crate) fn close(&self) {
        self.consumer.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

fn first(consumer: &BaseConsumer<Quiet>, deadline: Instant) -> KafkaResult<First> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match consumer.poll(left) {
            Some(Ok(message)) => return Ok(First::Record(incoming(&message).to_owned())),
            Some(Err(KafkaError::PartitionEOF(_))) => return Ok(First::End),
            Some(Err(error)) if is_out_of_range(&error) => return Ok(First::Gone),
            // Connections mend.
            Some(Err(_)) | None if !left.is_zero() => {}
            Some(Err(error)) => return Err(error),
            None => return Err(KafkaError::NoMessageReceived),
        }
    }
}

/// Whether a fetch failed because its position is not in the log.
pub(crate) fn is_out_of_range(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange)
    )
}

/// A client that has nothing to report but log lines.
pub(crate) struct Quiet;

impl ClientContext for Quiet {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        client_log::line(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        client_log::is_fatal(&error, reason);
    }
}

impl ConsumerContext for Quiet {}
