//! Batches: applied whole, once, and by what is stored.

use std::slice;
use std::sync::Mutex;

use catchment_domain::ports::StoreError;
use catchment_domain::{
    Batch, Campaign, CampaignId, CampaignRef, Change, Code, Loaded, Position, Replaced, Revision,
    ShopImport, StoredItem,
};
use uuid::Uuid;

use super::LANE;
use crate::StoreHarness;
use crate::owner::{Owner, id_at, record};
use crate::scene::{
    BASE, activate, by_the_rules, campaign, import, kind, lasting_log, limit, metres, named,
    narrow, radius, row, shop, shops_in, stranger_in,
};

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

/// A shop that has lost what is in force there is told from one that never was, and stands in the
/// way of nobody else.
pub async fn orphan_is_no_unknown_shop(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 2).await;
    let mut owner = Owner::of(&store, LANE).await;
    let stranger = stranger_in(store.shops.lanes(), LANE);
    let receipt = owner.change(&stranger, narrow("3km")).await;
    assert_eq!(receipt.entries[0].outcome.code, Some(Code::UnknownShop));
    if !harness.lose(&StoredItem::State(ids[0].to_string())).await {
        return;
    }
    let at = owner.claim.applied_next.0;
    match owner.try_apply(&owner.batch(vec![record(at, &ids[0], narrow("3km"))])).await {
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
        let stored = store.shops.list(&named(&ids), None, 5_000).await.unwrap().found;
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
