//! The calls of the request channel that have not returned, at most one for each request lane:
//! a lane that takes no requests holds up no other.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::mem::take;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::lane::Lane;
use crate::ports::ChannelError;
use crate::revision::Revision;
use crate::service::Obstacle;
use crate::service::pacing::{Failures, Pause};
use crate::time::Timestamp;

/// A call of the request channel.
type Call = Pin<Box<dyn Future<Output = Result<(), ChannelError>> + Send>>;

/// A chunk of a campaign of which requests are sent.
pub(crate) type SentChunk = (Revision, u32);

/// The calls of the request channel for one reply lane.
#[derive(Default)]
pub(crate) struct SendCalls {
    running: BTreeMap<Lane, Running>,
    ended: Vec<Ended>,
    /// The lanes whose last call failed.
    failing: BTreeMap<Lane, Failing>,
}

struct Running {
    call: Call,
    chunks: Vec<SentChunk>,
}

/// A call that has returned.
pub(crate) struct Ended {
    pub(crate) lane: Lane,
    pub(crate) chunks: Vec<SentChunk>,
    pub(crate) result: Result<(), ChannelError>,
}

struct Failing {
    failures: Failures,
    pause: Pause,
    error: Arc<ChannelError>,
}

impl SendCalls {
    /// Begins a call for a lane that is free.
    pub(crate) fn begin(&mut self, lane: Lane, chunks: Vec<SentChunk>, call: Call) {
        self.running.insert(lane, Running { call, chunks });
    }

    /// Whether requests may be sent in a lane: its last call has returned, and where it failed,
    /// the pause is over.
    pub(crate) fn is_free(&self, lane: Lane, now: Timestamp) -> bool {
        let pause = self.failing.get(&lane).map(|failing| failing.pause);
        !self.running.contains_key(&lane) && Pause::is_over(pause, now)
    }

    /// Whether requests of a chunk are being sent.
    pub(crate) fn is_sending(&self, chunk: SentChunk) -> bool {
        self.running.values().any(|running| running.chunks.contains(&chunk))
    }

    /// Goes on with the calls while something else runs to its end.
    pub(crate) async fn beside<F: Future>(&mut self, other: F) -> F::Output {
        let mut other = pin!(other);
        poll_fn(|context| {
            self.poll(context);
            other.as_mut().poll(context)
        })
        .await
    }

    /// Goes on with the calls until one has returned, or something else has.
    pub(crate) async fn until_one_ends_or(&mut self, other: impl Future<Output = ()>) {
        let mut other = pin!(other);
        poll_fn(|context| {
            self.poll(context);
            if self.ended.is_empty() { other.as_mut().poll(context) } else { Poll::Ready(()) }
        })
        .await;
    }

    /// Takes the calls that have returned.
    pub(crate) fn take_ended(&mut self) -> Vec<Ended> {
        take(&mut self.ended)
    }

    /// A lane takes requests.
    pub(crate) fn succeeded(&mut self, lane: Lane) {
        self.failing.remove(&lane);
    }

    /// A lane takes no requests: it is tried again after a while.
    pub(crate) fn failed(&mut self, lane: Lane, error: ChannelError, now: Timestamp) {
        let before = self.failing.remove(&lane);
        let mut failures = before.map(|failing| failing.failures).unwrap_or_default();
        let pause = Pause::new(now, failures.pause());
        self.failing.insert(lane, Failing { failures, pause, error: Arc::new(error) });
    }

    /// What stands in the way of a lane that takes no requests, where there is one.
    pub(crate) fn obstacle(&self) -> Option<Obstacle> {
        let (lane, failing) = self.failing.first_key_value()?;
        Some(Obstacle::Unsent { lane: *lane, source: Arc::clone(&failing.error) })
    }

    /// Gives every call up.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    fn poll(&mut self, context: &mut Context<'_>) {
        let Self { running, ended, .. } = self;
        running.retain(|lane, Running { call, chunks }| match call.as_mut().poll(context) {
            Poll::Pending => true,
            Poll::Ready(result) => {
                ended.push(Ended { lane: *lane, chunks: take(chunks), result });
                false
            }
        });
    }
}
