//! Writes that fail.

use catchment_domain::ports::{ShopRepository, StoreError};
use catchment_domain::{Lane, Scope};

use crate::scene::{ids_in, row, terms, together};
use crate::world::World;

/// A sequence without a free number fails in the same way as a disk without free space.
#[tokio::test]
async fn a_full_disk_leaves_everything_as_it_was() {
    let world = World::new();
    let store = world.open().await;
    world
        .execute(
            "CREATE TABLE last (id INTEGER PRIMARY KEY AUTOINCREMENT);
             INSERT INTO last VALUES (9223372036854775807);
             CREATE TRIGGER full AFTER INSERT ON shop WHEN NEW.id LIKE '%9'
             BEGIN INSERT INTO last VALUES (NULL); END",
        )
        .await;
    let ids = ids_in(store.lanes(), Lane(0), 50);
    let batch = together(&store, ids.iter().map(row).collect());
    let full = store.import(&batch, terms(&store).await).await.unwrap_err();
    let StoreError::Unavailable(source) = full else { panic!("{full:?}") };
    assert_eq!(source.to_string(), "the disk of the database is full");
    let cause = std::error::Error::source(&*source).map(ToString::to_string);
    assert!(cause.is_some_and(|cause| cause.ends_with("database or disk is full")), "{source:?}");
    assert_eq!(store.count(&Scope::everything()).await.unwrap(), 0);
}
