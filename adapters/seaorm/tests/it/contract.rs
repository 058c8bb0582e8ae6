//! What every store promises, on a `SQLite` file and on a `PostgreSQL` server.

#[cfg(feature = "postgres")]
mod postgres;
mod sqlite;

use std::sync::Arc;
use std::time::Duration;

use catchment_contract::Store;
use catchment_seaorm::SeaOrmStore;

fn ports(store: SeaOrmStore) -> Store {
    let store = Arc::new(store);
    Store {
        shops: Arc::<SeaOrmStore>::clone(&store),
        ledger: Arc::<SeaOrmStore>::clone(&store),
        campaigns: Arc::<SeaOrmStore>::clone(&store),
        campaign_ledger: Arc::<SeaOrmStore>::clone(&store),
        reply_lanes: store,
    }
}

/// A duration as a clock's step.
fn millis(duration: Duration) -> i64 {
    duration.as_millis().try_into().unwrap()
}
