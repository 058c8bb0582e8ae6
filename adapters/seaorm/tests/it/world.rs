//! A folder with a database, and the clock of that database.

use std::num::NonZeroU16;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use catchment_domain::ports::Clock;
use catchment_domain::{Lanes, Timestamp};
use catchment_seaorm::{OpenError, SeaOrmStore, StoreSettings};
use sea_orm::{ConnectionTrait, Database, DbErr};
use tempfile::TempDir;

/// A folder that is removed with this value.
pub(crate) struct World {
    folder: TempDir,
    pub(crate) clock: Arc<ManualClock>,
}

impl World {
    pub(crate) fn new() -> Self {
        let clock = Arc::new(ManualClock(AtomicI64::new(1_700_000_000_000)));
        Self { folder: tempfile::tempdir().unwrap(), clock }
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join("catchment.db")
    }

    pub(crate) fn url(&self) -> String {
        format!("sqlite://{}", self.file().display())
    }

    /// Returns the names in the folder, in order.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    pub(crate) fn settings(&self) -> StoreSettings {
        let clock = Arc::<ManualClock>::clone(&self.clock);
        StoreSettings::new(Lanes(NonZeroU16::new(8).unwrap()), clock)
    }

    pub(crate) async fn try_open(
        &self,
        settings: &StoreSettings,
    ) -> Result<SeaOrmStore, OpenError> {
        SeaOrmStore::connect(&self.url(), settings).await
    }

    pub(crate) async fn open(&self) -> SeaOrmStore {
        self.try_open(&self.settings()).await.unwrap()
    }

    /// Runs a statement as another program would.
    pub(crate) async fn execute(&self, sql: &str) {
        self.try_execute(sql).await.unwrap();
    }

    /// Runs a statement as another program would, and returns its result.
    pub(crate) async fn try_execute(&self, sql: &str) -> Result<(), DbErr> {
        let connection = Database::connect(format!("{}?mode=rwc", self.url())).await.unwrap();
        let executed = connection.execute_unprepared(sql).await;
        connection.close().await.unwrap();
        executed.map(drop)
    }
}

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub(crate) struct ManualClock(AtomicI64);

impl ManualClock {
    pub(crate) fn step(&self, millis: i64) {
        self.0.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}
