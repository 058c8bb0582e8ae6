//! Asks, and matches what comes back.
//!
//! A requester has a partition of the reply topic for itself and reads it from a position that
//! is known before anything is sent, so no reply is missed and none is read by everybody.
//! Single calls wait in memory, each with a deadline ([`Requester::call`]).
//! Requests by the hundred thousand are sent in bulk ([`Requester::send`]), and whoever keeps
//! account of them reads the replies in batches, with their positions ([`ReplyBatches`]): a
//! process that stores its position with what the replies said resumes without missing one.

mod calls;
mod lane;
mod message;
mod window;

use std::sync::Arc;
use std::time::{Duration, Instant};

use thiserror::Error;
use tokio::task::AbortHandle;

pub use calls::CallError;
pub use message::{Reply, Request};

use crate::error::{NotClosed, ReadError, SendError, SettingsError};
use crate::pending::Counters;
use crate::profile::{RequestHeaders, RequestStyle, Trace};
use crate::reader::{Reader, Record};
use crate::record::{Header, Message};
use crate::sender::Sender;
use crate::settings::Settings;
use calls::Calls;
use lane::{Keep, Lane};

/// Where a requester sends and listens.
#[derive(Clone, Debug)]
pub struct RequesterSettings {
    /// The topic of the requests.
    pub requests: Arc<str>,
    /// The topic of the replies.
    pub replies: Arc<str>,
    /// The partition of the replies that is this requester's own.
    pub partition: i32,
    /// Where in that partition reading begins.
    pub start: Start,
    /// How the repliers want to be asked.
    pub style: RequestStyle,
    /// How many calls may wait at the same time.
    pub pending: usize,
    /// How many replies may wait for the reader of batches.
    pub unread: usize,
}

impl RequesterSettings {
    /// The usual settings, for repliers of any kind: 10,000 calls may wait, and 20,000 replies.
    ///
    /// Those repliers choose the partition of a reply by its key, so the reply topic is to have
    /// a single partition, or the repliers are ours and the style is [`RequestStyle::OWN`].
    #[must_use]
    pub fn new(requests: impl Into<Arc<str>>, replies: impl Into<Arc<str>>) -> Self {
        Self {
            requests: requests.into(),
            replies: replies.into(),
            partition: 0,
            start: Start::End,
            style: RequestStyle::default(),
            pending: 10_000,
            unread: 20_000,
        }
    }
}

/// Where reading begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Behind the newest reply, which is asked for before anything is sent.
    End,
    /// At a position that was stored.
    At(i64),
}

/// Why a requester did not start.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StartError {
    /// The settings are wrong.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The position of the replies cannot be known.
    #[error("where replies begin could not be asked")]
    Unreadable(#[from] ReadError),
}

/// Asks, and matches what comes back. Clones share everything.
///
/// Ends with its last clone; [`close`](Self::close) it to wait for what is under way.
#[derive(Clone, Debug)]
pub struct Requester {
    settings: RequesterSettings,
    sender: Sender,
    lane: Lane,
    calls: Calls,
    keep: Keep,
    watcher: Arc<Watcher>,
}

/// The replies of a requester in batches, for one reader that keeps account of positions.
///
/// Replies to calls are among them, and so is whatever else stands in the partition.
/// Replies that are not released stay in memory; when there is no more room, calls are answered
/// only once there is.
#[derive(Debug)]
pub struct ReplyBatches {
    lane: Lane,
    position: i64,
    // Keeps the task alive that looks at replies first.
    _watcher: Arc<Watcher>,
}

/// The task that looks at every reply as it arrives.
#[derive(Debug)]
struct Watcher(AbortHandle);

impl Drop for Watcher {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Requester {
    /// Starts a requester for single calls, with clients of its own.
    ///
    /// # Errors
    ///
    /// When a setting is wrong, or no broker says where the replies begin.
    pub async fn start(
        clients: &Settings,
        settings: RequesterSettings,
    ) -> Result<Self, StartError> {
        let (sender, reader) = Self::clients(&without_linger(clients), &settings)?;
        let (requester, _) = Self::on(sender, reader, settings, Keep::Nothing).await?;
        Ok(requester)
    }

    /// Starts a requester whose replies are read in batches, too, with clients of its own.
    ///
    /// # Errors
    ///
    /// When a setting is wrong, or no broker says where the replies begin.
    pub async fn start_with_batches(
        clients: &Settings,
        settings: RequesterSettings,
    ) -> Result<(Self, ReplyBatches), StartError> {
        let (sender, reader) = Self::clients(clients, &settings)?;
        Ok(Self::on_clients(sender, reader, settings).await?)
    }

    /// Starts a requester on clients that others use as well; the reader parses with
    /// [`Reply::parse`], and its partition is read by nobody else.
    ///
    /// # Errors
    ///
    /// When no broker says where the replies begin.
    pub async fn on_clients(
        sender: Sender,
        reader: Reader<Reply>,
        settings: RequesterSettings,
    ) -> Result<(Self, ReplyBatches), ReadError> {
        Self::on(sender, reader, settings, Keep::All).await
    }

    fn clients(
        clients: &Settings,
        settings: &RequesterSettings,
    ) -> Result<(Sender, Reader<Reply>), SettingsError> {
        let sender = Sender::new(clients)?;
        let reader = Reader::manual(clients, &settings.replies, Reply::parse)?;
        Ok((sender, reader))
    }

    async fn on(
        sender: Sender,
        reader: Reader<Reply>,
        settings: RequesterSettings,
        keep: Keep,
    ) -> Result<(Self, ReplyBatches), ReadError> {
        // Asked even where the position is known, so that a requester that started can read.
        let end = reader.watermarks(settings.partition).await?.high;
        let position = match settings.start {
            Start::End => end,
            Start::At(position) => position,
        };
        let calls = Calls::new(settings.pending);
        let lane = Lane::new(reader, settings.partition, position, settings.unread);
        let task = tokio::spawn(lane.clone().watch(calls.clone(), keep));
        let watcher = Arc::new(Watcher(task.abort_handle()));
        let batches = ReplyBatches { lane: lane.clone(), position, _watcher: Arc::clone(&watcher) };
        Ok((Self { settings, sender, lane, calls, keep, watcher }, batches))
    }

    /// Sends a request and waits for its reply until the deadline. Dropping the future ends the
    /// call.
    ///
    /// # Errors
    ///
    /// Each at once, and each by what the caller can do: when too many calls wait, the request
    /// could not be sent, the replier says that it failed or says nothing that can be
    /// understood, replies cannot be read, the requester was closed. When the deadline passes
    /// first, the request may still take effect.
    pub async fn call(&self, request: Request, deadline: Instant) -> Result<Reply, CallError> {
        let headers = self.headers(&request);
        let waiting = self.calls.wait(headers.correlation_id(), deadline)?;
        let messages = [self.message(request)];
        waiting.until(deadline, self.sender.send(&messages)).await
    }

    /// Sends requests whose replies are read in batches, and returns once the brokers have them.
    ///
    /// # Errors
    ///
    /// When any of them may not have been sent: send the same again, with the same ids.
    pub async fn send(&self, requests: Vec<Request>) -> Result<(), SendError> {
        let messages: Vec<_> = requests.into_iter().map(|request| self.message(request)).collect();
        self.sender.send(&messages).await
    }

    /// What became of calls and replies since the start.
    ///
    /// Where replies are read in batches, none counts as foreign: their reader knows better.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let counters = self.calls.counters();
        match self.keep {
            Keep::Nothing => counters,
            Keep::All => Counters { foreign: 0, ..counters },
        }
    }

    /// How many calls wait.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.calls.len()
    }

    /// Fails every call at once, takes no more, and gives what is being sent some time.
    ///
    /// # Errors
    ///
    /// When the clients did not end in time: then the process should.
    pub async fn close(&self, within: Duration) -> Result<(), NotClosed> {
        self.stop();
        let (sent, read) =
            tokio::join!(self.sender.close(within), self.lane.reader().close(within));
        sent.and(read)
    }

    /// Fails every call at once and takes no more, but leaves the clients to those who share
    /// them.
    pub fn stop(&self) {
        self.calls.end(&CallError::Closed);
        self.lane.close();
        self.watcher.0.abort();
    }

    fn headers(&self, request: &Request) -> RequestHeaders<'_> {
        let RequesterSettings { style, replies, partition, .. } = &self.settings;
        RequestHeaders::new(*style, (replies, *partition), request.id, Trace::default())
    }

    fn message(&self, request: Request) -> Message {
        let own = self.headers(&request);
        let own = own
            .iter()
            .map(|(name, value)| Header { name: name.into(), value: value.map(<[u8]>::to_vec) });
        let headers = own.chain(request.headers).collect();
        let Request { key, value, .. } = request;
        Message { topic: Arc::clone(&self.settings.requests), partition: None, key, value, headers }
    }
}

/// A single call has nobody to wait for: unless the user says so, it is sent at once.
fn without_linger(clients: &Settings) -> Settings {
    let mut clients = clients.clone();
    let is_set = ["linger.ms", "queue.buffering.max.ms"]
        .iter()
        .any(|name| clients.producer.contains_key(*name) || clients.properties.contains_key(*name));
    if !is_set {
        clients.producer.insert("linger.ms".to_owned(), "0".to_owned());
    }
    clients
}

impl ReplyBatches {
    /// Where reading begins.
    #[must_use]
    pub const fn position(&self) -> i64 {
        self.position
    }

    /// Up to `max` replies from `from` on; none when there are none yet, or when they must be
    /// fetched first because `from` was released or lies ahead. The same positions hold the same
    /// replies until they are released. Gaps between positions are normal.
    ///
    /// # Errors
    ///
    /// When replies cannot be read now, or are no more; never a silent skip.
    pub fn read(&self, from: i64, max: usize) -> Result<Vec<Record<Reply>>, ReadError> {
        self.lane.read(from, max)
    }

    /// Returns once [`read`](Self::read) from there may have something to say: a reply, or an
    /// error.
    pub async fn wait(&self, from: i64) {
        self.lane.wait(from).await;
    }

    /// Says that nobody needs the replies below `next` any more.
    pub fn release(&self, next: i64) {
        self.lane.release(next);
    }

    /// One past the newest reply; the broker is asked.
    ///
    /// # Errors
    ///
    /// When no broker answers.
    pub async fn end(&self) -> Result<i64, ReadError> {
        self.lane.end().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_call_is_sent_at_once_unless_the_user_says_otherwise() {
        let linger =
            |clients: &Settings| without_linger(clients).producer.get("linger.ms").cloned();
        let mut clients = Settings::new("localhost:9092", "test");
        assert_eq!(linger(&clients).as_deref(), Some("0"));
        clients.properties.insert("queue.buffering.max.ms".to_owned(), "9".to_owned());
        assert_eq!(linger(&clients), None);
        clients.producer.insert("linger.ms".to_owned(), "7".to_owned());
        assert_eq!(linger(&clients).as_deref(), Some("7"));
    }
}
