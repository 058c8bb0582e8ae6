//! The promises of [`ShopLedger`](catchment_domain::ports::ShopLedger).

use std::slice;
use std::sync::Mutex;
use std::time::Duration;

use catchment_domain::Status::{Applied, Rejected, Unchanged};
use catchment_domain::ports::{Claim, StoreError};
use catchment_domain::{
    Batch, Campaign, CampaignId, CampaignRef, Change, Code, Deadline, Epoch, Lane, Loaded,
    Position, Replaced, Revision, ShopId, ShopImport, Status,
};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::StoreHarness;
use crate::owner::{Owner, id_at, record};
use crate::scene::{
    BASE, activate, by_the_rules, campaign, import, kind, lasting_log, limit, metres, named,
    narrow, narrow_by, passing_log, radius, row, shop, shops_in, stranger_in,
};

const LANE: Lane = Lane(0);

/// A batch that fails in its last shop has changed neither shop, lane nor receipts.
pub async fn apply_is_atomic(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 3).await;
    let owner = Owner::of(&store, LANE).await;
    harness.corrupt(&ids[2]).await;
    let records = (0..).zip(&ids).map(|(at, id)| record(at, id, narrow("3km"))).collect();
    let result = owner.try_apply(&owner.batch(records)).await;
    assert!(matches!(result, Err(StoreError::BadData { .. })), "{result:?}");
    assert_eq!((radius(&store, &ids[0]).await, radius(&store, &ids[1]).await), (BASE, BASE));
    assert_eq!(owner.receipts().await, []);
    let claim = store.ledger.claim(LANE, lasting_log(1)).await.unwrap();
    assert_eq!((claim.applied_next, claim.last_id), (Position(0), None));
}

/// The second time a batch is offered, it changes nothing.
pub async fn apply_repeated_is_fenced(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 1).await;
    let owner = Owner::of(&store, LANE).await;
    let batch = owner.batch(vec![record(0, &ids[0], narrow("3km"))]);
    owner.try_apply(&batch).await.unwrap();
    let before = shop(&store, &ids[0]).await;
    let again = owner.try_apply(&batch).await;
    assert!(matches!(again, Err(StoreError::Fenced)), "{again:?}");
    assert_eq!(shop(&store, &ids[0]).await, before);
    assert_eq!(owner.receipts().await.len(), 1);
}

/// Neither a part of what was applied nor something beyond a hole is applied.
pub async fn apply_from_elsewhere_is_fenced(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 1).await;
    let mut owner = Owner::of(&store, LANE).await;
    let three = |limit| (0..3).map(|at| record(at, &ids[0], narrow(limit))).collect::<Vec<_>>();
    owner.apply(three("3km")).await;
    let before = shop(&store, &ids[0]).await;
    for (from, records) in [
        (0, three("1km")[..2].to_vec()),
        (1, three("1km")[1..].to_vec()),
        (2, vec![record(2, &ids[0], narrow("1km")), record(3, &ids[0], narrow("1km"))]),
        (4, vec![record(4, &ids[0], narrow("1km"))]),
    ] {
        let result = owner.try_apply(&owner.batch_from(Position(from), records)).await;
        assert!(matches!(result, Err(StoreError::Fenced)), "from {from}: {result:?}");
    }
    assert_eq!(shop(&store, &ids[0]).await, before);
    assert_eq!(owner.receipts().await.len(), 1);
}

/// Positions need not follow each other, within a batch or between two.
pub async fn apply_accepts_gaps(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 2).await;
    let mut owner = Owner::of(&store, LANE).await;
    let first = vec![record(3, &ids[0], narrow("3km")), record(9, &ids[1], narrow("3km"))];
    let receipt = owner.apply(first).await;
    assert_eq!((receipt.from, receipt.to), (Position(0), Position(10)));
    owner.apply(vec![record(17, &ids[0], narrow("2km"))]).await;
    assert_eq!(radius(&store, &ids[0]).await, 2_000);
    let claim = store.ledger.claim(LANE, lasting_log(1)).await.unwrap();
    assert_eq!((claim.applied_next, claim.last_id), (Position(18), Some(id_at(17))));
    let behind = store.ledger.receipts(LANE, Position(10), Position(18)).await.unwrap();
    assert_eq!(behind.len(), 1);
}

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
    let claim = store.ledger.claim(LANE, lasting_log(1)).await.unwrap();
    assert_eq!((claim.applied_next, claim.replied_next), (Position(1), Position(0)));
}

/// Many owners that claim and apply at once apply each position once.
pub async fn claim_has_one_winner(harness: &dyn StoreHarness) {
    const OWNERS: usize = 8;
    const UNTIL: u64 = 24;
    let store = harness.store();
    let ids = shops_in(&store, LANE, 1).await;
    let mut owners = JoinSet::new();
    for _ in 0..OWNERS {
        let (store, id) = (store.clone(), ids[0].clone());
        owners.spawn(async move {
            loop {
                let mut owner = Owner::of(&store, LANE).await;
                while let Position(at @ ..UNTIL) = owner.claim.applied_next {
                    let batch = owner.batch(vec![record(at, &id, narrow("3km"))]);
                    // Others get a turn to claim between two batches.
                    tokio::task::yield_now().await;
                    match owner.try_apply(&batch).await {
                        Ok(_) => owner.claim.applied_next = batch.to(),
                        Err(StoreError::Fenced) => break,
                        Err(error) => panic!("{error}"),
                    }
                }
                if UNTIL <= owner.claim.applied_next.0 {
                    return;
                }
            }
        });
    }
    owners.join_all().await;
    let owner = Owner::of(&store, LANE).await;
    let entries = owner.receipts().await.into_iter().flat_map(|receipt| receipt.entries);
    let positions: Vec<u64> = entries.map(|entry| entry.position.0).collect();
    assert_eq!(positions, (0..UNTIL).collect::<Vec<_>>());
    assert_eq!(shop(&store, &ids[0]).await.state.version, 1 + UNTIL);
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
        let claim = store.ledger.claim(lane, lasting_log(1)).await.unwrap();
        assert_eq!(claim.applied_next, Position(10), "lane {lane}");
    }
}

/// What was applied is seen through every port, and by another process.
pub async fn apply_is_seen_by_all(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 1).await;
    let mut owner = Owner::of(&store, LANE).await;
    let receipt = owner.change(&ids[0], narrow("3km")).await;
    let standing = receipt.entries[0].outcome.standing.unwrap();
    for store in [Some(harness.store()), harness.reopened().await].into_iter().flatten() {
        let shop = shop(&store, &ids[0]).await;
        assert_eq!((shop.state.radius, shop.state.version), (standing.after, standing.version));
        assert_eq!(shop.state.active.len(), 1);
        let receipts = Owner::of(&store, LANE).await.receipts().await;
        assert_eq!(receipts, slice::from_ref(&receipt));
    }
}

/// What is read back is what judging left, to the last field: of a shop with causes of every
/// sort, and of as many shops as a batch has at most.
pub async fn apply_keeps_what_was_decided(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 2_000).await;
    let [old, new] = [campaign(&store, &ids).await, campaign(&store, &ids).await];
    let base = store.shops.take_revision().await.unwrap();
    let mut owner = Owner::of(&store, LANE).await;
    for changes in eventful(&old, &new, base).chunks(2) {
        let from = owner.claim.applied_next.0;
        let changes = changes.iter().cycle().copied();
        let records = (from..).zip(ids.iter().zip(changes));
        let batch = owner.batch(records.map(|(at, (id, change))| record(at, id, change)).collect());
        let judge = by_the_rules(store.shops.lanes());
        let judged = Mutex::new(Vec::new());
        let decide = |batch: &Batch, loaded: &mut Loaded| {
            let outcomes = judge(batch, loaded);
            judged.lock().unwrap().clone_from(&loaded.shops);
            outcomes
        };
        store.ledger.apply(&batch, &decide).await.unwrap();
        owner.claim.applied_next = batch.to();
        let stored = store.shops.list(&named(&ids), None, 5_000).await.unwrap();
        let stored: Vec<_> = stored.into_iter().map(|shop| Some(shop.state)).collect();
        let judged: Vec<_> = judged.into_inner().unwrap().into_iter().map(|s| s.state).collect();
        assert_eq!(judged.len(), 2_000);
        assert!(stored == judged, "{:?} instead of {:?}", stored[0], judged[0]);
    }
}

/// Changes that leave causes of every sort, two for each batch.
fn eventful(old: &Campaign, new: &Campaign, base: Revision) -> Vec<Change> {
    let failure = kind("system_failure");
    let activate_for = |campaign: &Campaign, to, replaces| Change::Activate {
        campaign: campaign.name,
        kind: failure,
        limit: limit(to),
        deadline: campaign.deadline,
        replaces,
    };
    let replaced = Replaced { campaign: old.name, deadline: old.deadline };
    vec![
        activate_for(old, "50%", None),
        activate_for(old, "100km", None),
        activate("manual", "closed"),
        Change::SetBase { revision: base, radius: metres(100_000), deadline: None },
        activate_for(new, "1m", Some(replaced)),
        Change::Release { campaign: old.name, deadline: old.deadline },
        Change::ReleaseKind { kind: kind("manual") },
        narrow("99%"),
    ]
}

/// A batch sees what somebody else stored since the owner's last one.
pub async fn apply_judges_by_what_is_stored(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 1).await;
    let mut owner = Owner::of(&store, LANE).await;
    owner.change(&ids[0], narrow("3km")).await;
    let narrower = ShopImport { base: Some(metres(2_000)), ..row(&ids[0]) };
    import(&store, &[narrower]).await;
    let version = shop(&store, &ids[0]).await.state.version;
    let receipt = owner.change(&ids[0], narrow("1km")).await;
    let standing = receipt.entries[0].outcome.standing.unwrap();
    assert_eq!(standing.before, Some(metres(2_000)));
    assert_eq!(standing.version, version + 1);
}

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

/// Once a lasting log is remembered, every other log is refused.
pub async fn lasting_log_is_remembered(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 1).await;
    let mut owner = Owner::in_log(&store, LANE, lasting_log(1)).await;
    owner.change(&ids[0], narrow("3km")).await;
    for other in [lasting_log(2), passing_log(3)] {
        let claim = store.ledger.claim(LANE, other).await;
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

/// Data that cannot be read is named, and stands in the way of nobody else.
pub async fn bad_data_is_named(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 2).await;
    let mut owner = Owner::of(&store, LANE).await;
    harness.corrupt(&ids[0]).await;
    match owner.try_apply(&owner.batch(vec![record(0, &ids[0], narrow("3km"))])).await {
        Err(StoreError::BadData { what }) => assert!(what.contains(ids[0].as_str()), "{what}"),
        other => panic!("{other:?}"),
    }
    owner.change(&ids[1], narrow("3km")).await;
    assert_eq!(radius(&store, &ids[1]).await, 3_000);
}

/// A campaign counts as known by revision and id together.
pub async fn unknown_campaigns_are_not_loaded(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 1).await;
    let known = campaign(&store, &ids).await;
    let (revision, id) = (known.name.revision, known.name.id);
    let foreign = CampaignId(Uuid::from_u128(0xf0));
    let owner = Owner::of(&store, LANE).await;
    let changes = [
        known.name,
        CampaignRef { revision, id: foreign },
        CampaignRef { revision: Revision(revision.0 + 1), id },
    ]
    .map(|campaign| Change::Release { campaign, deadline: known.deadline });
    let records = (0..).zip(changes).map(|(at, change)| record(at, &ids[0], change)).collect();
    let judge = by_the_rules(store.shops.lanes());
    let receipt = store
        .ledger
        .apply(&owner.batch(records), &|batch, loaded| {
            assert_eq!(loaded.campaigns, [known.name]);
            judge(batch, loaded)
        })
        .await
        .unwrap();
    let codes: Vec<_> = receipt.entries.iter().map(|entry| entry.outcome.code).collect();
    assert_eq!(codes, [None, Some(Code::UnknownCampaign), Some(Code::UnknownCampaign)]);
}
