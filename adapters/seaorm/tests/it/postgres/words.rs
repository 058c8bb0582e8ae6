//! Each problem that a batch meets is called by its own name.

use std::time::Duration;

use catchment_domain::Lane;
use catchment_domain::ports::{ShopLedger, ShopRepository, StoreError};
use catchment_seaorm::StoreSettings;

use crate::scene::{LOG, batch, decide, ids_in, import};
use crate::server::Server;

/// Makes every transaction fail that stores a receipt.
fn fail_receipts(server: &Server, body: &str) {
    server.execute(&format!(
        "CREATE OR REPLACE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS
         'BEGIN {body}; RETURN NULL; END';
         CREATE OR REPLACE TRIGGER fail AFTER INSERT ON receipt
         FOR EACH ROW EXECUTE FUNCTION fail()"
    ));
}

/// Applies a batch, and returns its error.
async fn met(server: &Server, settings: &StoreSettings) -> StoreError {
    let store = server.try_open(settings).await.unwrap();
    let ids = ids_in(store.lanes(), Lane(0), 3);
    import(&store, &ids).await;
    let batch = batch(&store.claim(Lane(0), LOG, None).await.unwrap(), &ids);
    store.apply(&batch, &decide(store.lanes())).await.unwrap_err()
}

#[tokio::test]
#[ignore = "needs PostgreSQL"]
async fn what_goes_away_by_itself_is_called_by_its_name() {
    for (code, words) in [
        ("53100", "the disk of the database is full"),
        ("23505", "a row that was to be added is there already"),
        ("25006", "the server of the database only reads: it may be a standby"),
        ("40P01", "another transaction is in the way"),
        ("55P03", "another session keeps rows locked for longer than `database.lock_timeout`"),
        ("57P01", "the database is unavailable"),
        ("53200", "the database could not do it"),
    ] {
        let server = Server::new().await;
        fail_receipts(&server, &format!("RAISE EXCEPTION USING ERRCODE = ''{code}''"));
        let error = met(&server, &Server::settings()).await;
        assert!(matches!(error, StoreError::Unavailable(_)), "{code}: {error:?}");
        assert_eq!(error.to_string(), words, "{code}");
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        assert!(cause.is_some_and(|cause| cause.contains("database")), "what the server said");
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL"]
async fn a_statement_that_takes_too_long_is_told_from_a_server_that_is_gone() {
    let server = Server::new().await;
    fail_receipts(&server, "PERFORM pg_sleep(60)");
    let statement_timeout = Duration::from_millis(200);
    let error = met(&server, &StoreSettings { statement_timeout, ..Server::settings() }).await;
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    assert!(error.to_string().starts_with("a statement was cancelled"), "{error}");
}

#[tokio::test]
#[ignore = "needs PostgreSQL"]
async fn a_damaged_table_is_for_a_human() {
    let server = Server::new().await;
    fail_receipts(&server, "RAISE EXCEPTION USING ERRCODE = ''XX001''");
    let error = met(&server, &Server::settings()).await;
    assert!(matches!(error, StoreError::Refused { .. }), "{error:?}");
    assert!(error.to_string().starts_with("the database is damaged"), "{error}");
}
