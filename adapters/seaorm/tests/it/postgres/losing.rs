//! Lost connections.

use catchment_domain::ports::{ShopLedger, ShopRepository, StoreError};
use catchment_domain::{Batch, Lane, Loaded, ShopId};
use catchment_seaorm::SeaOrmStore;

use crate::scene::{LOG, batch, decide, ids_in, import};
use crate::server::Server;

async fn world() -> (Server, SeaOrmStore, Vec<ShopId>) {
    let server = Server::new().await;
    let store = server.open().await;
    let ids = ids_in(store.lanes(), Lane(0), 20);
    import(&store, &ids).await;
    (server, store, ids)
}

/// Ends the open sessions of the store, like a server that is stopped.
fn end_sessions(server: &Server) {
    server.execute(&format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE application_name = '{}' AND pid <> pg_backend_pid()",
        server.schema
    ));
}

/// A backend that is killed half way through a batch leaves nothing of the batch, and the store
/// goes on with another backend.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL"]
async fn a_batch_whose_connection_is_lost_changes_nothing() {
    let (server, store, ids) = world().await;
    let claim = store.claim(Lane(0), LOG, None).await.unwrap();
    let lost = batch(&claim, &ids);
    let judge = decide(store.lanes());
    let kill = |batch: &Batch, loaded: &mut Loaded| {
        end_sessions(&server);
        judge(batch, loaded)
    };
    let unavailable = store.apply(&lost, &kill).await.unwrap_err();
    assert!(matches!(unavailable, StoreError::Unavailable(_)), "{unavailable:?}");
    assert_eq!(store.claim(Lane(0), LOG, None).await.unwrap().applied_next, lost.from);
    let again = batch(&store.claim(Lane(0), LOG, None).await.unwrap(), &ids);
    store.apply(&again, &judge).await.unwrap();
}

/// If the answer to a commit is lost, nobody knows whether the commit took effect. Here it did not,
/// because the server was still checking it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "needs PostgreSQL"]
async fn a_commit_without_an_answer_is_fenced() {
    let (server, store, ids) = world().await;
    server.execute(
        "CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS
         'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END';
         CREATE CONSTRAINT TRIGGER cut AFTER INSERT ON receipt
         DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION cut()",
    );
    let lost = batch(&store.claim(Lane(0), LOG, None).await.unwrap(), &ids);
    let judge = decide(store.lanes());
    let fenced = store.apply(&lost, &judge).await.unwrap_err();
    assert!(matches!(fenced, StoreError::Fenced), "{fenced:?}");
    server.execute("DROP TRIGGER cut ON receipt");
    let claim = store.claim(Lane(0), LOG, None).await.unwrap();
    assert_eq!(claim.applied_next, lost.from);
    store.apply(&batch(&claim, &ids), &judge).await.unwrap();
}

/// If the server restarts while the store is idle, the store does not notice.
#[tokio::test]
#[ignore = "needs PostgreSQL"]
async fn idle_connections_that_are_gone_are_made_again() {
    let (server, store, ids) = world().await;
    store.claim(Lane(0), LOG, None).await.unwrap();
    for _ in 0..3 {
        end_sessions(&server);
        store.take_revision().await.unwrap();
        assert!(store.get(&ids[0]).await.unwrap().is_some());
    }
}

/// A server that was made a standby refuses all writes, but its address may now lead to another
/// server.
#[tokio::test]
#[ignore = "needs PostgreSQL"]
async fn a_connection_to_a_standby_is_made_again() {
    let (server, store, ids) = world().await;
    // The value of a sequence outlives the refused transaction. So the first backend that writes is
    // the standby's.
    server.execute(
        "CREATE SEQUENCE standby;
         CREATE FUNCTION standby() RETURNS trigger LANGUAGE plpgsql AS
         'BEGIN
            PERFORM setval(''standby'', pg_backend_pid()) FROM standby WHERE NOT is_called;
            IF (SELECT last_value = pg_backend_pid() FROM standby) THEN
              RAISE read_only_sql_transaction;
            END IF;
            RETURN NULL;
          END';
         CREATE TRIGGER standby AFTER INSERT ON receipt
         FOR EACH ROW EXECUTE FUNCTION standby()",
    );
    let claim = store.claim(Lane(0), LOG, None).await.unwrap();
    let judge = decide(store.lanes());
    let unavailable = store.apply(&batch(&claim, &ids), &judge).await.unwrap_err();
    assert!(matches!(unavailable, StoreError::Unavailable(_)), "{unavailable:?}");
    let claim = store.claim(Lane(0), LOG, None).await.unwrap();
    store.apply(&batch(&claim, &ids), &judge).await.unwrap();
}
