//! The promises of [`ShopRepository`](catchment_domain::ports::ShopRepository).

mod beside;
mod importing;

use std::collections::{BTreeMap, BTreeSet};

use catchment_domain::ports::StoreError;
use catchment_domain::{
    Circle, Lane, Location, Profile, Revision, Scope, Shop, ShopCursor, ShopId, ShopImport,
    ShopState, StoredItem,
};
use tokio::task::JoinSet;

use crate::owner::Owner;
use crate::scene::{campaign, import, narrow, row, shop, shops_in};
use crate::{Store, StoreHarness};

pub use beside::{
    import_beside_a_batch_loses_nothing, import_beside_a_zombie_loses_nothing,
    import_beside_an_end_releases_every_shop, imports_at_once_add_each_shop_once,
};
pub use importing::{
    import_adds_and_updates, import_can_be_repeated, import_completes_orphans, import_is_atomic,
    import_keeps_released_causes, import_leaves_a_receipt, import_older_base_does_not_count,
    import_receipts_are_pruned, overruling_import_outranks_what_was_given_out,
    unreadable_import_receipt_stands_alone,
};

const LANE: Lane = Lane(0);

/// Whoever takes revisions at once, and campaigns among them, each gets its own.
pub async fn revisions_only_rise(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 1).await;
    let mut taking = JoinSet::new();
    for _ in 0..4 {
        let (store, ids) = (harness.store(), ids.clone());
        taking.spawn(async move {
            let first = store.shops.take_revision().await.unwrap();
            let second = campaign(&store, &ids).await.name.revision;
            let third = store.shops.take_revision().await.unwrap();
            assert!(first < second && second < third, "{first} {second} {third}");
            [first, second, third]
        });
    }
    let taken: Vec<Revision> = taking.join_all().await.into_iter().flatten().collect();
    let each: BTreeSet<Revision> = taken.iter().copied().collect();
    assert_eq!(each.len(), taken.len());
    assert!(Revision::NONE < taken[0]);
    for store in [Some(store), harness.reopened().await].into_iter().flatten() {
        let next = store.shops.take_revision().await.unwrap();
        assert_eq!(store.shops.newest_revision().await.unwrap(), next);
        assert!(each.iter().all(|revision| *revision < next));
    }
}

/// Pages of any size, put together, are the list, in the order of lane and id.
pub async fn list_pages_are_complete(harness: &dyn StoreHarness) {
    let store = harness.store();
    let lanes = store.shops.lanes();
    let mut expected: Vec<ShopId> = Vec::new();
    for lane in lanes.iter() {
        expected.extend(shops_in(&store, lane, 5).await);
    }
    for limit in [1, 3, 5, 100] {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page =
                store.shops.list(&Scope::everything(), after.as_ref(), limit).await.unwrap().found;
            assert!(page.len() <= limit);
            let Some(last) = page.last() else { break };
            after = Some(ShopCursor::behind(&last.id, lanes));
            seen.extend(page.into_iter().map(|shop| shop.id));
            assert!(seen.len() <= expected.len(), "pages of {limit} overlap");
        }
        assert_eq!(seen, expected, "pages of {limit}");
    }
}

/// Whatever the conditions, list and count hold what the domain's scope holds.
pub async fn list_and_count_agree_with_the_scope(harness: &dyn StoreHarness) {
    let store = harness.store();
    let everything = varied_shops(&store).await;
    for scope in scopes(&everything) {
        let inside = |shop: &&Shop| scope.contains(&shop.id, &shop.profile);
        let expected: Vec<Shop> = everything.iter().filter(inside).cloned().collect();
        assert_eq!(
            store.shops.list(&scope, None, 1_000).await.unwrap().found,
            expected,
            "{scope:?}"
        );
        assert_eq!(store.shops.count(&scope).await.unwrap(), expected.len() as u64, "{scope:?}");
    }
}

/// Groups count the shops of the list, whatever is in force there, and leave out what it leaves
/// out.
pub async fn groups_agree_with_the_list(harness: &dyn StoreHarness) {
    let store = harness.store();
    let everything = varied_shops(&store).await;
    let mut owner = Owner::of(&store, LANE).await;
    let of_lane = |shop: &&Shop| store.shops.lanes().lane_of(&shop.id) == LANE;
    let of_lane: Vec<&Shop> = everything.iter().filter(of_lane).collect();
    for (place, shop) in of_lane.iter().enumerate() {
        owner.change(&shop.id, narrow(if place % 2 == 0 { "1km" } else { "2km" })).await;
    }
    harness.damage(&StoredItem::State(of_lane[0].id.to_string())).await;
    harness.damage(&StoredItem::Profile(of_lane[1].id.to_string())).await;
    for scope in scopes(&everything) {
        let listed = store.shops.list(&scope, None, 1_000).await.unwrap().found;
        let mut expected: BTreeMap<String, u64> = BTreeMap::new();
        for shop in listed {
            *expected.entry(look(&shop.profile.region, &shop.state)).or_default() += 1;
        }
        let mut counted: BTreeMap<String, u64> = BTreeMap::new();
        for group in store.shops.groups(&scope).await.unwrap() {
            *counted.entry(look(&group.region, &group.state)).or_default() += group.shops;
        }
        assert_eq!(counted, expected, "{scope:?}");
    }
}

/// What is the same of the shops of a group.
fn look(region: &str, state: &ShopState) -> String {
    format!("{region} {:?}", ShopState { version: 0, ..state.clone() })
}

/// Scopes of every kind over shops.
fn scopes(everything: &[Shop]) -> [Scope; 10] {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let circle = |latitude, longitude, metres| {
        let centre = Location::new(latitude, longitude).unwrap();
        Some(Circle { centre, metres })
    };
    let ids = everything.iter().step_by(3).map(|shop| shop.id.clone()).collect();
    let ids = Some(ids);
    [
        Scope::everything(),
        Scope { regions: words(&["Camden", "Hackney"]), ..Scope::everything() },
        Scope { regions: words(&["camden", "100%", "Camde_"]), ..Scope::everything() },
        Scope { categories: words(&["카페"]), ..Scope::everything() },
        Scope { within: circle(51.5, -0.1, 4_000.0), ..Scope::everything() },
        Scope { within: circle(0.0, 180.0, 300_000.0), ..Scope::everything() },
        Scope { within: circle(89.99, 40.0, 50_000.0), ..Scope::everything() },
        Scope { ids: ids.clone(), ..Scope::everything() },
        Scope { ids: ids.clone(), categories: words(&["bar"]), ..Scope::everything() },
        Scope {
            ids,
            regions: words(&["Camden"]),
            categories: words(&["bar", "카페"]),
            within: circle(51.5, -0.1, 9_000.0),
        },
    ]
}

/// Pages of any size hold every shop that can be read, and name the others once. An import brings
/// back what a shop is.
pub async fn damage_is_named_and_left_out(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 6).await;
    let name = |place: usize| ids[place].to_string();
    let (state, profile) = (StoredItem::State, StoredItem::Profile);
    let items = [state(name(0)), state(name(2)), profile(name(3)), profile(name(5))];
    for item in &items {
        harness.damage(item).await;
    }
    for limit in [1, 2, 3, 100] {
        let (mut seen, mut named, mut after) = (Vec::new(), Vec::new(), None);
        loop {
            let page = store.shops.list(&Scope::everything(), after.as_ref(), limit).await.unwrap();
            named.extend(page.damaged.into_iter().map(|damage| damage.item));
            let Some(last) = page.found.last() else { break };
            after = Some(ShopCursor::behind(&last.id, store.shops.lanes()));
            seen.extend(page.found.into_iter().map(|shop| shop.id));
        }
        assert_eq!(seen, [1, 4].map(|place: usize| ids[place].clone()), "pages of {limit}");
        named.dedup();
        assert_eq!(named, items, "pages of {limit}");
    }
    for place in [0, 3] {
        let got = store.shops.get(&ids[place]).await;
        assert!(matches!(got, Err(StoreError::BadData { .. })), "{got:?}");
    }
    import(&store, &[row(&ids[3]), row(&ids[5])]).await;
    let list = store.shops.list(&Scope::everything(), None, 100).await.unwrap();
    assert!(list.found.iter().map(|shop| &shop.id).eq([1, 3, 4, 5].map(|place| &ids[place])));
    assert!(list.damaged.iter().map(|damage| &damage.item).eq(&items[..2]));
}

/// Regions and categories are those of the shops as they are now, each once, in order.
pub async fn regions_and_categories_are_listed(harness: &dyn StoreHarness) {
    let store = harness.store();
    assert_eq!(store.shops.regions().await.unwrap(), Vec::<String>::new());
    let shops = varied_shops(&store).await;
    let regions: BTreeSet<String> = shops.iter().map(|shop| shop.profile.region.clone()).collect();
    assert_eq!(store.shops.regions().await.unwrap(), Vec::from_iter(regions));
    let categories: BTreeSet<String> =
        shops.iter().map(|shop| shop.profile.category.clone()).collect();
    assert_eq!(store.shops.categories().await.unwrap(), Vec::from_iter(categories));
}

/// Shops that differ in every respect that a scope knows, in the order of a list.
async fn varied_shops(store: &Store) -> Vec<Shop> {
    let lanes = store.shops.lanes();
    let places = [(51.5, -0.1), (51.53, -0.1), (51.57, -0.14), (0.0, 179.9), (0.1, -179.9)];
    let places = places.into_iter().chain([(89.95, -100.0), (-90.0, 0.0)]);
    let mut rows = Vec::new();
    for (number, (latitude, longitude)) in places.cycle().take(42).enumerate() {
        let region = ["Camden", "Hackney", "100%", "마포구"][number % 4].to_owned();
        let category = ["bar", "카페", "Bar"][number % 3].to_owned();
        let location = Location::new(latitude, longitude).unwrap();
        let profile = Profile { name: format!("Shop {number}"), category, region, location };
        rows.push(ShopImport { id: format!("s{number}").parse().unwrap(), profile, base: None });
    }
    import(store, &rows).await;
    rows.sort_by_key(|row| ShopCursor::behind(&row.id, lanes));
    let mut shops = Vec::with_capacity(rows.len());
    for row in rows {
        shops.push(shop(store, &row.id).await);
    }
    shops
}
