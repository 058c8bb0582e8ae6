//! Lanes: who owns them, in which log, and what they remember.

use std::time::Duration;

use catchment_domain::ports::{Claim, StoreError};
use catchment_domain::{Committed, Deadline, Epoch, Lane, Position, ShopId, Status};
use tokio::task::JoinSet;

use super::LANE;
use crate::owner::{Owner, id_at, record};
use crate::scene::{
    crowd_in, lasting_log, named, narrow, narrow_by, passing_log, radius, shop, shops_in,
};
use crate::{Store, StoreHarness};

/// After a claim nothing of an older owner is written: no batch, and not that it answered.
pub async fn claim_fences_older_owners(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 1).await;
    let mut old = Owner::of(&store, LANE).await;
    old.change(&ids[0], narrow("3km")).await;
    let new = Owner::of(&store, LANE).await;
    assert!(old.claim.epoch < new.claim.epoch);
    assert_eq!(new.claim.applied_next, Position(1));
    let late = old.try_apply(&old.batch(vec![record(1, &ids[0], narrow("1km"))])).await;
    assert!(matches!(late, Err(StoreError::Fenced)), "{late:?}");
    let late = store.ledger.replied(LANE, old.claim.epoch, Position(1)).await;
    assert!(matches!(late, Err(StoreError::Fenced)), "{late:?}");
    assert_eq!(radius(&store, &ids[0]).await, 3_000);
    let claim = store.ledger.claim(LANE, lasting_log(1), None).await.unwrap();
    assert_eq!((claim.applied_next, claim.replied_next), (Position(1), Position(0)));
}

/// Many owners that claim and apply at once apply each position once.
pub async fn claim_has_one_winner(harness: &dyn StoreHarness) {
    const OWNERS: usize = 8;
    const CLAIMS: usize = 16;
    const UNTIL: u64 = 24;
    let store = harness.store();
    let ids = shops_in(&store, LANE, 1).await;
    let mut owners = JoinSet::new();
    for _ in 0..OWNERS {
        let (store, id) = (store.clone(), ids[0].clone());
        owners.spawn(async move {
            for _ in 0..CLAIMS {
                apply_until(UNTIL, &store, &id).await;
            }
        });
    }
    owners.join_all().await;
    // Those who fence each other may all give up before the end.
    apply_until(UNTIL, &store, &ids[0]).await;
    let owner = Owner::of(&store, LANE).await;
    let entries = owner.receipts().await.into_iter().flat_map(|receipt| receipt.entries);
    let positions: Vec<u64> = entries.map(|entry| entry.position.0).collect();
    assert_eq!(positions, (0..UNTIL).collect::<Vec<_>>());
    assert_eq!(shop(&store, &ids[0]).await.state.version, 1 + UNTIL);
}

/// If the log knows a later owner than the database, or a later position, the database was restored.
/// A refused claim changes nothing, so the next claim is refused, too.
pub async fn claim_of_an_older_database_is_refused(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 1).await;
    let mut owner = Owner::of(&store, LANE).await;
    owner.change(&ids[0], narrow("3km")).await;
    let epoch = owner.claim.epoch;
    let claim = |committed| store.ledger.claim(LANE, lasting_log(1), committed);
    for (epoch, next) in [(epoch, Position(2)), (Epoch(epoch.0 + 1), Position(0))] {
        for _ in 0..3 {
            let refused = claim(Some(Committed { epoch, next })).await;
            let Err(StoreError::Older(older)) = refused else { panic!("{refused:?}") };
            assert_eq!((older.lane, older.applied_next), (LANE, Position(1)));
        }
    }
    // The owner was not fenced.
    owner.change(&ids[0], narrow("1km")).await;
    let next = claim(Some(Committed { epoch, next: Position(2) })).await.unwrap();
    assert_eq!((next.epoch, next.applied_next), (Epoch(epoch.0 + 1), Position(2)));
    // The position of an older owner does not count.
    assert!(claim(Some(Committed { epoch, next: Position(9) })).await.is_ok());
}

/// Claims the lane, and applies record by record until it is fenced.
async fn apply_until(until: u64, store: &Store, shop: &ShopId) {
    let mut owner = Owner::of(store, LANE).await;
    while owner.claim.applied_next.0 < until {
        let at = owner.claim.applied_next.0;
        let batch = owner.batch(vec![record(at, shop, narrow("3km"))]);
        // Others get a turn to claim between two batches.
        tokio::task::yield_now().await;
        match owner.try_apply(&batch).await {
            Ok(_) => owner.claim.applied_next = batch.to(),
            Err(StoreError::Fenced) => return,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Two batches of one owner at once: the later one has seen the earlier one at every shop, or
/// changes nothing.
pub async fn apply_sees_the_batch_before_it(harness: &dyn StoreHarness) {
    const ROUNDS: u64 = 30;
    const SHOPS: u64 = 100;
    let ids = crowd_in(harness, LANE).await;
    let store = harness.store();
    let mut owner = Owner::of(&store, LANE).await;
    let records = |from: u64, to| {
        let positions = from..from + SHOPS;
        positions.zip(&ids).map(|(at, id)| record(at, id, narrow(to))).collect()
    };
    for round in 0..ROUNDS {
        let earlier = owner.batch(records(2 * round * SHOPS, "3km"));
        let later = owner.batch_from(earlier.to(), records((2 * round + 1) * SHOPS, "2km"));
        let (first, second) = tokio::join!(owner.try_apply(&earlier), owner.try_apply(&later));
        first.unwrap();
        match second {
            Ok(_) => {}
            Err(StoreError::Fenced) => drop(owner.try_apply(&later).await.unwrap()),
            Err(error) => panic!("{error}"),
        }
        owner.claim.applied_next = later.to();
    }
    for shop in store.shops.list(&named(&ids[..100]), None, 100).await.unwrap().found {
        assert_eq!(shop.state.version, 1 + 2 * ROUNDS, "{}", shop.id);
    }
}

/// Owners of different lanes apply at once without fencing each other.
pub async fn lanes_are_independent(harness: &dyn StoreHarness) {
    let store = harness.store();
    let lanes: Vec<Lane> = store.shops.lanes().iter().collect();
    assert!(1 < lanes.len(), "the harness makes a database of several lanes");
    let mut owners = JoinSet::new();
    for lane in lanes.clone() {
        let ids = shops_in(&store, lane, 2).await;
        let mut owner = Owner::of(&store, lane).await;
        owners.spawn(async move {
            for at in 0..10 {
                owner.change(&ids[at % 2], narrow("3km")).await;
            }
        });
    }
    owners.join_all().await;
    for lane in lanes {
        let claim = store.ledger.claim(lane, lasting_log(1), None).await.unwrap();
        assert_eq!(claim.applied_next, Position(10), "lane {lane}");
    }
}

/// Once a lasting log is remembered, every other log is refused.
pub async fn lasting_log_is_remembered(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 1).await;
    let mut owner = Owner::in_log(&store, LANE, lasting_log(1)).await;
    owner.change(&ids[0], narrow("3km")).await;
    for other in [lasting_log(2), passing_log(3)] {
        let claim = store.ledger.claim(LANE, other, None).await;
        assert!(matches!(claim, Err(StoreError::Refused { .. })), "{claim:?}");
    }
    // The one who was there before is not disturbed.
    owner.change(&ids[0], narrow("3km")).await;
    let claim = Owner::in_log(&store, LANE, lasting_log(1)).await.claim;
    assert_eq!((claim.applied_next, claim.last_id), (Position(2), Some(id_at(1))));
}

/// A log that is new with its process starts at 0 with receipts of its own; what was treated
/// as passed stays so.
pub async fn passing_log_starts_anew(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 1).await;
    let mut old = Owner::in_log(&store, LANE, passing_log(1)).await;
    let passed = Deadline::at(harness.now());
    harness.advance(Duration::from_secs(10));
    old.change(&ids[0], narrow_by("1km", passed)).await;
    old.change(&ids[0], narrow("3km")).await;
    store.ledger.replied(LANE, old.claim.epoch, Position(1)).await.unwrap();
    let mut new = Owner::in_log(&store, LANE, passing_log(2)).await;
    assert!(old.claim.epoch < new.claim.epoch);
    let Claim { applied_next, replied_next, last_id, .. } = new.claim;
    assert_eq!((applied_next, replied_next, last_id), (Position(0), Position(0), None));
    harness.step_back(Duration::from_secs(20));
    let receipt = new.change(&ids[0], narrow_by("1km", passed)).await;
    assert_eq!(receipt.entries[0].outcome.status, Status::Expired);
    assert_eq!(new.receipts().await, [receipt]);
    let again = Owner::in_log(&store, LANE, passing_log(2)).await.claim;
    assert_eq!(again.applied_next, Position(1));
}

/// A clock that steps back does not bring back what a lane treated as passed.
pub async fn expired_mark_only_rises(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 1).await;
    let start = harness.now();
    let after = |seconds| Deadline::at(start.saturating_add(Duration::from_secs(seconds)));
    let mut owner = Owner::of(&store, LANE).await;
    harness.advance(Duration::from_secs(20));
    assert_eq!(status(&mut owner, &ids[0], after(10)).await, Status::Expired);
    assert_eq!(status(&mut owner, &ids[0], after(5)).await, Status::Expired);
    harness.step_back(Duration::from_mins(1));
    assert_eq!(status(&mut owner, &ids[0], after(10)).await, Status::Expired);
    let mut owner = Owner::of(&store, LANE).await;
    assert_eq!(status(&mut owner, &ids[0], after(9)).await, Status::Expired);
    assert_eq!(status(&mut owner, &ids[0], after(11)).await, Status::Applied);
}

/// What becomes of a request that must begin by this deadline.
async fn status(owner: &mut Owner, shop: &ShopId, deadline: Deadline) -> Status {
    owner.change(shop, narrow_by("1km", deadline)).await.entries[0].outcome.status
}
