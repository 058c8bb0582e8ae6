//! The database is restored from a backup while the log goes on.

mod stories;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use catchment_domain::ports::{
    Answer, CampaignLedger, ChunkSummary, Claim, Decide, Holder, Lease, LogError, Recorded,
    ReplyLanes, RequestChannel, RequestLog, Restores, ShopLedger, StoreError, Stretch,
    VisitReceipt,
};
use catchment_domain::service::{ConsumerPorts, LaneConsumer, Rules, ServiceError};
use catchment_domain::{
    Attempt, Batch, Campaign, Change, Chunk, Committed, Damage, Epoch, Found, Known, Lane,
    LaneProgress, Lanes, LogIdentity, Phase, Policy, Position, Radius, Receipt, ReplyLane, Request,
    RequestId, RestoreTerms, Restored, ReturnAddress, Revision, ShopList, Timestamp,
};
use catchment_memory::{ManualClock, MemoryLog, MemoryStore};
use uuid::Uuid;

const LANE: Lane = Lane(0);

/// A database in whose place a backup can be put, while services go on.
struct Database(Mutex<Arc<MemoryStore>>);

impl Database {
    fn store(&self) -> Arc<MemoryStore> {
        Arc::clone(&self.0.lock().unwrap())
    }

    fn restore(&self, backup: Arc<MemoryStore>) {
        *self.0.lock().unwrap() = backup;
    }
}

#[async_trait]
impl ReplyLanes for Database {
    async fn lease(
        &self,
        lane: ReplyLane,
        holder: Holder,
        log: (LogIdentity, Position),
        duration: Duration,
    ) -> Result<Option<Lease>, StoreError> {
        self.store().lease(lane, holder, log, duration).await
    }

    async fn renew(&self, lease: &Lease, duration: Duration) -> Result<(), StoreError> {
        self.store().renew(lease, duration).await
    }

    async fn go_back(&self, lease: &Lease, end: Position) -> Result<(), StoreError> {
        self.store().go_back(lease, end).await
    }

    async fn surrender(&self, lease: &Lease) -> Result<(), StoreError> {
        self.store().surrender(lease).await
    }

    async fn orphans(&self) -> Result<Vec<ReplyLane>, StoreError> {
        self.store().orphans().await
    }
}

#[async_trait]
impl CampaignLedger for Database {
    async fn open(&self, lease: &Lease) -> Result<Found<Vec<Campaign>>, StoreError> {
        self.store().open(lease).await
    }

    async fn damaged(&self, lane: ReplyLane) -> Result<Vec<Damage>, StoreError> {
        self.store().damaged(lane).await
    }

    async fn chunks(&self, revision: Revision) -> Result<Found<Vec<ChunkSummary>>, StoreError> {
        self.store().chunks(revision).await
    }

    async fn lists(
        &self,
        revision: Revision,
        numbers: &[u32],
    ) -> Result<Found<Vec<(u32, ShopList)>>, StoreError> {
        self.store().lists(revision, numbers).await
    }

    async fn mark_sent(
        &self,
        lease: &Lease,
        revision: Revision,
        part: (Phase, Attempt),
        numbers: &[u32],
    ) -> Result<Found<Vec<Chunk>>, StoreError> {
        self.store().mark_sent(lease, revision, part, numbers).await
    }

    async fn record(
        &self,
        lease: &Lease,
        to: Position,
        answers: &[(Revision, Answer)],
    ) -> Result<Recorded, StoreError> {
        self.store().record(lease, to, answers).await
    }
}

#[async_trait]
impl Restores for Database {
    async fn lanes(&self) -> Result<Vec<LaneProgress>, StoreError> {
        Restores::lanes(&*self.store()).await
    }

    async fn has_left(&self, log: LogIdentity) -> Result<bool, StoreError> {
        self.store().has_left(log).await
    }

    async fn known(&self) -> Result<Known, StoreError> {
        self.store().known().await
    }

    async fn restored(&self, terms: &RestoreTerms) -> Result<Restored, StoreError> {
        self.store().restored(terms).await
    }
}

#[async_trait]
impl ShopLedger for Database {
    async fn claim(
        &self,
        lane: Lane,
        log: LogIdentity,
        committed: Option<Committed>,
    ) -> Result<Claim, StoreError> {
        self.store().claim(lane, log, committed).await
    }

    async fn apply(&self, batch: &Batch, decide: Decide<'_>) -> Result<Receipt, StoreError> {
        self.store().apply(batch, decide).await
    }

    async fn receipts(
        &self,
        lane: Lane,
        from: Position,
        to: Position,
    ) -> Result<Vec<Receipt>, StoreError> {
        self.store().receipts(lane, from, to).await
    }

    async fn visit_receipts(&self, visit: VisitReceipt<'_>) -> Result<Vec<Damage>, StoreError> {
        self.store().visit_receipts(visit).await
    }

    async fn replied(&self, lane: Lane, epoch: Epoch, next: Position) -> Result<(), StoreError> {
        self.store().replied(lane, epoch, next).await
    }
}

/// A log that misses commits while it is late.
struct LateLog {
    log: Arc<MemoryLog>,
    is_late: AtomicBool,
}

#[async_trait]
impl RequestLog for LateLog {
    fn identity(&self) -> LogIdentity {
        RequestLog::identity(&*self.log)
    }

    async fn read(&self, lane: Lane, from: Position, max: usize) -> Result<Stretch, LogError> {
        RequestLog::read(&*self.log, lane, from, max).await
    }

    async fn last_before(
        &self,
        lane: Lane,
        position: Position,
    ) -> Result<Option<RequestId>, LogError> {
        self.log.last_before(lane, position).await
    }

    async fn wait(&self, lane: Lane, from: Position) {
        RequestLog::wait(&*self.log, lane, from).await;
    }

    async fn commit(&self, lane: Lane, committed: Committed) {
        if !self.is_late.load(Ordering::Relaxed) {
            self.log.commit(lane, committed).await;
        }
    }

    async fn committed(&self, lane: Lane) -> Result<Option<Committed>, LogError> {
        RequestLog::committed(&*self.log, lane).await
    }
}

async fn send(log: &MemoryLog, number: u128) {
    let change = Change::SetBase { revision: Revision(1), radius: Radius::CLOSED, deadline: None };
    let id = RequestId(Uuid::from_u128(number));
    let request = Request { id, shop: "a".parse().unwrap(), change };
    log.send(vec![request], &ReturnAddress::default()).await.unwrap();
}

#[tokio::test]
async fn a_consumer_tells_the_log_what_a_restored_database_has_forgotten() {
    let lanes = Lanes(1.try_into().unwrap());
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_000)));
    let store =
        || Arc::new(MemoryStore::new(lanes, Arc::<ManualClock>::clone(&clock), Duration::ZERO));
    let (present, backup) = (store(), store());
    let database = Arc::new(Database(Mutex::new(present)));
    let identity = LogIdentity { id: 1, lasting: false };
    let log = Arc::new(MemoryLog::new(lanes, 1, 100, identity));
    let late = Arc::new(LateLog { log: Arc::clone(&log), is_late: AtomicBool::new(false) });
    let policy = Policy { floor: Radius::CLOSED, triggers: [].into() };
    let rules = Arc::new(Rules { policy, lanes, batch: 10 });
    let consumer = || {
        let ports = ConsumerPorts {
            ledger: Arc::<Database>::clone(&database),
            log: Arc::<LateLog>::clone(&late),
            replies: Arc::<MemoryLog>::clone(&log),
        };
        LaneConsumer::new(LANE, ports, Arc::clone(&rules))
    };

    // The backup was made when the consumer had claimed the lane, and had applied nothing.
    backup.claim(LANE, identity, None).await.unwrap();
    let mut running = consumer();
    running.step().await.unwrap();
    late.is_late.store(true, Ordering::Relaxed);
    send(&log, 1).await;
    running.step().await.unwrap();
    let claimed = Committed { epoch: Epoch(1), next: Position(0) };
    assert_eq!(late.committed(LANE).await.unwrap(), Some(claimed), "the log knows no more");

    database.restore(backup);
    late.is_late.store(false, Ordering::Relaxed);
    send(&log, 2).await;
    running.step().await.unwrap();
    let noticed = running.step().await;
    assert!(matches!(noticed, Err(ServiceError::Older(_))), "{noticed:?}");
    let applied = Committed { epoch: Epoch(1), next: Position(1) };
    assert_eq!(late.committed(LANE).await.unwrap(), Some(applied));
    let noticed = consumer().step().await;
    assert!(matches!(noticed, Err(ServiceError::Older(_))), "{noticed:?}");
}
