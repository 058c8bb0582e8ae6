use std::collections::BTreeMap;

use async_trait::async_trait;
use thiserror::Error;

use crate::acceptance::PositionRange;
use crate::lane::{Committed, Lane, LogIdentity, Position, ReplyLane};
use crate::mismatch::{AnyLane, RequestLaneLog};
use crate::moving::Behind;
use crate::ports::BoxError;
use crate::request::{RequestId, RequestRecord};

/// Why the cluster could not say what was asked, by what the caller can do about it.
#[derive(Debug, Error)]
pub enum InspectionError {
    /// Try again later: the cluster, or a part of it, does not answer.
    #[error(transparent)]
    Unavailable(BoxError),
    /// Look first: a right is missing, or records are gone. Services go on and try again.
    #[error(transparent)]
    Unreadable(BoxError),
    /// A human must look at the logs, or at who may use them.
    #[error(transparent)]
    Refused(BoxError),
    /// A human must correct the settings.
    #[error(transparent)]
    Settings(BoxError),
}

/// A problem of a whole log: nothing may be read there or sent. Displayed as one line that says what
/// to do.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{line}")]
pub struct LogProblem {
    /// The line.
    pub line: String,
    /// What kind of problem it is.
    pub kind: LogProblemKind,
}

/// What kind of problem a whole log has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogProblemKind {
    /// The log of requests has this number of lanes, and the database has another one.
    OtherLanes {
        /// How many lanes the log has.
        found: u16,
    },
    /// The log of dead letters has fewer lanes than the database.
    FewerDeadLetterLanes,
    /// Another problem.
    Other,
}

/// What an operator wants of new logs, beyond what every log must have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// How many lanes logs of replies are to have.
    pub reply_lanes: Option<u16>,
    /// How many replicas each lane is to have.
    pub replication: Option<u16>,
}

/// A function that is called with each request.
pub type VisitRequest<'a> = &'a mut (dyn FnMut(&RequestRecord) + Send);

/// The logs of all lanes, as a program sees them that neither sends to them nor reads them.
///
/// A lane number that the database does not have is a lane of the log all the same.
#[async_trait]
pub trait LogInspection: Send + Sync + 'static {
    /// Which log the requests are.
    fn identity(&self) -> LogIdentity;

    /// What the lanes of requests hold, each seen from the next position to apply. A lane that cannot
    /// be looked at now is left out, unless none can. Receipts are not looked at.
    async fn request_logs(
        &self,
        lanes: &[(Lane, Position)],
    ) -> Result<BTreeMap<Lane, RequestLaneLog>, InspectionError>;

    /// One past the last record of each request lane of the database, including records that an open
    /// transaction holds back. A lane that cannot be looked at now is left out.
    async fn request_ends(&self) -> Result<BTreeMap<Lane, Position>, InspectionError>;

    /// The requests of each lane at these positions. Records that are no requests are passed over.
    async fn requests_between(
        &self,
        ranges: &[(Lane, PositionRange)],
    ) -> Result<BTreeMap<Lane, Vec<(Position, RequestId)>>, InspectionError>;

    /// Calls `visit` with every request of a lane from a position on, up to the lane's present end.
    /// Returns how many records from that position on were removed.
    async fn visit_requests(
        &self,
        lane: Lane,
        from: Position,
        visit: VisitRequest<'_>,
    ) -> Result<u64, InspectionError>;

    /// Which log the replies are, and how many lanes it has.
    async fn reply_log(&self) -> Result<(LogIdentity, u16), InspectionError>;

    /// Which log the replies are, and where each of its lanes ends.
    async fn reply_ends(
        &self,
    ) -> Result<(LogIdentity, BTreeMap<ReplyLane, Position>), InspectionError>;

    /// What stands in a lane from a position on.
    async fn behind(&self, lane: AnyLane, from: Position) -> Result<Behind, InspectionError>;
}

/// The consumers that share the request lanes.
#[async_trait]
pub trait ConsumerGroup: Send + Sync + 'static {
    /// What was committed last, in each lane where something was.
    async fn committed(&self) -> Result<BTreeMap<Lane, Committed>, InspectionError>;

    /// The members, each by its name and its address.
    async fn members(&self) -> Result<Vec<String>, InspectionError>;

    /// The member that has each lane, as far as the cluster tells.
    async fn holders(&self) -> Result<BTreeMap<Lane, String>, InspectionError>;
}

/// The topics that hold the logs.
#[async_trait]
pub trait Topics: Send + Sync + 'static {
    /// The problems of our own logs: they must exist, with the lanes of the database.
    async fn problems(&self) -> Result<Vec<LogProblem>, InspectionError>;

    /// The problems of all logs, also of their properties: each must take the records that are sent to
    /// it, keep them long enough, and be readable for its readers.
    async fn inspect(&self, wanted: Wanted) -> Result<Vec<LogProblem>, InspectionError>;

    /// Makes the topics that are missing. Returns the name of each topic and whether it is new.
    async fn create(
        &self,
        reply_lanes: u16,
        replication: Option<u16>,
    ) -> Result<Vec<(String, bool)>, InspectionError>;
}

/// The cluster that has the logs.
#[async_trait]
pub trait Cluster: LogInspection + ConsumerGroup + Topics {
    /// Returns when a part of the cluster that lagged behind has probably caught up.
    async fn catch_up(&self);
}
