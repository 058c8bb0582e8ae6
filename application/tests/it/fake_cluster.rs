//! A cluster whose answers a test chooses.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use catchment_domain::ports::{
    Cluster, ConsumerGroup, InspectionError, LogInspection, LogProblem, Topics, VisitRequest,
    Wanted,
};
use catchment_domain::{
    AnyLane, Behind, Committed, Lane, LogIdentity, Position, PositionRange, ReplyLane, RequestId,
    RequestLaneLog,
};

/// Which log its requests are.
pub(crate) const REQUESTS: LogIdentity = LogIdentity { id: 1, lasting: true };
/// Which log its replies are.
pub(crate) const REPLIES: LogIdentity = LogIdentity { id: 2, lasting: true };

/// A cluster that answers what its fields say. A lane without a log cannot be looked at.
#[derive(Debug, Default)]
pub(crate) struct FakeCluster {
    pub(crate) problems: Vec<LogProblem>,
    pub(crate) logs: BTreeMap<Lane, RequestLaneLog>,
    /// The logs from the second look on, where they differ.
    pub(crate) later_logs: BTreeMap<Lane, RequestLaneLog>,
    pub(crate) reply_ends: BTreeMap<ReplyLane, Position>,
    pub(crate) behind: BTreeMap<AnyLane, Behind>,
    pub(crate) committed: BTreeMap<Lane, Committed>,
    pub(crate) members: Vec<String>,
    pub(crate) removed: u64,
    /// Whether nobody may ask who has the lanes.
    pub(crate) hides_holders: bool,
    /// Why no question is answered.
    pub(crate) failure: Option<fn(&'static str) -> InspectionError>,
    /// How often a user waited until the cluster caught up.
    pub(crate) waits: AtomicUsize,
}

impl FakeCluster {
    fn answer<T>(&self, answer: T) -> Result<T, InspectionError> {
        self.failure.map_or(Ok(answer), |failure| Err(failure("no broker answers")))
    }
}

#[async_trait]
impl LogInspection for FakeCluster {
    fn identity(&self) -> LogIdentity {
        REQUESTS
    }

    async fn request_logs(
        &self,
        lanes: &[(Lane, Position)],
    ) -> Result<BTreeMap<Lane, RequestLaneLog>, InspectionError> {
        let is_later = 0 < self.waits.load(Ordering::SeqCst);
        let log = |lane| {
            let later = self.later_logs.get(&lane).filter(|_| is_later);
            later.or_else(|| self.logs.get(&lane)).copied()
        };
        let logs = lanes.iter().filter_map(|(lane, _)| Some((*lane, log(*lane)?)));
        self.answer(logs.collect())
    }

    async fn request_ends(&self) -> Result<BTreeMap<Lane, Position>, InspectionError> {
        self.answer(self.logs.iter().map(|(lane, log)| (*lane, log.end)).collect())
    }

    async fn requests_between(
        &self,
        _: &[(Lane, PositionRange)],
    ) -> Result<BTreeMap<Lane, Vec<(Position, RequestId)>>, InspectionError> {
        self.answer(BTreeMap::new())
    }

    async fn visit_requests(
        &self,
        _: Lane,
        _: Position,
        _: VisitRequest<'_>,
    ) -> Result<u64, InspectionError> {
        self.answer(self.removed)
    }

    async fn reply_log(&self) -> Result<(LogIdentity, u16), InspectionError> {
        self.answer((REPLIES, self.reply_ends.len().try_into().unwrap()))
    }

    async fn reply_ends(
        &self,
    ) -> Result<(LogIdentity, BTreeMap<ReplyLane, Position>), InspectionError> {
        self.answer((REPLIES, self.reply_ends.clone()))
    }

    async fn behind(&self, lane: AnyLane, _: Position) -> Result<Behind, InspectionError> {
        self.answer(self.behind.get(&lane).copied().unwrap_or(Behind::Nothing))
    }
}

#[async_trait]
impl ConsumerGroup for FakeCluster {
    async fn committed(&self) -> Result<BTreeMap<Lane, Committed>, InspectionError> {
        self.answer(self.committed.clone())
    }

    async fn members(&self) -> Result<Vec<String>, InspectionError> {
        self.answer(self.members.clone())
    }

    async fn holders(&self) -> Result<BTreeMap<Lane, String>, InspectionError> {
        if self.hides_holders {
            return Err(InspectionError::Unreadable("not allowed".into()));
        }
        self.answer([(Lane(0), "`consumer` at host".to_owned())].into())
    }
}

#[async_trait]
impl Topics for FakeCluster {
    async fn problems(&self) -> Result<Vec<LogProblem>, InspectionError> {
        self.answer(self.problems.clone())
    }

    async fn inspect(&self, _: Wanted) -> Result<Vec<LogProblem>, InspectionError> {
        self.answer(self.problems.clone())
    }

    async fn create(
        &self,
        reply_lanes: u16,
        _: Option<u16>,
    ) -> Result<Vec<(String, bool)>, InspectionError> {
        self.answer(vec![(format!("replies with {reply_lanes} lanes"), true)])
    }
}

#[async_trait]
impl Cluster for FakeCluster {
    async fn catch_up(&self) {
        self.waits.fetch_add(1, Ordering::SeqCst);
    }
}
