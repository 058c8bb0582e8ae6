//! One partition as it is read: its queue in the client, and the window of what was taken.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::error::KafkaError;
use tracing::{debug, info, warn};

use super::Parse;
use super::group::Context;
use super::idle_watchdog::IdleWatchdog;
use super::look::{Ends, Looks, Verdict};
use super::signal::Signal;
use super::trouble::{self, Present, Source, Trouble};
use crate::buffer::{Buffer, Capacity, Record};
use crate::incoming::incoming;
use crate::point_reader::is_out_of_range;

/// The most records of a lane that were taken from the client and not released.
const CAPACITY: Capacity = Capacity::of(10_000);

/// A partition's queue in the client.
pub(super) type Queue = PartitionQueue<Context>;

/// One partition as it is read.
pub(super) struct Lane<M> {
    topic: String,
    partition: i32,
    pub(super) signal: Arc<Signal>,
    /// One reader at a time; others wait.
    pub(super) turn: tokio::sync::Mutex<()>,
    state: Mutex<State<M>>,
}

struct State<M> {
    /// There once it was sought.
    queue: Option<Queue>,
    buffer: Buffer<M>,
    silence: IdleWatchdog,
    looks: Looks,
    trouble: Present,
}

/// What a look into the client's queue has brought.
pub(super) enum Pulled {
    /// Whatever there was.
    Records,
    /// The position is not in the log (any more): it must be sought.
    OutOfRange,
}

impl<M: Clone> Lane<M> {
    /// A lane that is not read yet, and may be silent for so long.
    pub(super) fn new(
        (topic, partition): (&str, i32),
        signal: Arc<Signal>,
        patience: Duration,
    ) -> Self {
        let state = State {
            queue: None,
            buffer: Buffer::new(0, CAPACITY),
            silence: IdleWatchdog::new(patience, Instant::now()),
            looks: Looks::default(),
            trouble: Present::default(),
        };
        let (turn, state) = (tokio::sync::Mutex::new(()), Mutex::new(state));
        Self { topic: topic.to_owned(), partition, signal, turn, state }
    }

    /// Whether reading from here goes on with what comes from the client.
    pub(super) fn covers(&self, from: i64) -> bool {
        let state = self.state();
        state.queue.is_some() && !self.signal.is_invalidated() && state.buffer.covers(from)
    }

    /// Gives the queue away, to be replaced.
    pub(super) fn stop(&self) -> Option<Queue> {
        self.state().queue.take()
    }

    /// Goes on at another position.
    pub(super) fn restart(&self, queue: Queue, from: i64) {
        let mut state = self.state();
        if state.buffer.next() != from {
            state.looks = Looks::default();
        }
        state.queue = Some(queue);
        state.buffer = Buffer::new(from, CAPACITY);
        state.silence.begins(Instant::now());
    }

    /// Takes records from the client until a reader at `from` has `want` of them, or there are
    /// no more for now. Never waits.
    ///
    /// What keeps it from reading is noted and does not end the reading: the client goes on
    /// trying, and is made to begin anew, so that it says what comes of it.
    pub(super) fn pull(&self, from: i64, want: usize, parse: &Parse<M>) -> Pulled {
        let mut state = self.state();
        let State { queue: Some(queue), buffer, silence, looks, trouble } = &mut *state else {
            return Pulled::OutOfRange;
        };
        while buffer.count_from(from) < want && 0 < buffer.room(from) {
            match queue.poll(Duration::ZERO) {
                None => break,
                Some(Ok(message)) => {
                    let record = incoming(&message);
                    let message = parse(&record);
                    buffer.push(from, Record { offset: record.offset, message }, record.size());
                    silence.ends(Instant::now());
                    *looks = Looks::default();
                    self.say_over(trouble.end());
                }
                Some(Err(KafkaError::PartitionEOF(_))) => {
                    looks.reach_end();
                    self.say_over(trouble.end());
                }
                Some(Err(error)) if is_out_of_range(&error) => return Pulled::OutOfRange,
                Some(Err(error)) if trouble::is_of_a_commit(&error) => {
                    debug!(kafka.topic = self.topic, kafka.partition = self.partition, "{error}");
                }
                Some(Err(error)) => {
                    let cause = trouble::cause(&error);
                    if trouble.begin(Source::Client, &cause, Instant::now()) {
                        self.say(&cause);
                        self.signal.invalidate();
                    }
                }
            }
        }
        self.signal.next.store(buffer.next(), Ordering::Release);
        Pulled::Records
    }

    /// Up to `max` records that were taken, from here on.
    pub(super) fn read(&self, from: i64, max: usize) -> Vec<Record<M>> {
        self.state().buffer.read(from, max)
    }

    /// Whether a record was taken, here or behind.
    pub(super) fn has(&self, from: i64) -> bool {
        0 < self.state().buffer.count_from(from)
    }

    pub(super) fn release(&self, next: i64) {
        self.state().buffer.release(next);
    }

    /// The next offset to be taken from the client.
    pub(super) fn next(&self) -> i64 {
        self.state().buffer.next()
    }

    /// How much longer the lane may be silent.
    pub(super) fn patience(&self) -> Duration {
        self.state().silence.left(Instant::now())
    }

    /// The lane is looked after now, and not again before it was silent once more.
    pub(super) fn is_looked_after(&self) {
        self.state().silence.begins(Instant::now());
    }

    /// What keeps the lane from being read, if so.
    pub(super) fn trouble(&self) -> Option<Trouble> {
        self.state().trouble.get().cloned()
    }

    /// Takes into account what a look at the silent lane has found: where its partition ends, or
    /// why that is not known.
    pub(super) fn note_look(&self, next: i64, found: Result<Ends, String>) {
        let mut state = self.state();
        let State { buffer, silence, looks, trouble, .. } = &mut *state;
        if buffer.next() != next {
            return;
        }
        if trouble.is_of_client() {
            // Of an error that lasts it says no more, so it is made to begin anew.
            self.signal.invalidate();
            return;
        }
        let now = Instant::now();
        let (cause, since) = match found.map(|ends| (looks.judge(next, ends, now), ends.stable)) {
            Ok((Verdict::Fine, _)) => return self.say_over(trouble.end_of_look()),
            Ok((Verdict::Seek, _)) => {
                self.signal.invalidate();
                return;
            }
            Ok((Verdict::Stuck, end)) => {
                silence.last_longer();
                self.signal.invalidate();
                (format!("records from {next} to {end} are there and do not come"), now)
            }
            Ok((Verdict::Open(since), end)) => {
                (format!("a transaction that is open holds back the records from {end} on"), since)
            }
            Err(cause) => (cause, now),
        };
        if trouble.begin(Source::Look, &cause, since) {
            self.say(&cause);
        }
    }

    fn say(&self, cause: &str) {
        let Self { topic, partition, .. } = self;
        warn!(
            kafka.topic = topic,
            kafka.partition = partition,
            cause,
            "the partition cannot be read"
        );
    }

    fn say_over(&self, is_over: bool) {
        if is_over {
            let Self { topic, partition, .. } = self;
            info!(kafka.topic = topic, kafka.partition = partition, "the partition is read again");
        }
    }

    fn state(&self) -> MutexGuard<'_, State<M>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
