//! A server schema for one test, and the clock of its database.

use std::num::NonZeroU16;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;

use catchment_domain::ports::Clock;
use catchment_domain::{Lanes, Timestamp};
use catchment_seaorm::{OpenError, SeaOrmStore, StoreSettings};
use sea_orm::{ConnectionTrait, Database};
use uuid::Uuid;

/// A schema that is dropped with this value.
pub(crate) struct Server {
    base: String,
    pub(crate) schema: String,
    now: AtomicI64,
}

impl Server {
    /// Makes a schema without tables.
    pub(crate) fn empty() -> Self {
        let server = Self {
            base: base_url(),
            schema: format!("test_{}", Uuid::now_v7().simple()),
            now: AtomicI64::new(1_700_000_000_000),
        };
        server.execute(&format!("CREATE SCHEMA {}", server.schema));
        server
    }

    /// Makes a schema with our tables.
    pub(crate) async fn new() -> Self {
        let server = Self::empty();
        SeaOrmStore::migrate(&server.url(), &Self::settings()).await.unwrap();
        server.replace_clock();
        server
    }

    /// Replaces the server's clock. The search path has the schema before the server's own
    /// functions, so the schema's clock is used.
    fn replace_clock(&self) {
        let (schema, now) = (&self.schema, self.now().millis());
        self.execute(&format!(
            "CREATE SEQUENCE {schema}.test_clock START {now};
             CREATE FUNCTION {schema}.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE
             AS 'SELECT to_timestamp(last_value / 1000.0) FROM {schema}.test_clock'"
        ));
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.now.load(Ordering::SeqCst))
    }

    /// Moves the database's clock forward or back.
    pub(crate) fn step(&self, millis: i64) {
        let now = self.now.fetch_add(millis, Ordering::SeqCst) + millis;
        self.execute(&format!("SELECT setval('{}.test_clock', {now})", self.schema));
    }

    pub(crate) fn url(&self) -> String {
        let base = &self.base;
        let joint = if base.contains('?') { '&' } else { '?' };
        let schema = &self.schema;
        format!("{base}{joint}application_name={schema}&options[search_path]={schema},pg_catalog")
    }

    pub(crate) fn settings() -> StoreSettings {
        StoreSettings::new(Lanes(NonZeroU16::new(8).unwrap()), Arc::new(NoClock))
    }

    pub(crate) async fn try_open(
        &self,
        settings: &StoreSettings,
    ) -> Result<SeaOrmStore, OpenError> {
        SeaOrmStore::connect(&self.url(), settings).await
    }

    pub(crate) async fn open(&self) -> SeaOrmStore {
        self.try_open(&Self::settings()).await.unwrap()
    }

    /// Runs statements as another program would, and waits for them. It uses its own thread,
    /// because callers that move clocks or drop schemas cannot await.
    pub(crate) fn execute(&self, sql: &str) {
        execute_at(self.url(), sql.to_owned()).unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let sql = format!("SET lock_timeout = '5s'; DROP SCHEMA {} CASCADE", self.schema);
        // If the schema cannot be dropped, the test's own failure must stay the only message.
        execute_at(self.url(), sql).ok();
    }
}

fn execute_at(url: String, sql: String) -> Result<(), sea_orm::DbErr> {
    let executing = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let connection = Database::connect(url).await?;
            connection.execute_unprepared(&sql).await?;
            connection.close().await
        })
    });
    executing.join().unwrap()
}

/// Returns the URL of the database in which every test makes a schema. Its user is a superuser.
#[expect(clippy::disallowed_methods, reason = "tests have no settings")]
pub(crate) fn base_url() -> String {
    std::env::var("CATCHMENT_TEST_POSTGRES")
        .expect("CATCHMENT_TEST_POSTGRES names no database: run the tests by `scripts/services`")
}

/// The clock of this process, which a server must never use.
#[derive(Debug)]
struct NoClock;

impl Clock for NoClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(0)
    }
}
