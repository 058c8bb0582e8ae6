//! The store and the log in memory keep what every adapter promises.

use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use catchment_contract::{Capabilities, Log, LogHarness, Store, StoreHarness};
use catchment_domain::ports::{Clock, ReplyLog, RequestLog};
use catchment_domain::{
    Committed, Epoch, Lane, Lanes, LogIdentity, Position, ReplyLane, RequestId, ShopId, StoredItem,
    Timestamp,
};
use catchment_memory::{ManualClock, MemoryLog, MemoryStore};

const LANES: NonZeroU16 = NonZeroU16::new(4).unwrap();
const RECEIPTS_KEPT: Duration = Duration::from_hours(1);

struct StoreInMemory {
    store: Arc<MemoryStore>,
    clock: Arc<ManualClock>,
}

async fn store() -> StoreInMemory {
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_800_000_000_000)));
    let lanes = Lanes(LANES);
    let store = Arc::new(MemoryStore::new(lanes, Arc::<ManualClock>::clone(&clock), RECEIPTS_KEPT));
    StoreInMemory { store, clock }
}

#[async_trait]
impl StoreHarness for StoreInMemory {
    fn store(&self) -> Store {
        Store {
            shops: Arc::<MemoryStore>::clone(&self.store),
            ledger: Arc::<MemoryStore>::clone(&self.store),
            campaigns: Arc::<MemoryStore>::clone(&self.store),
            campaign_ledger: Arc::<MemoryStore>::clone(&self.store),
            reply_lanes: Arc::<MemoryStore>::clone(&self.store),
            deletions: Arc::<MemoryStore>::clone(&self.store),
            repairs: Arc::<MemoryStore>::clone(&self.store),
            restores: Arc::<MemoryStore>::clone(&self.store),
            acceptances: Arc::<MemoryStore>::clone(&self.store),
            moves: Arc::<MemoryStore>::clone(&self.store),
        }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn advance(&self, duration: Duration) {
        self.clock.advance(duration);
    }

    fn step_back(&self, duration: Duration) {
        self.clock.step_back(duration);
    }

    async fn corrupt(&self, shop: &ShopId) {
        self.store.spoil(shop);
    }

    async fn damage(&self, item: &StoredItem) {
        match item {
            StoredItem::Campaign(revision) => self.store.spoil_campaign(*revision),
            StoredItem::Counts(revision) => self.store.spoil_counts(*revision),
            StoredItem::List(revision, number) => self.store.spoil_list(*revision, *number),
            StoredItem::Outcomes(revision, number) => {
                self.store.spoil_outcomes(*revision, *number);
            }
            StoredItem::Profile(shop) => self.store.spoil_profile(&shop.parse().unwrap()),
            StoredItem::State(shop) => self.store.spoil(&shop.parse().unwrap()),
            StoredItem::ImportReceipt(lane, number) => self.store.spoil_import(*lane, *number),
            StoredItem::Receipt(lane, from) => self.store.spoil_receipt(*lane, *from),
        }
    }

    async fn lose(&self, item: &StoredItem) -> bool {
        if let StoredItem::Outcomes(revision, number) = item {
            self.store.lose_outcomes(*revision, *number);
        }
        matches!(item, StoredItem::Outcomes(..))
    }

    async fn lose_lane(&self, lane: Lane) {
        self.store.lose_lane(lane);
    }

    async fn set_epoch(&self, lane: Lane, epoch: Epoch) {
        self.store.set_epoch(lane, epoch);
    }

    async fn reopened(&self) -> Option<Store> {
        None
    }

    async fn with_lanes(&self, _: Lanes) -> Store {
        self.store()
    }

    async fn analyze(&self) {}

    fn receipts_kept(&self) -> Duration {
        RECEIPTS_KEPT
    }
}

catchment_contract::store_suite!(store);

const CAPACITY: usize = 200;

struct LogInMemory(Arc<MemoryLog>);

async fn log() -> LogInMemory {
    let identity = LogIdentity { id: 1, lasting: false };
    LogInMemory(Arc::new(MemoryLog::new(Lanes(LANES), 2, CAPACITY, identity)))
}

#[async_trait]
impl LogHarness for LogInMemory {
    fn log(&self) -> Log {
        Log {
            requests: Arc::<MemoryLog>::clone(&self.0),
            request_log: Arc::<MemoryLog>::clone(&self.0),
            commits: Arc::<MemoryLog>::clone(&self.0),
            replies: Arc::<MemoryLog>::clone(&self.0),
            reply_log: Arc::<MemoryLog>::clone(&self.0),
        }
    }

    fn lanes(&self) -> Lanes {
        Lanes(LANES)
    }

    async fn send_foreign(&self, _: Lane) -> Option<RequestId> {
        None
    }

    async fn drop_requests(&self, lane: Lane, next: Position) {
        let epoch = Epoch::default();
        self.0.commit(lane, Committed { epoch, next }).await;
    }

    async fn drop_replies(&self, lane: ReplyLane, next: Position) {
        ReplyLog::release(&*self.0, lane, next).await;
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { capacity: Some(CAPACITY) }
    }
}

catchment_contract::log_suite!(log);
