//! Which texts can be stored, and how they are sorted.

use catchment_domain::ports::{ShopRepository, StoreError};
use catchment_domain::{Lane, Scope, ShopId};

use crate::scene::{ids_in, import, row, terms, together};
use crate::server::Server;

/// Whatever the database's locale is, capitals come before small letters, byte by byte.
#[tokio::test]
#[ignore = "needs PostgreSQL"]
async fn ids_are_told_apart_and_ordered_byte_by_byte() {
    let server = Server::new().await;
    let store = server.open().await;
    let ids = ["zebra", "Zebra", "ZEBRA", "a b", "a-b", "a.b", "ab", "é", "e\u{301}", "가게", "🛵"];
    let mut ids: Vec<ShopId> = ids.iter().map(|id| id.parse().unwrap()).collect();
    import(&store, &ids).await;
    let listed = store.list(&Scope::everything(), None, 100).await.unwrap().found;
    ids.sort_unstable_by_key(|id| (store.lanes().lane_of(id), id.clone()));
    assert_eq!(listed.into_iter().map(|shop| shop.id).collect::<Vec<_>>(), ids);
    for id in ids {
        assert_eq!(store.get(&id).await.unwrap().unwrap().id, id);
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL"]
async fn a_text_that_cannot_be_stored_leaves_everything_as_it_was() {
    let server = Server::new().await;
    let store = server.open().await;
    let mut rows: Vec<_> = ids_in(store.lanes(), Lane(0), 3).iter().map(row).collect();
    rows[1].profile.name = "NUL \0 byte".to_owned();
    let bad = store.import(&together(&store, rows), terms(&store).await).await.unwrap_err();
    assert!(matches!(bad, StoreError::BadData { .. }), "{bad:?}");
    assert_eq!(store.count(&Scope::everything()).await.unwrap(), 0);
}

#[tokio::test]
#[ignore = "needs PostgreSQL"]
async fn what_is_stored_and_cannot_be_read_is_named() {
    for (sql, named) in [
        ("UPDATE shop SET latitude = 'NaN'", "shop.latitude of shop `shop-"),
        ("UPDATE shop SET longitude = 'Infinity'", "shop.latitude of shop `shop-"),
        ("UPDATE shop_state SET radius = -1", "shop_state.radius of shop `shop-"),
        ("UPDATE shop_state SET base_effect = 7", "shop_state.base_effect of shop `shop-"),
        ("UPDATE shop_state SET causes = '\\x01ff'", "shop_state.causes of shop `shop-"),
    ] {
        let server = Server::new().await;
        let store = server.open().await;
        let ids = ids_in(store.lanes(), Lane(0), 1);
        import(&store, &ids).await;
        server.execute(sql);
        let error = store.get(&ids[0]).await.unwrap_err();
        let StoreError::BadData { what } = error else { panic!("{error:?}") };
        assert!(what.starts_with(named), "{what}");
    }
}
