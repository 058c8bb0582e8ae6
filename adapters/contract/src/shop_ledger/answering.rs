//! Receipts, and how far a lane is answered.

use std::slice;
use std::time::Duration;

use catchment_domain::Status::{Applied, Rejected, Unchanged};
use catchment_domain::ports::Claim;
use catchment_domain::{Code, Deadline, Epoch, Lane, Position, Receipt, Status, StoredItem};

use super::LANE;
use crate::owner::{Owner, record};
use crate::scene::{activate, narrow, narrow_by, passing_log, shops_in, stranger_in};
use crate::{Store, StoreHarness};

/// A receipt says of each outcome all that was decided.
pub async fn receipts_rebuild_replies(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 3).await;
    let mut owner = Owner::of(&store, LANE).await;
    let nowhere = stranger_in(store.shops.lanes(), LANE);
    let first = vec![
        record(0, &ids[0], narrow("3km")),
        record(1, &ids[0], narrow("3km")),
        record(2, &ids[1], activate("manual", "closed")),
        record(3, &ids[2], activate("unheard_of", "50%")),
        record(4, &nowhere, narrow("3km")),
    ];
    let first = owner.apply(first).await;
    let statuses: Vec<Status> = first.entries.iter().map(|entry| entry.outcome.status).collect();
    assert_eq!(statuses, [Applied, Unchanged, Applied, Rejected, Rejected]);
    let passed = Deadline::at(harness.now());
    harness.advance(Duration::from_secs(1));
    let second = owner.change(&ids[2], narrow_by("1km", passed)).await;
    assert_eq!(second.entries[0].outcome.code, Some(Code::DeadlinePassed));
    assert_eq!(owner.receipts().await, [first.clone(), second.clone()]);
    let part = |from, to| store.ledger.receipts(LANE, Position(from), Position(to));
    assert_eq!(part(4, 5).await.unwrap(), [first]);
    assert_eq!(part(5, 6).await.unwrap(), [second]);
    assert_eq!(part(6, 9).await.unwrap(), []);
}

/// A new owner, another process too, rebuilds the replies of the old one.
pub async fn receipts_outlast_a_claim(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 1).await;
    let receipt = Owner::of(&store, LANE).await.change(&ids[0], narrow("3km")).await;
    for store in [Some(store), harness.reopened().await].into_iter().flatten() {
        let Claim { applied_next, replied_next, .. } = Owner::of(&store, LANE).await.claim;
        assert_eq!((replied_next, applied_next), (Position(0), Position(1)));
        let receipts = store.ledger.receipts(LANE, replied_next, applied_next).await.unwrap();
        assert_eq!(receipts, slice::from_ref(&receipt));
    }
}

/// Answered receipts go when they are old enough, with later batches; others stay.
pub async fn receipts_are_pruned(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 1).await;
    let mut owner = Owner::of(&store, LANE).await;
    for _ in 0..3 {
        owner.change(&ids[0], narrow("3km")).await;
    }
    // The first two are answered, and not old yet.
    owner.claim.replied_next = Position(2);
    owner.change(&ids[0], narrow("3km")).await;
    assert_eq!(owner.receipts().await.len(), 4);
    harness.advance(harness.receipts_kept() + Duration::from_secs(1));
    // A few go with each batch, and one batch more than there are receipts is enough.
    for _ in 0..3 {
        owner.change(&ids[0], narrow("3km")).await;
    }
    let first = owner.receipts().await.first().map(|receipt| receipt.from);
    assert_eq!(first, Some(Position(2)), "the third is old, and not answered");
    assert_eq!(owner.receipts().await.len(), 5);
}

/// An audit sees what earlier owners did, and what came in logs that are gone.
pub async fn visit_shows_every_receipt(harness: &dyn StoreHarness) {
    let store = harness.store();
    let other = Lane(1);
    let (ids, others) = (shops_in(&store, LANE, 1).await, shops_in(&store, other, 1).await);
    let mut expected = Vec::new();
    for log in [1, 1, 2] {
        let mut owner = Owner::in_log(&store, LANE, passing_log(log)).await;
        expected.push((LANE, owner.change(&ids[0], narrow("3km")).await));
    }
    expected.push((other, Owner::of(&store, other).await.change(&others[0], narrow("3km")).await));
    let (mut shown, damaged) = visited(&store).await;
    shown.sort_by_key(|(lane, _)| *lane);
    assert_eq!((shown, damaged), (expected, Vec::new()));
}

/// An audit names a receipt that cannot be read, and sees the others.
pub async fn unreadable_receipt_stands_alone(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 1).await;
    let mut owner = Owner::of(&store, LANE).await;
    let mut expected = Vec::new();
    for _ in 0..3 {
        expected.push((LANE, owner.change(&ids[0], narrow("3km")).await));
    }
    let (_, receipt) = expected.remove(1);
    let item = StoredItem::Receipt(LANE, receipt.from);
    harness.damage(&item).await;
    assert_eq!(visited(&store).await, (expected, vec![item]));
}

/// Every receipt that can be read, and which cannot.
async fn visited(store: &Store) -> (Vec<(Lane, Receipt)>, Vec<StoredItem>) {
    let mut shown = Vec::new();
    let visit = &mut |lane, receipt| shown.push((lane, receipt));
    let damaged = store.ledger.visit_receipts(visit).await.unwrap();
    (shown, damaged.into_iter().map(|damage| damage.item).collect())
}

/// What is answered rises, never beyond what is applied, with a batch or by itself.
pub async fn replied_only_rises(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 1).await;
    let mut owner = Owner::of(&store, LANE).await;
    for _ in 0..3 {
        owner.change(&ids[0], narrow("3km")).await;
    }
    let replied = |epoch, next| store.ledger.replied(LANE, epoch, Position(next));
    replied(owner.claim.epoch, 2).await.unwrap();
    replied(owner.claim.epoch, 1).await.unwrap();
    owner.change(&ids[0], narrow("3km")).await;
    let mut owner = Owner::of(&store, LANE).await;
    assert_eq!(owner.claim.replied_next, Position(2));
    owner.claim.replied_next = Position(4);
    owner.change(&ids[0], narrow("3km")).await;
    replied(Epoch(owner.claim.epoch.0 - 1), 5).await.unwrap_err();
    let claim = Owner::of(&store, LANE).await.claim;
    assert_eq!((claim.replied_next, claim.applied_next), (Position(4), Position(5)));
}

/// Nobody answers what was not applied, whatever an owner says.
pub async fn replied_never_passes_applied(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 1).await;
    let mut owner = Owner::of(&store, LANE).await;
    owner.change(&ids[0], narrow("3km")).await;
    // Whether that is an error is the store's choice.
    let _ = store.ledger.replied(LANE, owner.claim.epoch, Position(9)).await;
    let claim = Owner::of(&store, LANE).await.claim;
    assert!(claim.replied_next <= claim.applied_next, "{claim:?}");
}
