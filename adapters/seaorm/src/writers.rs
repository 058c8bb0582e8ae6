//! Write transactions, each on its own connection.

use std::sync::Arc;

use catchment_domain::ports::StoreError;
use sea_orm::{ConnectionTrait, QueryResult};

use crate::connection::OwnConnection;
use crate::error::{Failure, classify};
#[cfg(feature = "postgres")]
use crate::pool::Connect;
use crate::pool::{Lent, Pool};

/// The connections for writing.
#[derive(Clone, Debug)]
pub(crate) struct Writers {
    pool: Arc<Pool>,
    begin: &'static str,
}

impl Writers {
    /// Returns the one connection that writes a file. `SQLite`'s own lock only keeps other
    /// processes out, and has no order.
    pub(crate) fn of_file(connection: OwnConnection) -> Self {
        Self { pool: Arc::new(Pool::of_file(connection)), begin: "BEGIN IMMEDIATE" }
    }

    /// Returns connections to a server, which are made when they are needed.
    #[cfg(feature = "postgres")]
    pub(crate) fn of_server(server: impl Connect + 'static, count: u32) -> Self {
        // Whatever the server's default is, each statement must see what was committed before it
        // began: reads after taking a lane's lock must see the current rows.
        let begin = "BEGIN ISOLATION LEVEL READ COMMITTED";
        Self { pool: Arc::new(Pool::of_server(server, count)), begin }
    }

    /// Begins a write transaction.
    pub(crate) async fn begin(&self) -> Result<Transaction, StoreError> {
        self.begin_with("").await.map(|(transaction, _)| transaction)
    }

    /// Begins a write transaction with a statement in the same message to the database, and returns
    /// the rows of that statement. The statement takes no values, so its text must be safe; it may
    /// be empty. A dropped transaction is rolled back.
    pub(crate) async fn begin_with(
        &self,
        first: &str,
    ) -> Result<(Transaction, Vec<QueryResult>), StoreError> {
        let begin = format!("{}; {first}", self.begin);
        let mut lent = self.pool.lend().await.map_err(classify)?;
        loop {
            // From here on the transaction is rolled back if the future is dropped half way.
            let mut transaction = Transaction { lent: Some(lent) };
            match transaction.connection()?.query_unprepared(&begin).await {
                Ok(rows) => return Ok((transaction, rows)),
                Err(error) => {
                    let Some(stale) = transaction.lent.take_if(|lent| lent.was_stale(&error))
                    else {
                        return Err(classify(error));
                    };
                    lent = stale.exchange().await.map_err(classify)?;
                }
            }
        }
    }

    /// Closes the idle connections to a server. The next write connects again.
    pub(crate) async fn rest(&self) {
        self.pool.rest().await;
    }

    /// Closes the connections when all writes are done.
    pub(crate) async fn close(&self) -> Result<(), StoreError> {
        self.pool.close().await.map_err(classify)
    }
}

/// A write transaction.
///
/// The statements that begin and end a transaction are our own and not the driver's. The driver
/// counts transactions, and its count is wrong for ever once `SQLite` has rolled a transaction back
/// by itself, as it does when the disk is full.
#[derive(Debug)]
pub(crate) struct Transaction {
    /// `None` when the transaction is over.
    lent: Option<Lent>,
}

impl Transaction {
    /// Returns the connection on which statements run.
    pub(crate) fn connection(&self) -> Result<&OwnConnection, StoreError> {
        self.lent.as_ref().map(Lent::connection).ok_or(StoreError::Fenced)
    }

    /// Commits. After an error of a server, nobody knows whether the commit took effect, unless the
    /// server's disk is full. After an error of a file, nobody sees the change; only a crash before
    /// the next commit could bring it back. But if the connection to a file is lost, nobody knows,
    /// either.
    pub(crate) async fn commit(mut self) -> Result<(), StoreError> {
        if let Err(error) = self.connection()?.execute_unprepared("COMMIT").await {
            let is_file = self.lent.as_ref().is_some_and(Lent::is_of_file);
            let failure = Failure::of(&error);
            if failure == Failure::Full || (is_file && failure != Failure::Lost) {
                return Err(classify(error));
            }
            tracing::warn!(%error, "the answer to a commit was an error");
            return Err(StoreError::Fenced);
        }
        if let Some(lent) = self.lent.take() {
            lent.give_back();
        }
        Ok(())
    }
}

/// Rolls back what was not committed, even if the future that held the transaction was dropped half
/// way.
///
/// The turn is held until then, so the next writer waits for the rollback. Without a runtime, the
/// process is ending, and the database rolls back by itself.
impl Drop for Transaction {
    fn drop(&mut self) {
        if let Some(lent) = self.lent.take()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(roll_back(lent));
        }
    }
}

async fn roll_back(lent: Lent) {
    match lent.connection().execute_unprepared("ROLLBACK").await {
        Ok(_) => lent.give_back(),
        // For a file, the error means that there is nothing left to roll back.
        Err(_) if lent.is_of_file() => lent.give_back(),
        Err(error) => tracing::debug!(%error, "a connection was lost"),
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU16;
    use std::sync::Arc;

    use catchment_domain::ports::{Clock, ShopRepository};
    use catchment_domain::{
        ImportBatch, ImportOrder, ImportTerms, Lanes, Location, Profile, Radius, Revision, Scope,
        ShopImport, Timestamp,
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

    /// Limits the pages of a connection, as if the disk were full.
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
        let batch = |rows: u32| {
            let batches = ImportBatch::split((0..rows).map(row).collect(), lanes);
            batches.into_iter().next().unwrap()
        };
        let (default_base, floor) = (Radius::CLOSED, Radius::CLOSED);
        let order = ImportOrder::Taken(Revision(1));
        let terms = ImportTerms { order, default_base, floor };
        store.import(&batch(1), terms).await.unwrap();
        limit_pages(&store, 1).await;
        for _ in 0..2 {
            let full = store.import(&batch(500), terms).await.unwrap_err();
            let StoreError::Unavailable(source) = full else { panic!("{full:?}") };
            assert!(source.to_string().contains("full"), "{source}");
            assert_eq!(store.count(&Scope::everything()).await.unwrap(), 1);
        }
        limit_pages(&store, 1_000_000).await;
        store.import(&batch(500), terms).await.unwrap();
        assert_eq!(store.count(&Scope::everything()).await.unwrap(), 500);
    }
}
