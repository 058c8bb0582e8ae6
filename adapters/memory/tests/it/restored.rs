//! The database is restored from a backup while the log goes on.

mod stories;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use catchment_domain::ports::{
    Claim, Decide, LogError, RequestChannel, RequestLog, ShopLedger, StoreError, Stretch,
    VisitReceipt,
};
use catchment_domain::service::{ConsumerPorts, LaneConsumer, Rules, ServiceError};
use catchment_domain::{
    Batch, Change, Committed, Damage, Epoch, Lane, Lanes, LogIdentity, Policy, Position, Radius,
    Receipt, Request, RequestId, ReturnAddress, Revision, Timestamp,
};
use catchment_memory::{ManualClock, MemoryLog, MemoryStore};
use uuid::Uuid;

const LANE: Lane = Lane(0);

/// A database in whose place a backup can be put.
struct Database(Mutex<Arc<MemoryStore>>);

impl Database {
    fn store(&self) -> Arc<MemoryStore> {
        Arc::clone(&self.0.lock().unwrap())
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

    *database.0.lock().unwrap() = backup;
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
