//! Transactions that wait for other transactions.

use std::sync::mpsc;
use std::time::Duration;

use catchment_domain::ports::{Holder, ReplyLanes, ShopLedger, ShopRepository, StoreError};
use catchment_domain::{Batch, Lane, Loaded, Position, ReplyLane, ShopId, Status};
use catchment_seaorm::{SeaOrmStore, StoreSettings};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection};
use uuid::Uuid;

use crate::scene::{LOG, batch, decide, ids_in, import};
use crate::server::Server;

/// Makes a server with some shops of a lane.
async fn world() -> (Server, SeaOrmStore, Vec<ShopId>) {
    let server = Server::new().await;
    let store = server.open().await;
    let ids = ids_in(store.lanes(), Lane(0), 20);
    import(&store, &ids).await;
    (server, store, ids)
}

/// Opens a connection as another program.
async fn stranger(server: &Server) -> DatabaseConnection {
    let mut options = sea_orm::ConnectOptions::new(server.url());
    options.max_connections(1);
    Database::connect(options).await.unwrap()
}

fn lock(id: &ShopId) -> String {
    format!("SELECT FROM shop_state WHERE id = '{id}' FOR UPDATE")
}

/// Waits until a session of this schema waits for a lock.
async fn until_somebody_waits(connection: &DatabaseConnection, server: &Server) {
    let sql = format!(
        "SELECT pid FROM pg_stat_activity
         WHERE application_name = '{}' AND wait_event_type = 'Lock'",
        server.schema
    );
    let backend = connection.get_database_backend();
    loop {
        let query = sea_orm::Statement::from_string(backend, &sql);
        if connection.query_one_raw(query).await.unwrap().is_some() {
            return;
        }
        tokio::task::yield_now().await;
    }
}

/// Fault 5: the process of an owner freezes within its transaction. The server ends the
/// transaction, and the next owner goes on. When the frozen process thaws, nothing that it does
/// counts.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "needs PostgreSQL"]
async fn a_frozen_writer_is_evicted() {
    let (server, store, ids) = world().await;
    let idle_in_transaction_session_timeout = Duration::from_millis(300);
    let settings = StoreSettings { idle_in_transaction_session_timeout, ..Server::settings() };
    let frozen = server.try_open(&settings).await.unwrap();
    let old = batch(&frozen.claim(Lane(0), LOG, None).await.unwrap(), &ids);
    let (started, has_started) = mpsc::channel();
    let (thaw, thawed) = mpsc::sync_channel::<()>(0);
    let thawed = std::sync::Mutex::new(thawed);
    let lanes = store.lanes();
    let freezing = tokio::spawn(async move {
        let judge = decide(lanes);
        let freeze = move |batch: &Batch, loaded: &mut Loaded| {
            started.send(()).unwrap();
            tokio::task::block_in_place(|| thawed.lock().unwrap().recv().unwrap());
            judge(batch, loaded)
        };
        frozen.apply(&old, &freeze).await
    });
    tokio::task::block_in_place(|| has_started.recv().unwrap());
    let claim = store.claim(Lane(0), LOG, None).await.unwrap();
    let batch = batch(&claim, &ids);
    store.apply(&batch, &decide(lanes)).await.unwrap();
    thaw.send(()).unwrap();
    let late = freezing.await.unwrap();
    assert!(matches!(late, Err(StoreError::Unavailable(_) | StoreError::Fenced)), "{late:?}");
    let receipts = store.receipts(Lane(0), batch.from, batch.to()).await.unwrap();
    assert_eq!(receipts.len(), 1);
}

/// Fault 27: our transaction and a foreign one wait for each other. Ours is rolled back and tried
/// again.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "needs PostgreSQL"]
async fn a_deadlock_is_tried_again() {
    let (server, store, ids) = world().await;
    let other = stranger(&server).await;
    // This makes sure that our transaction is the one that notices.
    other.execute_unprepared("SET deadlock_timeout = '1min'").await.unwrap();
    other.execute_unprepared("BEGIN").await.unwrap();
    other.execute_unprepared(&lock(&ids[19])).await.unwrap();
    let claim = store.claim(Lane(0), LOG, None).await.unwrap();
    let batch = batch(&claim, &ids);
    let judge = decide(store.lanes());
    let applying = store.apply(&batch, &judge);
    let foreign = async {
        let control = stranger(&server).await;
        until_somebody_waits(&control, &server).await;
        other.execute_unprepared(&lock(&ids[0])).await.unwrap();
        other.execute_unprepared("COMMIT").await.unwrap();
    };
    let (applied, ()) = tokio::join!(applying, foreign);
    assert_eq!(applied.unwrap().entries.len(), 20);
    assert_eq!(store.claim(Lane(0), LOG, None).await.unwrap().applied_next, batch.to());
}

/// Fault 28: one shop is locked for long. Only its lane gets an error; the others go on.
#[tokio::test]
#[ignore = "needs PostgreSQL"]
async fn a_locked_shop_stops_its_own_lane_alone() {
    let (server, store, ids) = world().await;
    let settings = StoreSettings { lock_timeout: Duration::from_millis(20), ..Server::settings() };
    let hasty = server.try_open(&settings).await.unwrap();
    let other = stranger(&server).await;
    other.execute_unprepared("BEGIN").await.unwrap();
    other.execute_unprepared(&lock(&ids[7])).await.unwrap();
    let claim = hasty.claim(Lane(0), LOG, None).await.unwrap();
    let stuck = batch(&claim, &ids);
    let judge = decide(store.lanes());
    let unavailable = hasty.apply(&stuck, &judge).await.unwrap_err();
    let words = "another session keeps rows locked for longer than `database.lock_timeout`";
    assert_eq!(unavailable.to_string(), words);
    let neighbours = ids_in(store.lanes(), Lane(1), 20);
    import(&store, &neighbours).await;
    assert!(hasty.claim(Lane(1), LOG, None).await.is_ok());
    other.execute_unprepared("ROLLBACK").await.unwrap();
    hasty.apply(&stuck, &judge).await.unwrap();
}

/// Leases run by the server's clock, whatever the processes' clocks say.
#[tokio::test]
#[ignore = "needs PostgreSQL"]
async fn a_lease_runs_out_by_the_servers_clock() {
    let (server, store, _) = world().await;
    let duration = Duration::from_secs(10);
    let lease = async |holder: u128| {
        let (lane, holder) = (ReplyLane(0), Holder(Uuid::from_u128(holder)));
        store.lease(lane, holder, (LOG, Position(5)), duration).await.unwrap()
    };
    assert!(lease(1).await.is_some());
    server.step(9_999);
    assert_eq!(lease(2).await, None);
    server.step(1);
    assert!(lease(2).await.is_some());
}

/// Another program changes shops that a batch has read, and the batch waits for it. The batch is
/// then judged again with the new rows: no shop counts as unknown, and no foreign change is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "needs PostgreSQL"]
async fn what_a_stranger_changes_meanwhile_is_not_lost() {
    let (server, store, ids) = world().await;
    let other = stranger(&server).await;
    other.execute_unprepared("BEGIN").await.unwrap();
    let theirs: Vec<String> = ids.iter().step_by(2).map(|id| format!("'{id}'")).collect();
    let change = format!(
        "UPDATE shop_state SET base_radius = 900, radius = 900, version = version + 1
         WHERE id IN ({})",
        theirs.join(", ")
    );
    other.execute_unprepared(&change).await.unwrap();
    let claim = store.claim(Lane(0), LOG, None).await.unwrap();
    let batch = batch(&claim, &ids);
    let judge = decide(store.lanes());
    let foreign = async {
        until_somebody_waits(&stranger(&server).await, &server).await;
        other.execute_unprepared("COMMIT").await.unwrap();
    };
    let (applied, ()) = tokio::join!(store.apply(&batch, &judge), foreign);
    let statuses = applied.unwrap().entries.into_iter().map(|entry| entry.outcome.status);
    assert!(statuses.eq([Status::Unchanged, Status::Applied].into_iter().cycle().take(20)));
    for (place, id) in ids.iter().enumerate() {
        let state = store.get(id).await.unwrap().unwrap().state;
        let (base, version) = if place % 2 == 0 { (900, 3) } else { (5_000, 2) };
        assert_eq!((state.base.radius.metres(), state.version), (base, version), "{id}");
    }
}
