//! One consumer, the thread that polls it, and its end.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tokio::sync::watch;
use tracing::{debug, warn};

use super::Watermarks;
use super::group::{Context, assign_all};
use super::lane::Queue;
use super::signal::Signal;
use crate::assignment::{Assignment, Effect};
use crate::commit::{Commit, commit_of};
use crate::error::{NotClosed, ReadError, SettingsError};
use crate::rights;
use crate::sender::ask_partitions;

/// How long the thread waits for something to happen before it looks whether it should end.
const POLL: Duration = Duration::from_millis(100);

/// How long the thread waits, at the end, for others to let go of the client.
const LET_GO: Duration = Duration::from_secs(2);

pub(super) type KafkaConsumer = BaseConsumer<Context>;

/// One consumer and the thread that polls it.
pub(super) struct Client {
    /// Gone, once it is closed.
    consumer: Mutex<Option<Arc<KafkaConsumer>>>,
    pub(super) context: Arc<Context>,
    stop: Arc<AtomicBool>,
    ended: watch::Receiver<bool>,
    within: Duration,
}

impl Client {
    /// A consumer that is polled; a member of the group where there is one to tell of it.
    pub(super) fn new(
        config: &ClientConfig,
        context: Context,
        within: Duration,
    ) -> Result<Self, SettingsError> {
        let consumer: Arc<KafkaConsumer> = Arc::new(config.create_with_context(context)?);
        let context = Arc::clone(consumer.context());
        if context.events.is_some() {
            consumer.subscribe(&[&context.topic])?;
        }
        let stop = Arc::new(AtomicBool::new(false));
        let ended = poll_on_a_thread(Arc::clone(&consumer), Arc::clone(&stop))?;
        let consumer = Mutex::new(Some(consumer));
        Ok(Self { consumer, context, stop, ended, within })
    }

    /// The consumer, while there is one.
    pub(super) fn consumer(&self) -> Result<Arc<KafkaConsumer>, ReadError> {
        if let Some(cause) = self.context.fatal.get() {
            return Err(ReadError::Fatal { cause: cause.clone() });
        }
        let consumer = self.consumer.lock().unwrap_or_else(PoisonError::into_inner);
        consumer.clone().ok_or(ReadError::Closed)
    }

    /// Says why a partition cannot be read now, if so.
    pub(super) fn check(&self, partition: i32) -> Result<(), ReadError> {
        self.consumer()?;
        if self.context.events.is_some() && !self.context.assignment().may_read(partition) {
            return Err(ReadError::NotAssigned { partition });
        }
        Ok(())
    }

    /// Asks a broker where a partition begins and ends; `None` where the partition has no
    /// leader just now, as right after its topic was made. Blocks.
    pub(super) fn watermarks(&self, partition: i32) -> Result<Option<Watermarks>, ReadError> {
        let consumer = self.consumer()?;
        match consumer.fetch_watermarks(&self.context.topic, partition, self.within) {
            Ok((low, high)) => Ok(Some(Watermarks { low, high })),
            Err(error) if has_no_leader(&error) => Ok(None),
            Err(error) => Err(self.read_error(&error)),
        }
    }

    /// How many partitions the topic has, `None` where there is no such topic. Blocks.
    pub(super) fn partitions(&self) -> Result<Option<i32>, ReadError> {
        let consumer = self.consumer()?;
        ask_partitions(consumer.client(), &self.context.topic, self.within)
            .map_err(|error| self.read_error(&error))
    }

    /// What the group has committed for a partition. Blocks.
    pub(super) fn committed(&self, partition: i32) -> Result<Option<Commit>, ReadError> {
        let list = self.context.list(&[partition]);
        let asked = self.consumer()?.committed_offsets(list, self.within);
        let list = asked.map_err(|error| self.read_error(&error))?;
        match list.find_partition(&self.context.topic, partition) {
            None => Ok(None),
            Some(element) => {
                element.error().map_err(|error| self.read_error(&error))?;
                Ok(commit_of(&element))
            }
        }
    }

    /// A list of one partition at an offset.
    pub(super) fn at(&self, partition: i32, offset: i64) -> Result<TopicPartitionList, ReadError> {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&self.context.topic, partition, Offset::Offset(offset))
            .map_err(|error| self.read_error(&error))?;
        Ok(list)
    }

    /// Has the client fetch a partition from exactly this offset on, into a queue of its own.
    /// Blocks.
    ///
    /// `old` is the partition's queue so far. It goes first: its end silences its queue, which
    /// may be the very same one in the client.
    pub(super) fn start(
        &self,
        partition: i32,
        from: i64,
        old: Option<Queue>,
    ) -> Result<Queue, ReadError> {
        drop(old);
        let consumer = self.consumer()?;
        // Held until the client has the partition: a revocation must know whether it has.
        let mut assignment = self.context.assignment();
        if self.context.events.is_none() {
            assignment.assigned(&[partition]);
        }
        match assignment.started(partition) {
            Effect::Move if self.is_incremental() => {
                let moved = self.context.list(&[partition]);
                self.context.noted(consumer.incremental_unassign(&moved));
            }
            Effect::Add | Effect::Move => {}
            Effect::Refuse | Effect::Nothing | Effect::Remove => {
                return Err(ReadError::NotAssigned { partition });
            }
        }
        let added = self.add(&consumer, &assignment, partition, from);
        if added.is_err() {
            self.take_back(&consumer, &mut assignment, partition);
        }
        added
    }

    /// Gives the client a partition that was started.
    fn add(
        &self,
        consumer: &Arc<KafkaConsumer>,
        assignment: &Assignment,
        partition: i32,
        from: i64,
    ) -> Result<Queue, ReadError> {
        let signal = self.context.signals.of(partition);
        signal.next.store(from, Ordering::Release);
        let queue = self.split(consumer, partition, &signal)?;
        let done = if self.is_incremental() {
            consumer.incremental_assign(&self.at(partition, from)?)
        } else {
            let all = self.positions(&assignment.consuming())?;
            assign_all(consumer, &all)
        };
        done.map_err(|error| self.read_error(&error))?;
        signal.is_sought();
        Ok(queue)
    }

    /// What was not added must not be taken from the client later: it would refuse that, and
    /// with it everything that is taken at the same time. Should it have the partition after
    /// all, it gives it up here; it refuses that otherwise, which changes nothing.
    fn take_back(&self, consumer: &KafkaConsumer, assignment: &mut Assignment, partition: i32) {
        assignment.not_started(partition);
        if self.is_incremental()
            && let Err(error) = consumer.incremental_unassign(&self.context.list(&[partition]))
        {
            debug!(kafka.topic = self.context.topic, kafka.partition = partition, "{error}");
        }
    }

    /// The queue is split before the partition is assigned, so that no record reaches the main
    /// queue. In librdkafka 2.12.1 a queue that the application took for itself
    /// (`RD_KAFKA_Q_F_FWD_APP`) stays its own when the partition is assigned later
    /// (`rd_kafka_toppar_op_fetch_start`), with either protocol.
    ///
    /// The callback comes when an empty queue gets its first record, under the queue's lock;
    /// it must not take from the queue, and there is none while records are left in it.
    fn split(
        &self,
        consumer: &Arc<KafkaConsumer>,
        partition: i32,
        signal: &Arc<Signal>,
    ) -> Result<Queue, ReadError> {
        let mut queue = consumer
            .split_partition_queue(&self.context.topic, partition)
            .ok_or_else(|| self.read_error(&KafkaError::NoMessageReceived))?;
        let signal = Arc::clone(signal);
        queue.set_nonempty_callback(move || signal.news.notify_waiters());
        Ok(queue)
    }

    fn is_incremental(&self) -> bool {
        self.context.events.is_none() || self.context.cooperative
    }

    /// An eager assignment is made as a whole: the others go on where they are. A record that
    /// is taken in between comes again, and is known as a copy by its offset.
    fn positions(&self, partitions: &[i32]) -> Result<TopicPartitionList, ReadError> {
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for partition in partitions {
            let next = self.context.signals.of(*partition).next.load(Ordering::Acquire);
            list.add_partition_offset(&self.context.topic, *partition, Offset::Offset(next))
                .map_err(|error| self.read_error(&error))?;
        }
        Ok(list)
    }

    /// Why the topic could not be read.
    pub(super) fn read_error(&self, error: &KafkaError) -> ReadError {
        rights::read_error(&self.context.topic, error)
    }

    /// Whoever reads or waits is told from now on that there is nothing to read any more.
    pub(super) fn begin_close(&self) {
        self.context.closing.store(true, Ordering::Release);
        self.consumer.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.stop.store(true, Ordering::Release);
        self.context.drained.notify_all();
        self.context.signals.wake_all();
    }

    /// Waits until the thread has ended.
    pub(super) async fn await_end(&self, within: Duration) -> Result<(), NotClosed> {
        let mut ended = self.ended.clone();
        let waited = tokio::time::timeout(within, ended.wait_for(|ended| *ended)).await;
        // A thread that is gone without a word has ended, too.
        waited.map(drop).map_err(|_| NotClosed { within })
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
    }
}

pub(super) fn has_no_leader(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(RDKafkaErrorCode::NotLeaderForPartition | RDKafkaErrorCode::LeaderNotAvailable)
    )
}

/// Polls on a thread of the operating system: rebalances are answered there and wait for lanes
/// to drain, and the end of a client waits for the group's coordinator; a task must not wait
/// for either. Records do not come this way, so no lane waits for another.
fn poll_on_a_thread(
    consumer: Arc<KafkaConsumer>,
    stop: Arc<AtomicBool>,
) -> Result<watch::Receiver<bool>, SettingsError> {
    let (end, ended) = watch::channel(false);
    let run = move || {
        poll_until(&consumer, &stop);
        leave(consumer);
        end.send_replace(true);
    };
    match thread::Builder::new().name("kafka-reader".to_owned()).spawn(run) {
        Ok(_) => Ok(ended),
        Err(error) => Err(SettingsError::no_thread(&error)),
    }
}

fn poll_until(consumer: &KafkaConsumer, stop: &AtomicBool) {
    let context = consumer.context();
    while !stop.load(Ordering::Acquire) {
        match consumer.poll(POLL) {
            None => {}
            Some(Ok(message)) => {
                let partition = message.partition();
                warn!(
                    kafka.topic = context.topic,
                    kafka.partition = partition,
                    kafka.offset = message.offset(),
                    "a record came to nobody: it is sought again"
                );
                context.signals.invalidate(&[partition]);
            }
            Some(Err(error @ KafkaError::MessageConsumptionFatal(_))) => {
                context.fail(&error.to_string());
            }
            // What concerns a partition is told to whoever reads it.
            Some(Err(error)) => context.note_trouble(&error),
        }
    }
}

/// The last to let go of the client leaves the group and waits for its end; that is better
/// done here than in a task.
fn leave(consumer: Arc<KafkaConsumer>) {
    let deadline = Instant::now() + LET_GO;
    while 1 < Arc::strong_count(&consumer) && Instant::now() < deadline {
        consumer.poll(Duration::from_millis(10));
    }
    drop(consumer);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    /// A client adds what it is given without asking a broker.
    fn client() -> Client {
        let mut settings = Settings::new("127.0.0.1:9", "group");
        settings.properties.insert("log_level".to_owned(), "0".to_owned());
        let context = Context::new(&settings, "topic", None);
        Client::new(&settings.consumer_config().unwrap(), context, POLL).unwrap()
    }

    #[test]
    fn what_was_not_added_is_not_on_the_books_and_may_be_added_later() {
        let client = client();
        client.start(0, 3, None).unwrap();
        assert!(client.start(1, -7, None).is_err(), "no offset is negative");
        assert_eq!(client.context.assignment().consuming(), [0]);
        client.start(1, 7, None).unwrap();
        assert_eq!(client.context.assignment().consuming(), [0, 1]);
        assert!(client.start(1, -7, None).is_err(), "no offset is negative");
        client.start(1, 9, None).unwrap();
        assert_eq!(client.consumer().unwrap().assignment().unwrap().count(), 2);
        client.begin_close();
    }
}
