//! Asks, and matches what comes back.
//!
//! A requester has a partition of the reply topic for itself and reads it from a position that
//! is known before anything is sent, so no reply is missed and none is read by everybody.
//! Single calls wait in memory, each with a deadline ([`Requester::call`]).
//! Requests by the hundred thousand are sent in bulk ([`Requester::send`]), and whoever keeps
//! account of them reads the replies in batches, with their positions ([`ReplyBatches`]): a
//! process that stores its position with what the replies said resumes without missing one.

mod batches;
mod call_error;
mod calls;
mod failure;
mod lane;
mod message;
mod reply_topic;
mod settings;
mod stray;
mod window;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::AbortHandle;

pub use batches::ReplyBatches;
pub use call_error::CallError;
pub use message::{Reply, Request};
pub use reply_topic::ReplyTopicError;
pub use settings::{RequesterSettings, Start, StartError};

use crate::error::{NotClosed, SendError};
use crate::pending::Counters;
use crate::profile::{RequestHeaders, Trace};
use crate::reader::Reader;
use crate::record::Message;
use crate::sender::Sender;
use crate::settings::Settings;
use calls::Calls;
use lane::Lane;
use settings::Keep;

/// Asks, and matches what comes back. Clones share everything.
///
/// Ends with its last clone; [`close`](Self::close) it to wait for what is under way.
#[derive(Clone, Debug)]
pub struct Requester {
    settings: RequesterSettings,
    sender: Sender,
    lane: Lane,
    calls: Calls,
    watcher: Arc<Watcher>,
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
    /// When a setting is wrong, replies would not come to the requester's partition
    /// ([`ReplyTopicError`]), or no broker says where the replies begin.
    pub async fn start(
        clients: &Settings,
        settings: RequesterSettings,
    ) -> Result<Self, StartError> {
        Ok(Self::begin(clients, settings, Keep::Nothing).await?.0)
    }

    /// Starts a requester whose replies are read in batches, too, with clients of its own.
    ///
    /// # Errors
    ///
    /// Those of [`start`](Self::start).
    pub async fn start_with_batches(
        clients: &Settings,
        settings: RequesterSettings,
    ) -> Result<(Self, ReplyBatches), StartError> {
        Self::begin(clients, settings, Keep::All).await
    }

    async fn begin(
        clients: &Settings,
        settings: RequesterSettings,
        keep: Keep,
    ) -> Result<(Self, ReplyBatches), StartError> {
        let sender = Sender::new(clients)?;
        let reader = Reader::manual(clients, &settings.replies, Reply::parse)?;
        let RequesterSettings { style, partition, .. } = &settings;
        let place = (reader.topic(), *partition);
        reply_topic::check(style.partition, place, reader.partitions().await?)?;
        // Asked even where the position is known, so that a requester that started can read.
        let end = reader.watermarks(settings.partition).await?.high;
        let position = match settings.start {
            Start::End => end,
            Start::At(position) => position,
        };
        let calls = Calls::new(settings.pending, keep);
        let lane = Lane::new(reader, settings.partition, position, settings.unread);
        let task = tokio::spawn(lane.clone().watch(calls.clone(), keep));
        let watcher = Arc::new(Watcher(task.abort_handle()));
        let batches = ReplyBatches { lane: lane.clone(), position, _watcher: Arc::clone(&watcher) };
        Ok((Self { settings, sender, lane, calls, watcher }, batches))
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
    /// Each reply that answers no call is logged at level `debug`, and one line a minute says how
    /// many there were since the last line: a warning, or information if all of them are foreign,
    /// which is normal where requesters share a partition.
    ///
    /// Where replies are read in batches, none counts as foreign: most of them answer requests
    /// that are no calls, and the reader of batches knows which.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.calls.counters()
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
        self.calls.end(&CallError::Closed);
        self.lane.close();
        self.watcher.0.abort();
        let (sent, read) =
            tokio::join!(self.sender.close(within), self.lane.reader().close(within));
        sent.and(read)
    }

    fn headers(&self, request: &Request) -> RequestHeaders<'_> {
        let RequesterSettings { style, replies, partition, .. } = &self.settings;
        RequestHeaders::new(*style, (replies, *partition), request.id, Trace::default())
    }

    fn message(&self, request: Request) -> Message {
        let own = self.headers(&request);
        request.into_message(&self.settings.requests, &own)
    }
}
