//! Rows that another program damaged in a `SQLite` file.

use catchment_domain::ports::{ShopLedger, ShopRepository, StoreError};
use catchment_domain::{Damage, Lane, Position, Scope, ShopCursor, ShopFingerprint, StoredItem};

use crate::scene::{LOG, batch, decide, ids_in, import, row, terms, together};
use crate::world::World;

#[tokio::test]
async fn a_value_out_of_range_is_damage_of_its_shop_alone() {
    let world = World::new();
    let store = world.open().await;
    let ids = ids_in(store.lanes(), Lane(0), 5);
    import(&store, &ids).await;
    let name = |place: usize| ids[place].to_string();
    for (place, set) in [(0, "radius = 5000000000"), (3, "version = -1")] {
        let id = name(place);
        world.execute(&format!("UPDATE shop_state SET {set} WHERE id = '{id}'")).await;
    }
    let last = name(4);
    world.execute(&format!("UPDATE shop SET latitude = 200 WHERE id = '{last}'")).await;
    let (state, profile) = (StoredItem::State, StoredItem::Profile);
    let expected =
        [(state(name(0)), "radius"), (state(name(3)), "version"), (profile(last), "latitude")];
    for limit in [1, 2, 100] {
        let (mut seen, mut damaged, mut after) = (Vec::new(), Vec::new(), None);
        loop {
            let page = store.list(&Scope::everything(), after.as_ref(), limit).await.unwrap();
            let is_last = page.found.len() < limit;
            after = page.found.last().map(|last| ShopCursor::behind(&last.id, store.lanes()));
            seen.extend(page.found.into_iter().map(|shop| shop.id));
            damaged.extend(page.damaged);
            if is_last {
                break;
            }
        }
        assert_eq!(seen, [ids[1].clone(), ids[2].clone()], "pages of {limit}");
        for (Damage { item, what }, (expected, column)) in damaged.iter().zip(&expected) {
            assert_eq!(item, expected);
            assert!(what.contains(column), "{what}");
        }
        assert_eq!(damaged.len(), expected.len(), "{damaged:?}");
    }
    for place in [0, 3, 4] {
        let got = store.get(&ids[place]).await;
        assert!(matches!(got, Err(StoreError::BadData { .. })), "{got:?}");
    }
}

/// The import reports the lane once, and does not report its rows as damaged.
#[tokio::test]
async fn an_import_into_a_lane_that_was_lost_is_refused_with_its_name() {
    let world = World::new();
    let store = world.open().await;
    world.execute("DELETE FROM lane_state WHERE lane = 0").await;
    let ids = ids_in(store.lanes(), Lane(0), 5);
    let batch = together(&store, ids.iter().map(row).collect());
    let refused = store.import(&batch, terms(&store).await).await.unwrap_err();
    let StoreError::Refused { what } = refused else { panic!("{refused:?}") };
    assert!(what.contains("lane 0") && what.contains("backup"), "{what}");
    // The other lanes go on.
    import(&store, &ids_in(store.lanes(), Lane(1), 5)).await;
    assert_eq!(store.count(&Scope::everything()).await.unwrap(), 5);
}

/// A receipt that cannot be read is named, and an audit sees all others.
#[tokio::test]
async fn a_receipt_that_cannot_be_read_hides_no_other() {
    let world = World::new();
    let store = world.open().await;
    let ids = ids_in(store.lanes(), Lane(0), 2);
    import(&store, &ids).await;
    for _ in 0..3 {
        let claim = store.claim(Lane(0), LOG, None).await.unwrap();
        store.apply(&batch(&claim, &ids), &decide(store.lanes())).await.unwrap();
    }
    world.execute("UPDATE receipt SET entries = x'01' WHERE from_position = 2").await;
    let mut seen = Vec::new();
    let damaged =
        store.visit_receipts(&mut |lane, receipt| seen.push((lane, receipt))).await.unwrap();
    let [Damage { item, what }] = &damaged[..] else { panic!("{damaged:?}") };
    assert_eq!(*item, StoredItem::Receipt(Lane(0), Position(2)));
    assert!(what.contains("receipt.entries of lane 0, epoch 2, from 2"), "{what}");
    let begins = seen.iter().map(|(lane, receipt)| (*lane, receipt.from));
    assert!(begins.eq([0, 4].map(|from| (Lane(0), Position(from)))));
    let shops = seen.iter().flat_map(|(_, receipt)| &receipt.entries).map(|entry| entry.shop);
    let expected: Vec<_> = ids.iter().map(|id| Some(ShopFingerprint::of(id))).collect();
    assert!(shops.eq([&expected[..], &expected[..]].concat()));
}
