//! The store and the log in memory keep what every adapter promises.

use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use catchment_contract::{Store, StoreHarness};
use catchment_domain::ports::Clock;
use catchment_domain::{Lanes, ShopId, Timestamp};
use catchment_memory::{ManualClock, MemoryStore};

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

    async fn reopened(&self) -> Option<Store> {
        None
    }

    fn receipts_kept(&self) -> Duration {
        RECEIPTS_KEPT
    }
}

catchment_contract::store_suite!(store);
