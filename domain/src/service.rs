//! Services: the use cases that run on the ports.
//!
//! Both halves of request-reply are loops that somebody else turns: each `step` does one piece
//! of work and says how to go on. They need no runtime, so the simulator turns them as well.
//! A step that is dropped at any await loses nothing: what became of the work in hand is found
//! out by the next one.

mod audit;
mod campaign_lists;
mod damages;
mod deletion;
mod lane_consumer;
mod lane_keeper;
mod lane_requester;
mod leased;
mod owned;
mod pacing;
mod pages;
mod release;
mod repair;
mod retention;
mod send_calls;
mod sending;

use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use crate::lane::{Lane, ReplyLane};
use crate::mismatch::LaneProblem;
use crate::moving::OtherLanes;
use crate::ports::{BoxError, ChannelError, LogError, StoreError};
use crate::restore::OlderDatabase;

pub use audit::{Audit, AuditPorts, Difference, DifferenceKind, Stray, UnknownBase, audit};
pub use deletion::{Deletion, Unwanted, delete_campaigns};
pub use lane_consumer::{ConsumerPorts, LaneConsumer, Rules};
pub use lane_keeper::LaneKeeper;
pub use lane_requester::{LaneRequester, RequesterPorts, RequesterTerms};
pub use pages::{CampaignPages, OutcomePages, ShopPages};
pub use release::{CommandedRelease, release_by_command};
pub use repair::{Finding, repair};
pub use retention::Retention;

/// How long a lane is left alone at which a human must look. `catchment lanes accept` promises that
/// services are at work on the lane again within a minute.
pub const SET_ASIDE: Duration = Duration::from_secs(30);

/// How to go on after a step.
#[derive(Debug)]
pub enum Step {
    /// Something was done: step again at once.
    Worked,
    /// There is nothing to do now: wait for the log, then step again.
    Idle,
    /// Something stands in the way: step again after a while.
    Pause {
        /// How long: the more failures in a row, the longer.
        after: Duration,
        /// What stands in the way, for the log.
        obstacle: Obstacle,
    },
}

/// What stands in the way of a service, and may go away by itself.
#[derive(Debug, Error)]
pub enum Obstacle {
    /// Another requester has the lease.
    #[error("another requester has the lease of the reply lane")]
    LeasedByAnother,
    /// Another owner took over, or the answer to a commit was lost: it is claimed again.
    #[error("another owner took over, or a commit's answer was lost")]
    Fenced,
    /// What a port said.
    #[error(transparent)]
    Unavailable(BoxError),
    /// A request lane takes no requests. The others go on.
    #[error("requests cannot be sent in lane {lane}, and the other lanes go on")]
    Unsent {
        /// The lane.
        lane: Lane,
        /// Why.
        source: Arc<ChannelError>,
    },
    /// The campaigns of a reply lane stand still until a human has looked.
    #[error("reply lane {lane} is set aside, and a human must look")]
    SetAside {
        /// The lane.
        lane: ReplyLane,
        /// Why.
        source: Arc<ServiceError>,
    },
    /// Replies are lost. Their requests are sent again, so no outcome is lost.
    #[error("reply lane {lane} lost replies, and what has no outcome is sent again")]
    RepliesLost {
        /// The lane.
        lane: ReplyLane,
        /// Which replies are lost.
        source: LogError,
    },
}

impl From<StoreError> for Obstacle {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Fenced => Self::Fenced,
            error => Self::Unavailable(error.into()),
        }
    }
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
    /// A lane and its log do not fit each other.
    #[error(transparent)]
    Lane(LaneProblem),
    /// The database was restored from a backup.
    #[error(transparent)]
    Older(OlderDatabase),
    /// The database was given another number of lanes.
    #[error(transparent)]
    OtherLanes(OtherLanes),
    /// The log or the channel was closed under a running service.
    #[error("the log or the channel is closed for good")]
    Closed,
}
