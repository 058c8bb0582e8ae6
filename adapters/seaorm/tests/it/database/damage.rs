//! Rows that another program damaged in a `SQLite` file.

use catchment_domain::ports::{ShopRepository, StoreError};
use catchment_domain::{Damage, Lane, Scope, ShopCursor, StoredItem};

use crate::scene::{ids_in, import, row, terms, together};
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
