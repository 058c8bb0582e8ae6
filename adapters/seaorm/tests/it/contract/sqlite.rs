//! On a `SQLite` file.

use std::time::Duration;

use catchment_contract::{Store, StoreHarness};
use catchment_domain::ports::Clock;
use catchment_domain::{ShopId, Timestamp};
use catchment_seaorm::SeaOrmStore;

use crate::contract::{millis, ports};
use crate::world::World;

/// A database of its own.
struct Harness {
    world: World,
    store: SeaOrmStore,
}

async fn fresh() -> Harness {
    let world = World::new();
    let store = world.open().await;
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
        let sql = format!("UPDATE shop_state SET causes = x'ff' WHERE id = '{shop}'");
        self.world.execute(&sql).await;
    }

    async fn reopened(&self) -> Option<Store> {
        Some(ports(self.world.open().await))
    }

    async fn analyze(&self) {
        self.world.execute("ANALYZE").await;
    }

    fn receipts_kept(&self) -> Duration {
        self.world.settings().receipts_kept
    }
}

catchment_contract::store_suite!(fresh);
