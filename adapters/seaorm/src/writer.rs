//! One write transaction at a time.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use catchment_domain::ports::StoreError;
use sea_orm::{ConnectionTrait, DbErr};
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::connection::OwnConnection;
use crate::error::{Failure, classify};

/// How often a transaction is begun before the database counts as unavailable.
const ATTEMPTS: u32 = 4;

/// The one connection that writes. Those who wait for it get it in the order in which they
/// came; `SQLite`'s own lock is only for other processes, and has no such order.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    connection: Arc<Mutex<OwnConnection>>,
}

impl Writer {
    pub(crate) fn new(connection: OwnConnection) -> Self {
        Self { connection: Arc::new(Mutex::new(connection)) }
    }

    /// Begins a write transaction. It is rolled back when it is dropped.
    pub(crate) async fn begin(&self) -> Result<Transaction, StoreError> {
        let guard = Arc::clone(&self.connection).lock_owned().await;
        // From here on it is rolled back, should the future be dropped half way.
        let mut transaction = Transaction { guard: Some(guard) };
        if let Err(error) = begin(transaction.connection()?).await {
            // Nothing was begun that would have to be rolled back.
            transaction.guard = None;
            return Err(classify(error));
        }
        Ok(transaction)
    }

    /// Closes the connection once nobody writes.
    pub(crate) async fn close(&self) -> Result<(), StoreError> {
        self.connection.lock().await.close().await.map_err(classify)
    }
}

/// Begins a write transaction; waits for another process, and tries again a few times.
pub(crate) async fn begin(connection: &impl ConnectionTrait) -> Result<(), DbErr> {
    let mut attempt = 1;
    loop {
        match connection.execute_unprepared("BEGIN IMMEDIATE").await {
            Ok(_) => return Ok(()),
            Err(error) if Failure::of(&error) != Failure::Busy || attempt == ATTEMPTS => {
                return Err(error);
            }
            Err(_) => tokio::time::sleep(pause(attempt)).await,
        }
        attempt += 1;
    }
}

/// A pause that grows, and is another one for each process that waits.
fn pause(attempt: u32) -> Duration {
    let jitter = RandomState::new().hash_one(attempt) % 20;
    Duration::from_millis(u64::from(attempt) * 10 + jitter)
}

/// A write transaction.
///
/// The statements that begin and end it are our own and not the driver's: the driver counts
/// transactions, and its count is wrong for ever once `SQLite` has rolled one back by itself,
/// as it does when the disk is full.
#[derive(Debug)]
pub(crate) struct Transaction {
    /// `None` once it is over.
    guard: Option<OwnedMutexGuard<OwnConnection>>,
}

impl Transaction {
    /// What statements run on.
    pub(crate) fn connection(&self) -> Result<&OwnConnection, StoreError> {
        self.guard.as_deref().ok_or(StoreError::Fenced)
    }

    /// Stores everything. After an error its fate is unknown, but on a full disk: there the
    /// end of it was not written, so that nothing of it counts.
    pub(crate) async fn commit(mut self) -> Result<(), StoreError> {
        if let Err(error) = self.connection()?.execute_unprepared("COMMIT").await {
            if Failure::of(&error) == Failure::Full {
                return Err(classify(error));
            }
            tracing::warn!(%error, "the answer to a commit was an error");
            return Err(StoreError::Fenced);
        }
        self.guard = None;
        Ok(())
    }
}

/// Rolls back what was not committed, also when the future that held it was dropped half way.
///
/// The guard goes with it, so that the next writer waits until it is done. Without a runtime
/// the process is at its end, and `SQLite` rolls back when it opens the file again.
impl Drop for Transaction {
    fn drop(&mut self) {
        if let Some(connection) = self.guard.take()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(async move {
                // An error says that there is nothing left to roll back.
                connection.execute_unprepared("ROLLBACK").await.ok();
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU16;
    use std::sync::Arc;

    use catchment_domain::ports::{Clock, ImportTerms, ShopRepository};
    use catchment_domain::{
        Lanes, Location, Profile, Radius, Revision, Scope, ShopImport, Timestamp,
    };

    use super::*;
    use crate::{SeaOrmStore, StoreSettings};

    struct StandingClock;

    impl Clock for StandingClock {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(0)
        }
    }

    fn row(number: u32) -> ShopImport {
        let location = Location::new(0.0, 0.0).unwrap();
        let (category, region) = (String::new(), "x".repeat(1_000));
        let profile = Profile { name: String::new(), category, region, location };
        ShopImport { id: format!("shop-{number}").parse().unwrap(), profile, base: None }
    }

    /// A connection may use so many pages, as if the disk had no more.
    async fn limit_pages(store: &SeaOrmStore, pages: u32) {
        let transaction = store.begin().await.unwrap();
        let sql = format!("PRAGMA max_page_count = {pages}");
        transaction.connection().unwrap().execute_unprepared(&sql).await.unwrap();
    }

    #[tokio::test]
    async fn a_full_disk_changes_nothing_and_harms_nobody_once_there_is_room() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("catchment.db").display());
        let lanes = Lanes(NonZeroU16::MIN);
        let settings = StoreSettings::new(lanes, Arc::new(StandingClock));
        let store = SeaOrmStore::connect(&url, &settings).await.unwrap();
        let rows: Vec<ShopImport> = (0..500).map(row).collect();
        let (default_base, floor) = (Radius::CLOSED, Radius::CLOSED);
        let terms = ImportTerms { revision: Revision(1), default_base, floor };
        store.import(&rows[..1], terms).await.unwrap();
        limit_pages(&store, 1).await;
        for _ in 0..2 {
            let full = store.import(&rows, terms).await.unwrap_err();
            let StoreError::Unavailable(source) = full else { panic!("{full:?}") };
            assert!(source.to_string().contains("full"), "{source}");
            assert_eq!(store.count(&Scope::everything()).await.unwrap(), 1);
        }
        limit_pages(&store, 1_000_000).await;
        store.import(&rows, terms).await.unwrap();
        assert_eq!(store.count(&Scope::everything()).await.unwrap(), 500);
    }
}
