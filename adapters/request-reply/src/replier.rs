//! Answers requests: batches go to a [`Handler`], and every request gets a reply.
//!
//! A replier is a member of a group. Each partition that it is assigned has a lane, a task of
//! its own, which reads a batch, lets the handler work on it, sends the replies, and moves on.
//!
//! The order is fixed: handle, replies acknowledged, and only then the group's offset is
//! committed. So a request may be handled twice, after a crash or when a lane did not finish in
//! time, and none is left unanswered. Positions are the group's committed offsets; where there
//! is none yet, a lane begins at the first record that is there.
//!
//! Whatever goes wrong with a request is an answer, too: a handler that fails or panics, and a
//! message that cannot be read. What cannot be answered, or must not be where it asks, goes to
//! the dead-letter topic.

mod answer;
mod counters;
mod handling;
mod lane;
mod lanes;

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use thiserror::Error;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::warn;

use crate::error::{NotClosed, ReadError, SettingsError};
use crate::profile;
use crate::reader::Reader;
use crate::record::Incoming;
use crate::reply::{AllowedTopics, DeadLetterCache, DeadLetters, LogThrottle, ReplyPath, Senders};
use crate::sender::Sender;
use crate::settings::Settings;
use answer::Arrived;
use counters::Counts;
pub use counters::ReplierCounters;
use lane::Lane;
use lanes::Lanes;

/// What a replier goes by.
#[derive(Clone, Debug)]
pub struct ReplierSettings {
    /// The topic of the requests.
    pub requests: String,
    /// Where replies may go.
    pub allowed: AllowedTopics,
    /// The most requests that a handler gets at once.
    pub batch: usize,
    /// The Java class of failures, and of replies that name none, for Spring's `JsonDeserializer`
    /// without a default type: it reads a value without a class again and again.
    pub type_id: Option<Cow<'static, str>>,
}

impl ReplierSettings {
    /// The usual settings: replies may go to `<requests>.reply` and `<requests>-replies`, and a
    /// handler gets up to 500 requests at once.
    #[must_use]
    pub fn new(requests: impl Into<String>) -> Self {
        let requests = requests.into();
        let allowed = AllowedTopics::new(AllowedTopics::of_peers(&requests));
        Self { allowed, requests, batch: 500, type_id: None }
    }
}

/// Why a request failed, in words that its sender can act on.
pub type Failure = profile::Failure<'static>;

/// The value of a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The value.
    pub value: Vec<u8>,
    /// The Java class as which Spring's `JsonDeserializer` reads it, where that is not the one of
    /// [`ReplierSettings::type_id`].
    pub type_id: Option<Cow<'static, str>>,
}

impl<V: Into<Vec<u8>>> From<V> for Reply {
    fn from(value: V) -> Self {
        Self { value: value.into(), type_id: None }
    }
}

/// What came of a request.
type Outcome = Result<Reply, Failure>;

/// What a replier does with requests. The same request may come again.
#[async_trait]
pub trait Handler: Send + Sync + 'static {
    /// What a request says.
    type Request: Clone + Send + Sync + 'static;

    /// Reads a request.
    ///
    /// # Errors
    ///
    /// When it cannot be read: this is its answer.
    fn parse(&self, record: &Incoming<'_>) -> Result<Self::Request, Failure>;

    /// Works on requests of one partition, in their order, and says for each, in the same
    /// order, what came of it. After a panic it is called again with each request alone, so that
    /// one bad request fails alone.
    async fn handle(&self, requests: Vec<Self::Request>) -> Vec<Result<Reply, Failure>>;
}

/// Why a replier has stopped by itself.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReplierError {
    /// A human must look: requests were lost, the topic was made again, or the client failed.
    #[error("partition {partition} cannot be read on")]
    Read {
        /// The partition.
        partition: i32,
        /// Why.
        #[source]
        cause: ReadError,
    },
    /// The client is of no use any more: end the process, and start it again.
    #[error("the client has failed for good: {cause}")]
    Fatal {
        /// What the client says.
        cause: String,
    },
}

/// Answers requests until it is closed.
///
/// Dropping it stops its lanes after their batches; [`close`](Self::close) also leaves the group.
#[derive(Debug)]
pub struct Replier {
    close: Arc<dyn Closing>,
    sender: Sender,
    counts: Arc<Counts>,
    stopping: watch::Sender<bool>,
    /// Gone, once the replier has stopped by itself.
    lanes: Option<JoinHandle<Result<(), ReplierError>>>,
}

impl Replier {
    /// Joins the group of the clients' settings, and answers what it is assigned.
    ///
    /// # Errors
    ///
    /// When the client refuses a setting.
    pub fn start<H: Handler>(
        clients: &Settings,
        settings: ReplierSettings,
        handler: H,
    ) -> Result<Self, SettingsError> {
        let (handler, dead_letters) = (Arc::new(handler), Arc::<DeadLetterCache>::default());
        let parse = {
            let (handler, kept) = (Arc::clone(&handler), Arc::clone(&dead_letters));
            let allowed = settings.allowed.clone();
            move |record: &Incoming<'_>| {
                Arc::new(Arrived::read(record, parsed(&*handler, record), &allowed, &kept))
            }
        };
        let (reader, events) = Reader::group(clients, &settings.requests, parse)?;
        let sender = Sender::new(clients)?;
        let counts = Arc::new(Counts::default());
        let (stopping, stop) = watch::channel(false);
        let path = ReplyPath::new(
            Senders { own: None, to_peers: sender.clone() },
            settings.allowed.clone(),
            DeadLetters::new(reader.clone(), Arc::clone(&dead_letters), &clients.group_id),
            Arc::<Counts>::clone(&counts),
        );
        let lane = Lane {
            reader: reader.clone(),
            sender: sender.clone(),
            path,
            dead_letters,
            handler,
            counts: Arc::clone(&counts),
            settings,
            stop,
        };
        let lanes = Some(tokio::spawn(Lanes::new(lane).follow(events)));
        Ok(Self { close: Arc::new(reader), sender, counts, stopping, lanes })
    }

    /// What became of requests so far.
    #[must_use]
    pub fn counters(&self) -> ReplierCounters {
        self.counts.read()
    }

    /// Returns when the replier stops by itself, and why. It must then be closed.
    pub async fn failed(&mut self) -> ReplierError {
        let ended = match &mut self.lanes {
            Some(lanes) => lanes.await.map_err(|error| error.to_string()),
            None => Err("it has stopped before".to_owned()),
        };
        self.lanes = None;
        match ended {
            Ok(Err(error)) => error,
            Ok(Ok(())) => ReplierError::Fatal { cause: "the group has no more events".to_owned() },
            Err(cause) => ReplierError::Fatal { cause },
        }
    }

    /// Finishes the batches at hand, leaves the group and ends the clients.
    ///
    /// # Errors
    ///
    /// When a client did not end in time: then the process should.
    pub async fn close(mut self, within: Duration) -> Result<(), NotClosed> {
        let started = tokio::time::Instant::now();
        self.stopping.send_replace(true);
        if let Some(mut lanes) = self.lanes.take()
            && tokio::time::timeout(within, &mut lanes).await.is_err()
        {
            lanes.abort();
        }
        let left = within.saturating_sub(started.elapsed());
        let read = self.close.close(left).await;
        self.sender.close(within.saturating_sub(started.elapsed())).await.and(read)
    }
}

impl Drop for Replier {
    fn drop(&mut self) {
        self.stopping.send_replace(true);
    }
}

/// A request that makes its handler panic is one that cannot be read: the lane goes on.
fn parsed<H: Handler>(handler: &H, record: &Incoming<'_>) -> Result<H::Request, Failure> {
    static LINES: LogThrottle = LogThrottle::new();
    let parsed = catch_unwind(AssertUnwindSafe(|| handler.parse(record)));
    parsed.unwrap_or_else(|_| {
        if LINES.is_time() {
            let (partition, offset) = (record.partition, record.offset);
            warn!(
                kafka.topic = record.topic,
                kafka.partition = partition,
                kafka.offset = offset,
                "the handler panicked reading a request"
            );
        }
        Err(Failure::failed("handler_failed", "the handler panicked"))
    })
}

/// A reader, whatever it reads.
#[async_trait]
trait Closing: Send + Sync + std::fmt::Debug {
    async fn close(&self, within: Duration) -> Result<(), NotClosed>;
}

#[async_trait]
impl<M: Clone + Send + Sync + 'static> Closing for Reader<M> {
    async fn close(&self, within: Duration) -> Result<(), NotClosed> {
        Reader::close(self, within).await
    }
}
