//! Services: the use cases that run on the ports.
//!
//! Both halves of request-reply are loops that somebody else turns: each `step` does one piece
//! of work and says how to go on. They need no runtime, so the simulator turns them as well.

mod lane_consumer;
mod lane_requester;
mod leased;
mod sending;

use std::time::Duration;

use thiserror::Error;

use crate::lane::{Lane, Position};
use crate::ports::LogError;

pub use lane_consumer::{ConsumerPorts, LaneConsumer, Rules};
pub use lane_requester::{LaneRequester, RequesterPorts, RequesterTerms};

/// How to go on after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Something was done: step again at once.
    Worked,
    /// There is nothing to do now: wait for the log, then step again.
    Idle,
    /// Something is not available: step again after this long.
    Pause(Duration),
}

/// Why a service cannot go on without a human.
#[derive(Debug, Error)]
pub enum ServiceError {
    /// The store refuses.
    #[error("{what}")]
    Refused {
        /// What is wrong and what to do.
        what: String,
    },
    /// The log cannot be read on from where it must be.
    #[error("lane {lane}: {source}")]
    Log {
        /// The lane.
        lane: u16,
        /// Why.
        source: LogError,
    },
    /// The log holds other records than those that were applied: it was made again, or the
    /// database was restored to an older state.
    #[error("lane {lane}: the log before {position} is not the one that was applied")]
    ForeignLog {
        /// The lane.
        lane: Lane,
        /// Where it differs.
        position: Position,
    },
    /// The channel was closed under a running service.
    #[error("the channel is closed")]
    Closed,
}

/// The pause after so many failures in a row: 50 ms, doubled each time, at most 5 s.
fn pause_after(failures: u32) -> Step {
    let factor = 1 << failures.saturating_sub(1).min(7);
    Step::Pause((Duration::from_millis(50) * factor).min(Duration::from_secs(5)))
}
