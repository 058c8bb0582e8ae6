//! The promises of [`ShopRepository`](catchment_domain::ports::ShopRepository).

use std::collections::BTreeSet;
use std::time::Duration;

use catchment_domain::ports::{Imported, StoreError};
use catchment_domain::{
    Change, Circle, Code, Lane, Location, Profile, RELEASED_KEPT, Revision, Scope, Shop,
    ShopCursor, ShopId, ShopImport,
};
use tokio::task::JoinSet;

use crate::owner::Owner;
use crate::scene::{
    BASE, campaign, ids_in, import, metres, narrow, radius, row, shop, shops_in, terms,
};
use crate::{Store, StoreHarness};

const LANE: Lane = Lane(0);

/// New shops begin at version 1; known ones keep what is in force and take over the rest.
pub async fn import_adds_and_updates(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = ids_in(store.shops.lanes(), LANE, 3);
    let wide = ShopImport { base: Some(metres(8_000)), ..row(&ids[0]) };
    let first = store.shops.import(&[wide, row(&ids[1])], terms(Revision(1))).await.unwrap();
    assert_eq!(first, Imported { added: 2, updated: 0 });
    let new = shop(&store, &ids[0]).await;
    assert_eq!((new.state.radius, new.state.version), (metres(8_000), 1));
    assert_eq!(radius(&store, &ids[1]).await, BASE);
    Owner::of(&store, LANE).await.change(&ids[0], narrow("3km")).await;
    let before = shop(&store, &ids[0]).await.state;
    let mut renamed = ShopImport { base: Some(metres(2_000)), ..row(&ids[0]) };
    renamed.profile.name.insert_str(0, "New ");
    let rows = [renamed.clone(), row(&ids[1]), row(&ids[2])];
    let second = store.shops.import(&rows, terms(Revision(2))).await.unwrap();
    assert_eq!(second, Imported { added: 1, updated: 2 });
    let after = shop(&store, &ids[0]).await;
    assert_eq!((after.profile, after.state.active), (renamed.profile, before.active));
    assert_eq!(after.state.base.radius, metres(2_000));
    assert_eq!((after.state.radius, after.state.version), (metres(2_000), before.version + 1));
    let unnamed = shop(&store, &ids[1]).await.state;
    assert_eq!((unnamed.base.radius, unnamed.version), (metres(BASE), 2));
}

/// An import that meets a shop that cannot be read brings in nothing.
pub async fn import_is_atomic(harness: &dyn StoreHarness) {
    let store = harness.store();
    let known = shops_in(&store, LANE, 1).await;
    harness.corrupt(&known[0]).await;
    let ids = ids_in(store.shops.lanes(), Lane(1), 2);
    let rows = [row(&ids[0]), row(&known[0]), row(&ids[1])];
    let result = store.shops.import(&rows, terms(Revision(9))).await;
    assert!(matches!(result, Err(StoreError::BadData { .. })), "{result:?}");
    assert_eq!(store.shops.get(&ids[0]).await.unwrap(), None);
    assert_eq!(store.shops.get(&ids[1]).await.unwrap(), None);
}

/// Released causes stay, however old, until the lane's owner writes the shop.
pub async fn import_keeps_released_causes(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 1).await;
    let over = campaign(&store, &ids).await;
    let mut owner = Owner::of(&store, LANE).await;
    let release = Change::Release { campaign: over.name, deadline: over.deadline };
    owner.change(&ids[0], release).await;
    harness.advance(over.timeout + RELEASED_KEPT + Duration::from_secs(1));
    import(&store, &[row(&ids[0])]).await;
    let state = shop(&store, &ids[0]).await.state;
    assert_eq!(state.released.len(), 1);
    owner.change(&ids[0], narrow("3km")).await;
    let state = shop(&store, &ids[0]).await.state;
    assert_eq!(state.released, []);
}

/// Imports and batches over the same shops at once: none is lost.
pub async fn import_does_not_lose_a_request(harness: &dyn StoreHarness) {
    const EACH: u64 = 12;
    let store = harness.store();
    let ids = shops_in(&store, LANE, 3).await;
    let mut owner = Owner::of(&store, LANE).await;
    let (importer, rows) = (harness.store(), ids.iter().map(row).collect::<Vec<_>>());
    let importing = tokio::spawn(async move {
        for _ in 0..EACH {
            import(&importer, &rows).await;
            tokio::task::yield_now().await;
        }
    });
    for number in 0..EACH {
        let limit = format!("{}m", 1_000 + number);
        let from = owner.claim.applied_next.0;
        let records =
            (from..).zip(&ids).map(|(at, id)| crate::owner::record(at, id, narrow(&limit)));
        owner.apply(records.collect()).await;
        tokio::task::yield_now().await;
    }
    importing.await.unwrap();
    for id in &ids {
        let state = shop(&store, id).await.state;
        assert_eq!(state.version, 1 + 2 * EACH);
        assert_eq!((state.radius, state.active.len()), (metres(1_011), 1));
    }
}

/// A base radius with a lower revision stays out, from a file as from a request.
pub async fn import_older_base_does_not_count(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 1).await;
    let older = store.shops.take_revision().await.unwrap();
    let newer = store.shops.take_revision().await.unwrap();
    for (base, revision) in [(3_000, newer), (4_000, older)] {
        let row = ShopImport { base: Some(metres(base)), ..row(&ids[0]) };
        store.shops.import(&[row], terms(revision)).await.unwrap();
    }
    let base = shop(&store, &ids[0]).await.state.base;
    assert_eq!((base.radius, base.revision), (metres(3_000), newer));
    let late = Change::SetBase { revision: older, radius: metres(4_000), deadline: None };
    let receipt = Owner::of(&store, LANE).await.change(&ids[0], late).await;
    assert_eq!(receipt.entries[0].outcome.code, Some(Code::NewerBase));
}

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
            let page = store.shops.list(&Scope::everything(), after.as_ref(), limit).await.unwrap();
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
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let circle = |latitude, longitude, metres| {
        let centre = Location::new(latitude, longitude).unwrap();
        Some(Circle { centre, metres })
    };
    let ids = everything.iter().step_by(3).map(|shop| shop.id.clone()).collect();
    let ids = Some(ids);
    for scope in [
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
    ] {
        let inside = |shop: &&Shop| scope.contains(&shop.id, &shop.profile);
        let expected: Vec<Shop> = everything.iter().filter(inside).cloned().collect();
        assert_eq!(store.shops.list(&scope, None, 1_000).await.unwrap(), expected, "{scope:?}");
        assert_eq!(store.shops.count(&scope).await.unwrap(), expected.len() as u64, "{scope:?}");
    }
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
