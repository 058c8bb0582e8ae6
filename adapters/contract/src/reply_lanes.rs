//! The promises of [`ReplyLanes`](catchment_domain::ports::ReplyLanes).

use std::time::Duration;

use catchment_domain::ports::{Lease, StoreError};
use catchment_domain::{LogIdentity, Position, ReplyLane};
use tokio::task::JoinSet;

use crate::requester::{LEASE, holder};
use crate::scene::passing_log;
use crate::{Store, StoreHarness};

const LANE: ReplyLane = ReplyLane(0);
const MOMENT: Duration = Duration::from_secs(1);
/// A moment before a lease runs out.
const ALMOST: Duration = Duration::from_secs(LEASE.as_secs() - 1);

/// Of many who ask at once one gets the lane, and nobody else while the lease is in force.
pub async fn lease_has_one_holder(harness: &dyn StoreHarness) {
    let mut asking = JoinSet::new();
    for number in 0..8 {
        let store = harness.store();
        asking.spawn(async move { ask(&store, number).await });
    }
    let leases: Vec<Lease> = asking.join_all().await.into_iter().flatten().collect();
    assert_eq!(leases.len(), 1, "{leases:?}");
    harness.advance(ALMOST);
    assert_eq!(ask(&harness.store(), 9).await, None);
    let other = harness.store().reply_lanes.lease(ReplyLane(1), holder(9), log(1, 0), LEASE).await;
    assert!(other.unwrap().is_some(), "another lane is nobody's yet");
}

/// A lane whose lease ran out or was given back goes on where it stood.
pub async fn lease_passes_on(harness: &dyn StoreHarness) {
    let store = harness.store();
    let first = ask(&store, 1).await.unwrap();
    store.campaign_ledger.record(&first, Position(7), &[]).await.unwrap();
    harness.advance(LEASE + MOMENT);
    let second = ask(&store, 2).await.unwrap();
    assert!(first.epoch < second.epoch);
    assert_eq!(second.position, Position(7));
    store.reply_lanes.surrender(&second).await.unwrap();
    let third = ask(&store, 3).await.unwrap();
    assert!(second.epoch < third.epoch);
    assert_eq!((third.holder, third.position), (holder(3), Position(7)));
    // Who was passed over can neither record nor give back what is not theirs.
    let late = store.campaign_ledger.record(&first, Position(9), &[]).await;
    assert!(matches!(late, Err(StoreError::Fenced)), "{late:?}");
    let late = store.reply_lanes.surrender(&second).await;
    assert!(matches!(late, Err(StoreError::Fenced) | Ok(())), "{late:?}");
    assert_eq!(ask(&store, 4).await, None);
}

/// A lease that is renewed in time is kept; one that went to another is not renewed.
pub async fn lease_renewed_stays(harness: &dyn StoreHarness) {
    let store = harness.store();
    let lease = ask(&store, 1).await.unwrap();
    for _ in 0..3 {
        harness.advance(ALMOST);
        store.reply_lanes.renew(&lease, LEASE).await.unwrap();
    }
    harness.advance(ALMOST);
    assert_eq!(ask(&store, 2).await, None);
    harness.advance(MOMENT * 2);
    let next = ask(&store, 2).await.unwrap();
    let late = store.reply_lanes.renew(&lease, LEASE).await;
    assert!(matches!(late, Err(StoreError::Fenced)), "{late:?}");
    harness.advance(ALMOST);
    assert_eq!(ask(&store, 3).await, None, "{next:?} is in force");
}

/// The end that the first holder names is stored, and later ones count no more.
pub async fn lease_of_a_new_lane_starts_at_its_end(harness: &dyn StoreHarness) {
    let store = harness.store();
    let first = ask_in(&store, 1, log(1, 5)).await.unwrap();
    assert_eq!(first.position, Position(5));
    store.reply_lanes.surrender(&first).await.unwrap();
    for store in [Some(store), harness.reopened().await].into_iter().flatten() {
        let next = ask_in(&store, 2, log(1, 9)).await.unwrap();
        assert_eq!(next.position, Position(5));
        store.reply_lanes.surrender(&next).await.unwrap();
    }
}

/// A log that is new with its process has nothing to do with the positions of the one before.
pub async fn lease_of_a_passing_log_starts_anew(harness: &dyn StoreHarness) {
    let store = harness.store();
    let first = ask_in(&store, 1, log(1, 5)).await.unwrap();
    store.campaign_ledger.record(&first, Position(8), &[]).await.unwrap();
    harness.advance(LEASE + MOMENT);
    let second = ask_in(&store, 2, log(2, 3)).await.unwrap();
    assert!(first.epoch < second.epoch);
    assert_eq!(second.position, Position(3));
    store.campaign_ledger.record(&second, Position(4), &[]).await.unwrap();
    store.reply_lanes.surrender(&second).await.unwrap();
    let third = ask_in(&store, 3, log(2, 6)).await.unwrap();
    assert_eq!(third.position, Position(4));
}

fn log(id: u128, end: u64) -> (LogIdentity, Position) {
    (passing_log(id), Position(end))
}

async fn ask(store: &Store, number: u128) -> Option<Lease> {
    ask_in(store, number, log(1, 0)).await
}

async fn ask_in(store: &Store, number: u128, log: (LogIdentity, Position)) -> Option<Lease> {
    store.reply_lanes.lease(LANE, holder(number), log, LEASE).await.unwrap()
}
