//! The contract on a `PostgreSQL` server.

use std::time::Duration;

use catchment_contract::{Store, StoreHarness};
use catchment_domain::{Epoch, Lane, Lanes, ShopId, StoredItem, Timestamp};
use catchment_seaorm::{SeaOrmStore, StoreSettings};

use crate::contract::{damaging, in_steps, losing, millis, ports};
use crate::server::Server;

/// A schema for one test.
struct Harness {
    server: Server,
    store: SeaOrmStore,
}

async fn fresh() -> Harness {
    let server = Server::new().await;
    let store = server.try_open(&in_steps(Server::settings())).await.unwrap();
    Harness { server, store }
}

#[async_trait::async_trait]
impl StoreHarness for Harness {
    fn store(&self) -> Store {
        ports(self.store.clone())
    }

    fn now(&self) -> Timestamp {
        self.server.now()
    }

    fn advance(&self, duration: Duration) {
        self.server.step(millis(duration));
    }

    fn step_back(&self, duration: Duration) {
        self.server.step(-millis(duration));
    }

    async fn corrupt(&self, shop: &ShopId) {
        self.damage(&StoredItem::State(shop.to_string())).await;
    }

    async fn damage(&self, item: &StoredItem) {
        self.server.execute(&damaging(item, "'\\xff'"));
    }

    async fn lose(&self, item: &StoredItem) -> bool {
        self.server.execute(&losing(item));
        true
    }

    async fn lose_lane(&self, lane: Lane) {
        self.server.execute(&format!("DELETE FROM lane_state WHERE lane = {lane}"));
    }

    async fn set_epoch(&self, lane: Lane, epoch: Epoch) {
        let sql = format!("UPDATE lane_state SET epoch = {epoch} WHERE lane = {lane}");
        self.server.execute(&sql);
    }

    async fn reopened(&self) -> Option<Store> {
        let store = self.server.try_open(&in_steps(Server::settings())).await;
        Some(ports(store.unwrap()))
    }

    async fn with_lanes(&self, lanes: Lanes) -> Store {
        let settings = StoreSettings { lanes, ..in_steps(Server::settings()) };
        ports(self.server.try_open(&settings).await.unwrap())
    }

    async fn analyze(&self) {
        self.server.execute("ANALYZE shop_state");
    }

    fn receipts_kept(&self) -> Duration {
        Server::settings().receipts_kept
    }
}

catchment_contract::store_suite!(
    #[ignore = "needs PostgreSQL"]
    fresh
);
