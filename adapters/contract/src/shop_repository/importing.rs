//! Imports one after the other.

use std::time::Duration;

use catchment_domain::ports::StoreError;
use catchment_domain::{
    Change, Code, Command, DecidedBy, ImportBatch, ImportEntry, ImportNumber, ImportOrder,
    ImportReceipt, ImportRemark, ImportTerms, Imported, Lane, Phase, RELEASED_KEPT, Revision,
    ShopId, ShopImport, Standing, StoredItem,
};

use super::LANE;
use crate::owner::Owner;
use crate::scene::{
    BASE, campaign, ids_in, import, import_receipts, kind, metres, named, narrow, radius, row,
    shop, shops_in, terms,
};
use crate::{Store, StoreHarness};

/// Brings rows of one lane in, all or none.
async fn try_import(
    store: &Store,
    rows: &[ShopImport],
    revision: Revision,
) -> Result<ImportReceipt, StoreError> {
    let batches = ImportBatch::split(rows.to_vec(), store.shops.lanes());
    assert_eq!(batches.len(), 1, "the rows are of one lane");
    store.shops.import(&batches[0], terms(revision)).await
}

/// New shops begin at version 1; known ones keep what is in force and take over the rest.
pub async fn import_adds_and_updates(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = ids_in(store.shops.lanes(), LANE, 3);
    let wide = ShopImport { base: Some(metres(8_000)), ..row(&ids[0]) };
    let first = try_import(&store, &[wide, row(&ids[1])], Revision(1)).await.unwrap();
    assert_eq!(first.counts(), Imported { added: 2, updated: 0 });
    let new = shop(&store, &ids[0]).await;
    assert_eq!((new.state.radius, new.state.version), (metres(8_000), 1));
    assert_eq!(radius(&store, &ids[1]).await, BASE);
    Owner::of(&store, LANE).await.change(&ids[0], narrow("3km")).await;
    let before = shop(&store, &ids[0]).await.state;
    let mut renamed = ShopImport { base: Some(metres(2_000)), ..row(&ids[0]) };
    renamed.profile.name.insert_str(0, "New ");
    let rows = [renamed.clone(), row(&ids[1]), row(&ids[2])];
    let second = try_import(&store, &rows, Revision(2)).await.unwrap();
    assert_eq!(second.counts(), Imported { added: 1, updated: 2 });
    let after = shop(&store, &ids[0]).await;
    assert_eq!((after.profile, after.state.active), (renamed.profile, before.active));
    assert_eq!(after.state.base.radius, metres(2_000));
    assert_eq!((after.state.radius, after.state.version), (metres(2_000), before.version + 1));
    let unnamed = shop(&store, &ids[1]).await.state;
    assert_eq!((unnamed.base.radius, unnamed.version), (metres(BASE), 2));
}

/// A batch that meets a shop that cannot be read brings in nothing, and leaves no receipt.
pub async fn import_is_atomic(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = ids_in(store.shops.lanes(), LANE, 3);
    import(&store, &[row(&ids[1])]).await;
    harness.corrupt(&ids[1]).await;
    let rows: Vec<ShopImport> = ids.iter().map(row).collect();
    let result = try_import(&store, &rows, Revision(9)).await;
    assert!(matches!(result, Err(StoreError::BadData { .. })), "{result:?}");
    assert_eq!(store.shops.get(&ids[0]).await.unwrap(), None);
    assert_eq!(store.shops.get(&ids[2]).await.unwrap(), None);
    assert_eq!(import_receipts(&store, LANE).await.len(), 1);
    // Nor is it counted.
    let next = try_import(&store, &rows[..1], Revision(10)).await.unwrap();
    assert_eq!(next.number, ImportNumber(2));
}

/// A receipt says how each shop was left; each lane counts its own imports.
pub async fn import_leaves_a_receipt(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = ids_in(store.shops.lanes(), LANE, 2);
    assert_eq!(import_receipts(&store, LANE).await, []);
    let wide = ShopImport { base: Some(metres(8_000)), ..row(&ids[0]) };
    let first = try_import(&store, &[wide], Revision(1)).await.unwrap();
    Owner::of(&store, LANE).await.change(&ids[0], narrow("3km")).await;
    harness.advance(Duration::from_secs(7));
    let narrower = ShopImport { base: Some(metres(2_000)), ..row(&ids[0]) };
    let second = try_import(&store, &[narrower, row(&ids[1])], Revision(3)).await.unwrap();
    let request = DecidedBy::Request { kind: kind("rider_shortage") };
    let left = |shop: &ShopId, before: Option<u32>, after, decided_by, version| {
        let (before, after) = (before.map(metres), metres(after));
        let standing = Standing { before, after, decided_by, version };
        ImportEntry { shop: shop.clone(), standing, remark: None }
    };
    let added = ImportReceipt {
        lane: LANE,
        number: ImportNumber(1),
        revision: Revision(1),
        at: first.at,
        entries: vec![left(&ids[0], None, 8_000, DecidedBy::Base, 1)],
    };
    let updated = ImportReceipt {
        lane: LANE,
        number: ImportNumber(2),
        revision: Revision(3),
        at: harness.now(),
        entries: vec![
            left(&ids[0], Some(3_000), 2_000, request, 3),
            left(&ids[1], None, BASE, DecidedBy::Base, 1),
        ],
    };
    assert_eq!((first, second), (added.clone(), updated.clone()));
    let elsewhere = ids_in(store.shops.lanes(), Lane(1), 1);
    let other = try_import(&store, &[row(&elsewhere[0])], Revision(3)).await.unwrap();
    assert_eq!((other.lane, other.number), (Lane(1), ImportNumber(1)));
    for store in [Some(store), harness.reopened().await].into_iter().flatten() {
        assert_eq!(import_receipts(&store, LANE).await, [added.clone(), updated.clone()]);
    }
}

/// A receipt that cannot be read is named, wherever it stands, and hides no other receipt.
pub async fn unreadable_import_receipt_stands_alone(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = ids_in(store.shops.lanes(), LANE, 1);
    for _ in 0..5 {
        import(&store, &[row(&ids[0])]).await;
    }
    let all = import_receipts(&store, LANE).await;
    let damaged = [1, 3, 5].map(|number| StoredItem::ImportReceipt(LANE, ImportNumber(number)));
    for item in &damaged {
        harness.damage(item).await;
    }
    let mut found = Vec::new();
    let visit = &mut |receipt| found.push(receipt);
    let named = store.shops.visit_import_receipts(LANE, visit).await.unwrap();
    assert_eq!(found, [all[1].clone(), all[3].clone()]);
    assert!(named.into_iter().map(|damage| damage.item).eq(damaged));
}

/// Old receipts go with later imports, a few with each; others stay.
pub async fn import_receipts_are_pruned(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = ids_in(store.shops.lanes(), LANE, 1);
    for _ in 0..3 {
        import(&store, &[row(&ids[0])]).await;
    }
    harness.advance(harness.receipts_kept());
    import(&store, &[row(&ids[0])]).await;
    assert_eq!(import_receipts(&store, LANE).await.len(), 4, "they are as old as they may be");
    harness.advance(Duration::from_secs(1));
    for _ in 0..3 {
        import(&store, &[row(&ids[0])]).await;
    }
    let numbers: Vec<u64> =
        import_receipts(&store, LANE).await.iter().map(|r| r.number.0).collect();
    assert_eq!(numbers, [4, 5, 6, 7]);
}

/// Released causes stay, however old, until the lane's owner writes the shop.
pub async fn import_keeps_released_causes(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 1).await;
    let over = campaign(&store, &ids).await;
    let mut owner = Owner::of(&store, LANE).await;
    let over = store.campaigns.command(over.name.revision, Command::End).await.unwrap();
    owner.ask(&over, Phase::Release, (0, &ids[0])).await;
    harness.advance(over.timeout + RELEASED_KEPT + Duration::from_secs(1));
    import(&store, &[row(&ids[0])]).await;
    let state = shop(&store, &ids[0]).await.state;
    assert_eq!(state.released.len(), 1);
    owner.change(&ids[0], narrow("3km")).await;
    let state = shop(&store, &ids[0]).await.state;
    assert_eq!(state.released, []);
}

/// Each half of a shop comes back, and the other one is what it was.
pub async fn import_completes_orphans(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 2).await;
    Owner::of(&store, LANE).await.change(&ids[0], narrow("3km")).await;
    let before = shop(&store, &ids[0]).await;
    let lost = [StoredItem::Profile(ids[0].to_string()), StoredItem::State(ids[1].to_string())];
    for item in &lost {
        if !harness.lose(item).await {
            return;
        }
    }
    assert_eq!(store.shops.get(&ids[0]).await.unwrap(), None);
    import(&store, &ids.iter().map(row).collect::<Vec<_>>()).await;
    let after = shop(&store, &ids[0]).await;
    assert_eq!((after.profile, after.state.active), (before.profile, before.state.active));
    assert_eq!(after.state.radius, metres(3_000));
    assert_eq!(radius(&store, &ids[1]).await, BASE);
}

/// What was stored before an import stopped is brought in once more, and then the rest.
pub async fn import_can_be_repeated(harness: &dyn StoreHarness) {
    let store = harness.store();
    let lanes = store.shops.lanes();
    let ids: Vec<ShopId> = lanes.iter().flat_map(|lane| ids_in(lanes, lane, 3)).collect();
    let rows = ids.iter().map(|id| ShopImport { base: Some(metres(8_000)), ..row(id) });
    let batches = ImportBatch::split(rows.collect(), lanes);
    let first = store.shops.take_revision().await.unwrap();
    for batch in &batches[..batches.len() / 2] {
        store.shops.import(batch, terms(first)).await.unwrap();
    }
    let second = store.shops.take_revision().await.unwrap();
    for batch in &batches {
        store.shops.import(batch, terms(second)).await.unwrap();
    }
    let shops = store.shops.list(&named(&ids), None, 1_000).await.unwrap().found;
    assert_eq!(shops.len(), ids.len());
    for shop in shops {
        assert_eq!((shop.state.radius, shop.state.base.radius), (metres(8_000), metres(8_000)));
    }
}

/// A shop keeps its base radius against a lower revision, from a file or from a request. The
/// receipt of the file names the newer revision.
pub async fn import_older_base_does_not_count(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 1).await;
    let older = store.shops.take_revision().await.unwrap();
    let newer = store.shops.take_revision().await.unwrap();
    let named = Some(ImportRemark::NewerBase(newer));
    for (base, revision, remark) in
        [(Some(3_000), newer, None), (Some(4_000), older, named), (None, older, None)]
    {
        let row = ShopImport { base: base.map(metres), ..row(&ids[0]) };
        let receipt = try_import(&store, &[row], revision).await.unwrap();
        assert_eq!(receipt.entries[0].remark, remark);
        assert_eq!(import_receipts(&store, LANE).await.last(), Some(&receipt));
    }
    let base = shop(&store, &ids[0]).await.state.base;
    assert_eq!((base.radius, base.revision), (metres(3_000), newer));
    let late = Change::SetBase { revision: older, radius: metres(4_000), deadline: None };
    let receipt = Owner::of(&store, LANE).await.change(&ids[0], late).await;
    assert_eq!(receipt.entries[0].outcome.code, Some(Code::NewerBase));
}

/// An overruling import replaces a base radius whose revision was given out after the import began.
/// It also replaces a base radius whose revision was never given out, as another program may send.
/// After it, copies of older requests are superseded, and a later request counts.
pub async fn overruling_import_outranks_what_was_given_out(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 2).await;
    let rows = |base| ids.iter().map(move |id| ShopImport { base: Some(metres(base)), ..row(id) });
    try_import(&store, &rows(9_000).take(1).collect::<Vec<_>>(), Revision::MAX).await.unwrap();
    let given = store.shops.take_revision().await.unwrap();
    let set = Change::SetBase { revision: given, radius: metres(8_000), deadline: None };
    let under_way = store.shops.take_revision().await.unwrap();
    let late = Change::SetBase { revision: under_way, radius: metres(7_000), deadline: None };
    let mut owner = Owner::of(&store, LANE).await;
    owner.change(&ids[1], set).await;
    let batches = ImportBatch::split(rows(3_000).collect(), store.shops.lanes());
    let [batch] = <[_; 1]>::try_from(batches).unwrap();
    let overruling = ImportTerms { order: ImportOrder::Overruling, ..terms(given) };
    let receipt = store.shops.import(&batch, overruling).await.unwrap();
    assert!(under_way < receipt.revision, "{:?}", receipt.revision);
    let newer = store.shops.take_revision().await.unwrap();
    assert!(receipt.revision < newer, "nobody else gets it");
    for (place, id) in ids.iter().enumerate() {
        assert_eq!(receipt.entries[place].remark, None);
        let base = shop(&store, id).await.state.base;
        assert_eq!((base.radius, base.revision), (metres(3_000), receipt.revision));
        for copy in [set, late] {
            let applied = owner.change(id, copy).await;
            assert_eq!(applied.entries[0].outcome.code, Some(Code::NewerBase));
        }
        let change = Change::SetBase { revision: newer, radius: metres(4_000), deadline: None };
        owner.change(id, change).await;
        assert_eq!(radius(&store, id).await, 4_000);
    }
}
