//! How fast messages can go there and back at all: the yardstick for everything built on top.
//!
//! Two sides with clients of their own, as two processes would have: one sends messages and
//! counts what comes back, the other sends every message back as it is. There is no database,
//! nothing is parsed, and nobody waits for anything but the brokers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use thiserror::Error;
use tokio::task::JoinSet;

use crate::error::{NotClosed, ReadError, SendError, SettingsError, TopicsError};
use crate::reader::Reader;
use crate::record::{Incoming, Message};
use crate::sender::Sender;
use crate::settings::Settings;
use crate::topics::Topics;

/// The most messages that are read or sent at once.
const BATCH: usize = 2_000;

/// How many batches are sent at the same time.
const AT_ONCE: usize = 24;

/// How long the clients may take to end.
const CLOSE: Duration = Duration::from_secs(10);

/// The topics of a round trip. Both are there, and nobody else uses them meanwhile.
#[derive(Clone, Debug)]
pub struct Route {
    /// Where messages go.
    pub requests: String,
    /// Where they come back.
    pub replies: String,
}

/// What a round trip took.
#[derive(Clone, Copy, Debug)]
pub struct RoundTrip {
    /// How many messages went there and back.
    pub messages: usize,
    /// From the first that was sent to the last that came back.
    pub elapsed: Duration,
}

impl RoundTrip {
    /// Messages in a second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        let messages = u32::try_from(self.messages).unwrap_or(u32::MAX);
        f64::from(messages) / self.elapsed.as_secs_f64()
    }
}

/// Why a round trip failed.
#[derive(Debug, Error)]
pub enum RoundTripError {
    /// A client could not be made.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The topics could not be looked at.
    #[error(transparent)]
    Topics(#[from] TopicsError),
    /// A topic is not there.
    #[error("there is no topic `{0}`")]
    Missing(String),
    /// Messages were not sent.
    #[error(transparent)]
    Send(#[from] SendError),
    /// Messages were not read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A client did not end.
    #[error(transparent)]
    NotClosed(#[from] NotClosed),
    /// Fewer came back than were sent.
    #[error("the round trip stopped early")]
    Stopped,
}

/// Sends `count` messages of `size` bytes there and back.
///
/// # Errors
///
/// When a topic is missing, or brokers do not take or give the messages.
pub async fn raw_round_trip(
    settings: &Settings,
    route: &Route,
    count: usize,
    size: usize,
) -> Result<RoundTrip, RoundTripError> {
    let requests = Ends::find(settings, &route.requests).await?;
    let replies = Ends::find(settings, &route.replies).await?;
    let echo = Sender::new(settings)?;
    let mut echoing = JoinSet::new();
    for (partition, from) in requests.ends.clone() {
        let lane = Lane { reader: requests.reader.clone(), partition, from };
        echoing.spawn(lane.echo(echo.clone(), route.replies.as_str().into()));
    }
    let sender = Sender::new(settings)?;
    let started = Instant::now();
    let messages = tokio::select! {
        counted = both(&sender, &route.requests, &replies, count, size) => counted?,
        Some(stopped) = echoing.join_next() => {
            return Err(stopped.unwrap_or(Ok(())).err().unwrap_or(RoundTripError::Stopped));
        }
    };
    let elapsed = started.elapsed();
    echoing.shutdown().await;
    requests.reader.close(CLOSE).await?;
    replies.reader.close(CLOSE).await?;
    sender.close(CLOSE).await?;
    echo.close(CLOSE).await?;
    Ok(RoundTrip { messages, elapsed })
}

/// Sends all, and returns once all are back.
async fn both(
    sender: &Sender,
    topic: &str,
    replies: &Ends,
    count: usize,
    size: usize,
) -> Result<usize, RoundTripError> {
    let (tell, mut told) = tokio::sync::mpsc::channel(AT_ONCE);
    let mut counting = JoinSet::new();
    for (partition, from) in replies.ends.clone() {
        let lane = Lane { reader: replies.reader.clone(), partition, from };
        counting.spawn(lane.count(tell.clone()));
    }
    let sending = send_all(sender, topic, count, size);
    let counted = async {
        let mut back = 0;
        while back < count {
            tokio::select! {
                Some(more) = told.recv() => back += more,
                Some(stopped) = counting.join_next() => {
                    stopped.unwrap_or(Err(RoundTripError::Stopped))?;
                }
                else => return Err(RoundTripError::Stopped),
            }
        }
        Ok(back)
    };
    tokio::try_join!(sending, counted).map(|((), back)| back)
}

async fn send_all(
    sender: &Sender,
    topic: &str,
    count: usize,
    size: usize,
) -> Result<(), RoundTripError> {
    let topic: Arc<str> = topic.into();
    let mut sending = JoinSet::new();
    for first in (0..count).step_by(BATCH) {
        if AT_ONCE <= sending.len() {
            finished(&mut sending).await?;
        }
        let (sender, topic) = (sender.clone(), Arc::clone(&topic));
        let batch = first..count.min(first + BATCH);
        sending.spawn(async move {
            let messages: Vec<_> = batch.map(|n| message(&topic, n, size)).collect();
            sender.send(&messages).await
        });
    }
    while !sending.is_empty() {
        finished(&mut sending).await?;
    }
    Ok(())
}

async fn finished(sending: &mut JoinSet<Result<(), SendError>>) -> Result<(), RoundTripError> {
    match sending.join_next().await {
        Some(Ok(sent)) => Ok(sent?),
        Some(Err(_)) => Err(RoundTripError::Stopped),
        None => Ok(()),
    }
}

fn message(topic: &Arc<str>, n: usize, size: usize) -> Message {
    let key = Some(n.to_string().into_bytes());
    let value = Some(vec![b'x'; size]);
    Message { topic: Arc::clone(topic), partition: None, key, value, headers: Vec::new() }
}

/// Key and value, shared: a window of records is read without copying them.
type Bytes = (Option<Arc<[u8]>>, Option<Arc<[u8]>>);

fn bytes(record: &Incoming<'_>) -> Bytes {
    (record.key.map(Arc::from), record.value.map(Arc::from))
}

/// A topic, and where its partitions end.
struct Ends {
    reader: Reader<Bytes>,
    ends: Vec<(i32, i64)>,
}

impl Ends {
    async fn find(settings: &Settings, topic: &str) -> Result<Self, RoundTripError> {
        let partitions = Topics::new(settings)?.partitions(topic).await?;
        let partitions = partitions.ok_or_else(|| RoundTripError::Missing(topic.to_owned()))?;
        let reader = Reader::manual(settings, topic, bytes)?;
        let mut ends = Vec::new();
        for partition in 0..partitions {
            let end = reader.watermarks(partition).await?.high;
            // Has the client fetch before the clock starts.
            reader.read(partition, end, 1).await?;
            ends.push((partition, end));
        }
        Ok(Self { reader, ends })
    }
}

/// A partition, read from its end on.
struct Lane {
    reader: Reader<Bytes>,
    partition: i32,
    from: i64,
}

impl Lane {
    /// What comes next, once something does.
    async fn next(&mut self) -> Result<Vec<Bytes>, ReadError> {
        loop {
            let records = self.reader.read(self.partition, self.from, BATCH).await?;
            if let Some(last) = records.last() {
                self.from = last.offset + 1;
                self.reader.release(self.partition, self.from);
                return Ok(records.into_iter().map(|record| record.message).collect());
            }
            self.reader.wait(self.partition, self.from).await;
        }
    }

    /// Sends everything back as it is, for ever.
    async fn echo(mut self, sender: Sender, topic: Arc<str>) -> Result<(), RoundTripError> {
        loop {
            let records = self.next().await?.into_iter();
            let messages: Vec<_> = records
                .map(|(key, value)| Message {
                    topic: Arc::clone(&topic),
                    partition: None,
                    key: key.map(|key| key.to_vec()),
                    value: value.map(|value| value.to_vec()),
                    headers: Vec::new(),
                })
                .collect();
            sender.send(&messages).await?;
        }
    }

    /// Says how many came, for as long as somebody listens.
    async fn count(mut self, tell: tokio::sync::mpsc::Sender<usize>) -> Result<(), RoundTripError> {
        loop {
            let count = self.next().await?.len();
            if tell.send(count).await.is_err() {
                return Ok(());
            }
        }
    }
}
