//! The contract on a `SQLite` file.

use std::time::Duration;

use catchment_contract::{Store, StoreHarness};
use catchment_domain::ports::Clock;
use catchment_domain::{Epoch, Lane, Lanes, ShopId, StoredItem, Timestamp};
use catchment_seaorm::{SeaOrmStore, StoreSettings};

use crate::contract::{damaging, in_steps, losing, millis, ports};
use crate::world::World;

/// A database for one test.
struct Harness {
    world: World,
    store: SeaOrmStore,
}

async fn fresh() -> Harness {
    let world = World::new();
    let store = world.try_open(&in_steps(world.settings())).await.unwrap();
    Harness { world, store }
}

#[async_trait::async_trait]
impl StoreHarness for Harness {
    fn store(&self) -> Store {
        ports(self.store.clone())
    }

    fn now(&self) -> Timestamp {
        self.world.clock.now()
    }

    fn advance(&self, duration: Duration) {
        self.world.clock.step(millis(duration));
    }

    fn step_back(&self, duration: Duration) {
        self.world.clock.step(-millis(duration));
    }

    async fn corrupt(&self, shop: &ShopId) {
        self.damage(&StoredItem::State(shop.to_string())).await;
    }

    async fn damage(&self, item: &StoredItem) {
        self.world.execute(&damaging(item, "x'ff'")).await;
    }

    async fn lose(&self, item: &StoredItem) -> bool {
        self.world.execute(&losing(item)).await;
        true
    }

    async fn lose_lane(&self, lane: Lane) {
        self.world.execute(&format!("DELETE FROM lane_state WHERE lane = {lane}")).await;
    }

    async fn set_epoch(&self, lane: Lane, epoch: Epoch) {
        let sql = format!("UPDATE lane_state SET epoch = {epoch} WHERE lane = {lane}");
        self.world.execute(&sql).await;
    }

    async fn reopened(&self) -> Option<Store> {
        let store = self.world.try_open(&in_steps(self.world.settings())).await;
        Some(ports(store.unwrap()))
    }

    async fn with_lanes(&self, lanes: Lanes) -> Store {
        let settings = StoreSettings { lanes, ..in_steps(self.world.settings()) };
        ports(self.world.try_open(&settings).await.unwrap())
    }

    async fn analyze(&self) {
        self.world.execute("ANALYZE").await;
    }

    fn receipts_kept(&self) -> Duration {
        self.world.settings().receipts_kept
    }
}

catchment_contract::store_suite!(fresh);
