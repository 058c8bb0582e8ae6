//! A database of two lanes whose requests were applied and answered, and its cluster.

use std::sync::Arc;
use std::time::Duration;

use catchment_application::{LaneStores, MoveStores};
use catchment_domain::ports::{LogProblem, LogProblemKind, ShopLedger};
use catchment_domain::{
    Batch, Lane, Lanes, LogIdentity, Position, ReplyLane, RequestId, RequestLaneLog, Timestamp,
};
use catchment_memory::{ManualClock, MemoryStore};
use uuid::Uuid;

use crate::fake_cluster::{FakeCluster, REQUESTS};

pub(crate) const LANES: Lanes = Lanes(std::num::NonZeroU16::new(2).unwrap());
/// The next position to apply in each lane.
pub(crate) const NEXT: Position = Position(9);
/// Where the log of each lane ends.
pub(crate) const END: Position = Position(12);
/// The record that was applied last.
pub(crate) const LAST: RequestId = RequestId(Uuid::from_u128(8));

/// A database and its cluster, which fit each other.
pub(crate) struct World {
    pub(crate) store: MemoryStore,
    pub(crate) cluster: FakeCluster,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::read_in(REQUESTS).await
    }

    /// A database that has read its lanes in this log.
    pub(crate) async fn read_in(log: LogIdentity) -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_000_000)));
        let store = MemoryStore::new(LANES, clock, Duration::from_hours(1));
        for lane in LANES.iter() {
            let epoch = store.claim(lane, log, None).await.unwrap().epoch;
            let batch = Batch::new((lane, epoch), Position(0), Position(0), Vec::new());
            let batch = batch.up_to((Position(NEXT.0 - 1), LAST));
            store.apply(&batch, &|_, _| Vec::new()).await.unwrap();
            store.replied(lane, epoch, NEXT).await.unwrap();
        }
        let cluster = FakeCluster {
            logs: LANES.iter().map(|lane| (lane, log_up_to(END))).collect(),
            reply_ends: [(ReplyLane(0), Position(0))].into(),
            ..FakeCluster::default()
        };
        Self { store, cluster }
    }

    pub(crate) fn lanes(&self) -> LaneStores<'_> {
        let store = &self.store;
        LaneStores { acceptances: store, ledger: store, restores: store }
    }

    pub(crate) fn moving(&self) -> MoveStores<'_> {
        MoveStores { lanes: self.lanes(), campaigns: &self.store, moves: &self.store }
    }
}

/// A log of a lane that holds what was applied, and ends here.
pub(crate) fn log_up_to(end: Position) -> RequestLaneLog {
    let before = (NEXT <= end).then_some(LAST);
    RequestLaneLog { log: REQUESTS, first: Position(0), end, before, without_receipt: None }
}

/// A problem of a whole log.
pub(crate) fn problem(kind: LogProblemKind) -> LogProblem {
    LogProblem { line: format!("the log is wrong: {kind:?}"), kind }
}

/// A lane that a test changes.
pub(crate) const LANE: Lane = Lane(1);
