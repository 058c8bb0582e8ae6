//! The points at which a process stands still, so that the scheduler may do what it likes.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::task::{Context, Poll};
use std::time::Duration;

use catchment_domain::Epoch;
use catchment_domain::ports::{ChannelError, LogError, StoreError};

/// Where a process stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Point {
    /// Between two steps; sleeps so long.
    Turn(Duration),
    /// Before a call of a port.
    Before(&'static str),
    /// After a call of a port, before its answer is seen.
    After(&'static str),
}

/// How the call at which a process stands goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Verdict {
    #[default]
    Pass,
    Fail,
}

impl Verdict {
    /// Nothing was done.
    pub(crate) fn unavailable(self) -> Result<(), StoreError> {
        match self {
            Self::Pass => Ok(()),
            Self::Fail => Err(StoreError::Unavailable("the simulator says so".into())),
        }
    }

    /// It was done, and the answer is lost.
    pub(crate) fn lost(self) -> Result<(), StoreError> {
        match self {
            Self::Pass => Ok(()),
            Self::Fail => Err(StoreError::Fenced),
        }
    }

    pub(crate) fn unreadable(self) -> Result<(), LogError> {
        match self {
            Self::Pass => Ok(()),
            Self::Fail => Err(LogError::Unavailable("the simulator says so".into())),
        }
    }

    pub(crate) fn unknown(self) -> Result<(), ChannelError> {
        match self {
            Self::Pass => Ok(()),
            Self::Fail => Err(ChannelError::Unknown("the simulator says so".into())),
        }
    }
}

/// Between one process and the scheduler.
#[derive(Default)]
pub(crate) struct Gate {
    state: Mutex<State>,
    /// The process was frozen for a while.
    pub(crate) thawed: AtomicBool,
    /// The process is asked to stop in an orderly way.
    pub(crate) stop: AtomicBool,
    epoch: AtomicU64,
}

#[derive(Default)]
struct State {
    at: Option<Point>,
    verdict: Verdict,
}

impl Gate {
    /// Stands still until the scheduler says how to go on.
    pub(crate) fn pass(&self, point: Point) -> Stop<'_> {
        Stop { gate: self, point: Some(point) }
    }

    pub(crate) async fn before(&self, call: &'static str) -> Verdict {
        self.pass(Point::Before(call)).await
    }

    pub(crate) async fn after(&self, call: &'static str) -> Verdict {
        self.pass(Point::After(call)).await
    }

    pub(crate) async fn sleep(&self, duration: Duration) {
        self.pass(Point::Turn(duration)).await;
    }

    /// Where the process stands; `None` where it waits for something else.
    pub(crate) fn at(&self) -> Option<Point> {
        self.state().at
    }

    /// Says how the process goes on when it is polled next.
    pub(crate) fn decide(&self, verdict: Verdict) {
        let mut state = self.state();
        state.at = None;
        state.verdict = verdict;
    }

    /// The epoch that the process knows itself to have; 0 for none.
    pub(crate) fn epoch(&self) -> Epoch {
        Epoch(self.epoch.load(Ordering::Relaxed))
    }

    pub(crate) fn set_epoch(&self, epoch: Epoch) {
        self.epoch.store(epoch.0, Ordering::Relaxed);
    }

    pub(crate) fn is_thawed(&self) -> bool {
        self.thawed.load(Ordering::Relaxed)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

/// Pending once.
pub(crate) struct Stop<'a> {
    gate: &'a Gate,
    point: Option<Point>,
}

impl Future for Stop<'_> {
    type Output = Verdict;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Verdict> {
        match self.point.take() {
            Some(point) => {
                self.gate.state().at = Some(point);
                Poll::Pending
            }
            None => Poll::Ready(std::mem::take(&mut self.gate.state().verdict)),
        }
    }
}
