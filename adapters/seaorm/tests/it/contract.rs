//! Runs the contract of the storage ports on a `SQLite` file and on a `PostgreSQL` server.

#[cfg(feature = "postgres")]
mod postgres;
mod sqlite;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use catchment_contract::Store;
use catchment_domain::{ImportNumber, StoredItem};
use catchment_seaorm::{SeaOrmStore, StoreSettings};

fn ports(store: SeaOrmStore) -> Store {
    let store = Arc::new(store);
    Store {
        shops: Arc::<SeaOrmStore>::clone(&store),
        ledger: Arc::<SeaOrmStore>::clone(&store),
        campaigns: Arc::<SeaOrmStore>::clone(&store),
        campaign_ledger: Arc::<SeaOrmStore>::clone(&store),
        reply_lanes: Arc::<SeaOrmStore>::clone(&store),
        deletions: Arc::<SeaOrmStore>::clone(&store),
        repairs: Arc::<SeaOrmStore>::clone(&store),
        restores: Arc::<SeaOrmStore>::clone(&store),
        acceptances: Arc::<SeaOrmStore>::clone(&store),
        moves: store,
    }
}

/// Returns settings with which each chunk of a deleted campaign is deleted by a transaction of its
/// own.
fn in_steps(settings: StoreSettings) -> StoreSettings {
    StoreSettings { chunks_cleared: NonZeroU32::MIN, ..settings }
}

/// Returns a duration in milliseconds, to move a clock by it.
fn millis(duration: Duration) -> i64 {
    duration.as_millis().try_into().unwrap()
}

/// Returns the statement that makes an item unreadable. `no_blob` is the database's notation of a
/// byte with which no blob begins.
fn damaging(item: &StoredItem, no_blob: &str) -> String {
    match item {
        StoredItem::Campaign(revision) => {
            format!("UPDATE campaign SET limited_to = 'nowhere' WHERE revision = {revision}")
        }
        StoredItem::Counts(revision) => format!(
            "UPDATE campaign SET open = CASE open WHEN 0 THEN 5 ELSE 0 END, \
             state = CASE state WHEN 'sending' THEN 'settled' WHEN 'settled' THEN 'sending' \
             WHEN 'ending' THEN 'ended' ELSE 'ending' END WHERE revision = {revision}"
        ),
        StoredItem::List(revision, number) => format!(
            "UPDATE campaign_list SET ids = ' ' WHERE revision = {revision} AND number = {number}"
        ),
        StoredItem::Outcomes(revision, number) => format!(
            "UPDATE campaign_chunk SET activations = {no_blob}, releases = {no_blob} \
             WHERE revision = {revision} AND number = {number}"
        ),
        StoredItem::Profile(shop) => {
            format!("UPDATE shop SET latitude = 200 WHERE id = '{shop}'")
        }
        StoredItem::State(shop) => {
            format!("UPDATE shop_state SET causes = {no_blob} WHERE id = '{shop}'")
        }
        StoredItem::Receipt(lane, from) => format!(
            "UPDATE receipt SET entries = {no_blob} WHERE lane = {lane} AND from_position = {from}"
        ),
        StoredItem::ImportReceipt(lane, ImportNumber(number)) => format!(
            "UPDATE import_receipt SET entries = {no_blob} \
             WHERE lane = {lane} AND number = {number}"
        ),
    }
}

/// Returns the statement that deletes an item.
fn losing(item: &StoredItem) -> String {
    match item {
        StoredItem::Campaign(revision) | StoredItem::Counts(revision) => {
            format!("DELETE FROM campaign WHERE revision = {revision}")
        }
        StoredItem::List(revision, number) => {
            format!("DELETE FROM campaign_list WHERE revision = {revision} AND number = {number}")
        }
        StoredItem::Outcomes(revision, number) => {
            format!("DELETE FROM campaign_chunk WHERE revision = {revision} AND number = {number}")
        }
        StoredItem::Profile(shop) => format!("DELETE FROM shop WHERE id = '{shop}'"),
        StoredItem::State(shop) => format!("DELETE FROM shop_state WHERE id = '{shop}'"),
        StoredItem::Receipt(lane, from) => {
            format!("DELETE FROM receipt WHERE lane = {lane} AND from_position = {from}")
        }
        StoredItem::ImportReceipt(lane, ImportNumber(number)) => {
            format!("DELETE FROM import_receipt WHERE lane = {lane} AND number = {number}")
        }
    }
}
