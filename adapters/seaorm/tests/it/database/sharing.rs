//! Processes that share one file, and calls that are dropped half way.

use std::task::Poll;
use std::time::Duration;

use catchment_domain::ports::{Holder, ReplyLanes, ShopLedger, ShopRepository, StoreError};
use catchment_domain::{Lane, Location, Position, ReplyLane, ShopImport};
use catchment_seaorm::{SeaOrmStore, StoreSettings};
use sea_orm::{ConnectionTrait, Database};
use uuid::Uuid;

use crate::scene::{LOG, batch, decide, ids_in, import, row, terms, together};
use crate::world::World;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_new_file_may_be_opened_by_many_at_once() {
    for _ in 0..10 {
        let world = std::sync::Arc::new(World::new());
        let opening = (0..6).map(|_| {
            let world = std::sync::Arc::clone(&world);
            tokio::spawn(async move { world.open().await.take_revision().await.unwrap() })
        });
        let mut revisions = Vec::new();
        for opened in opening.collect::<Vec<_>>() {
            revisions.push(opened.await.unwrap().0);
        }
        revisions.sort_unstable();
        assert_eq!(revisions, [1, 2, 3, 4, 5, 6]);
    }
}

#[tokio::test]
async fn a_lease_is_seen_by_every_user_of_the_file() {
    let world = World::new();
    let (one, other) = (world.open().await, world.open().await);
    let duration = Duration::from_secs(10);
    let lease = async |store: &SeaOrmStore, holder: u128| {
        let (lane, holder) = (ReplyLane(0), Holder(Uuid::from_u128(holder)));
        store.lease(lane, holder, (LOG, Position(5)), duration).await.unwrap()
    };
    assert!(lease(&one, 1).await.is_some());
    assert_eq!(lease(&other, 2).await, None);
    world.clock.step(10_000);
    assert!(lease(&other, 2).await.is_some());
}

/// An apply that is dropped half way has been applied whole or not at all. The next caller does not
/// wait for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_apply_that_is_dropped_half_way_leaves_nothing_open() {
    let world = World::new();
    let settings = StoreSettings { lock_timeout: Duration::from_millis(200), ..world.settings() };
    let store = world.try_open(&settings).await.unwrap();
    let other = world.try_open(&settings).await.unwrap();
    let ids = ids_in(settings.lanes, Lane(0), 50);
    import(&store, &ids).await;
    let (mut dropped, mut finished) = (0, 0);
    // The last ones may finish, however many polls that takes.
    for polls in (0..100).chain([u32::MAX; 3]) {
        let claim = store.claim(Lane(0), LOG, None).await.unwrap();
        let batch = batch(&claim, &ids);
        let decide = decide(settings.lanes);
        match within(polls, store.apply(&batch, &decide)).await {
            Some(applied) => {
                applied.unwrap();
                finished += 1;
            }
            None => dropped += 1,
        }
        import(&other, &ids[..1]).await;
        let claim = store.claim(Lane(0), LOG, None).await.unwrap();
        let receipts = store.receipts(Lane(0), batch.from, batch.to()).await.unwrap();
        let is_applied = claim.applied_next == batch.to();
        assert!(is_applied || claim.applied_next == batch.from, "{claim:?}");
        assert_eq!(receipts.len(), usize::from(is_applied));
    }
    assert!(0 < dropped && 0 < finished, "{dropped} dropped, {finished} finished");
}

#[tokio::test]
async fn a_writer_that_does_not_come_to_an_end_makes_others_give_up() {
    let world = World::new();
    let settings = StoreSettings { lock_timeout: Duration::from_millis(5), ..world.settings() };
    let store = world.try_open(&settings).await.unwrap();
    let other = Database::connect(world.url()).await.unwrap();
    other.execute_unprepared("BEGIN IMMEDIATE").await.unwrap();
    let unavailable = store.take_revision().await.unwrap_err();
    assert!(matches!(unavailable, StoreError::Unavailable(_)), "{unavailable:?}");
    assert_eq!(store.regions().await.unwrap(), Vec::<String>::new());
    other.execute_unprepared("ROLLBACK").await.unwrap();
    assert!(store.take_revision().await.is_ok());
}

#[tokio::test]
async fn places_on_the_map_are_stored_to_the_last_bit() {
    let world = World::new();
    let store = world.open().await;
    let mut rows: Vec<ShopImport> = ids_in(store.lanes(), Lane(1), 50).iter().map(row).collect();
    for (number, row) in (1_u32..).zip(&mut rows) {
        let share = 1.0 / f64::from(number * 7);
        row.profile.location = Location::new(90.0 * share, -180.0 * share).unwrap();
        row.profile.name = format!("가게 \"{number}\"\\\n");
    }
    let batch = together(&store, rows.clone());
    store.import(&batch, terms(&store).await).await.unwrap();
    for row in rows {
        assert_eq!(store.get(&row.id).await.unwrap().unwrap().profile, row.profile);
    }
}

/// Polls a future once and then up to this many times, and drops it if it is still not ready.
async fn within<F: Future>(polls: u32, future: F) -> Option<F::Output> {
    let mut future = std::pin::pin!(future);
    let mut left = polls;
    std::future::poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending if left == 0 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}
