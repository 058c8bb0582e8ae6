//! Write transactions, each on a connection of its own.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use catchment_domain::ports::StoreError;
use sea_orm::{ConnectionTrait, DbErr, QueryResult, RuntimeErr};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::connection::OwnConnection;
use crate::error::{Failure, classify};

/// The connections that write: one to a file, a few to a server. Those who wait for one get it
/// in the order in which they came.
#[derive(Clone, Debug)]
pub(crate) struct Writers(Arc<Pool>);

#[derive(Debug)]
struct Pool {
    idle: Mutex<Vec<OwnConnection>>,
    turns: Arc<Semaphore>,
    count: u32,
    begin: &'static str,
    server: Option<Box<dyn Connect>>,
}

/// Makes connections to a server.
#[async_trait]
pub(crate) trait Connect: fmt::Debug + Send + Sync {
    /// Connects once.
    async fn connect(&self) -> Result<OwnConnection, DbErr>;
}

impl Writers {
    /// The one connection that writes a file. `SQLite`'s own lock is only for other processes,
    /// and has no order.
    pub(crate) fn of_file(connection: OwnConnection) -> Self {
        Self::new(vec![connection], 1, "BEGIN IMMEDIATE", None)
    }

    /// Connections to a server, made when they are needed.
    #[cfg(feature = "postgres")]
    pub(crate) fn of_server(server: impl Connect + 'static, count: u32) -> Self {
        // Each statement sees what was committed before it began, whatever the server's default:
        // what is read behind the lock of a lane is read as it is then.
        let begin = "BEGIN ISOLATION LEVEL READ COMMITTED";
        Self::new(Vec::new(), count, begin, Some(Box::new(server)))
    }

    fn new(
        idle: Vec<OwnConnection>,
        count: u32,
        begin: &'static str,
        server: Option<Box<dyn Connect>>,
    ) -> Self {
        let turns = Arc::new(Semaphore::new(count.try_into().unwrap_or(Semaphore::MAX_PERMITS)));
        Self(Arc::new(Pool { idle: Mutex::new(idle), turns, count, begin, server }))
    }

    /// Begins a write transaction, with a statement in the same message to the database, and
    /// returns the rows of that. The statement takes no values, so everything that stands in it
    /// must be safe; it may be empty. The transaction is rolled back when it is dropped.
    pub(crate) async fn begin_with(
        &self,
        first: &str,
    ) -> Result<(Transaction, Vec<QueryResult>), StoreError> {
        let begin = format!("{}; {first}", self.0.begin);
        let turn = Arc::clone(&self.0.turns).acquire_owned().await;
        let mut turn = turn.map_err(|_| classify(closed()))?;
        loop {
            let idle = self.0.take_idle();
            let was_idle = idle.is_some();
            let connection = match idle {
                Some(connection) => connection,
                None => self.0.connect().await?,
            };
            // From here on it is rolled back, should the future be dropped half way.
            let held = Held { connection, turn, pool: Arc::clone(&self.0) };
            let mut transaction = Transaction { held: Some(held) };
            match transaction.connection()?.query_unprepared(&begin).await {
                Ok(rows) => return Ok((transaction, rows)),
                Err(error) => {
                    let is_stale = was_idle && Failure::of(&error) == Failure::Lost;
                    let Some(held) = transaction.held.take_if(|_| is_stale) else {
                        return Err(classify(error));
                    };
                    // The server ended it while it was idle; another one may be alive.
                    turn = held.turn;
                }
            }
        }
    }

    /// Closes the connections to a server that nobody uses. The next writers make them again.
    pub(crate) async fn rest(&self) {
        if self.0.server.is_none() {
            return;
        }
        while let Some(connection) = self.0.take_idle() {
            if let Err(error) = connection.close().await {
                tracing::debug!(%error, "an idle connection was lost");
            }
        }
    }

    /// Closes the connections once nobody writes.
    pub(crate) async fn close(&self) -> Result<(), StoreError> {
        // Where the turns are closed already, so are the connections.
        let Ok(_turns) = self.0.turns.acquire_many(self.0.count).await else { return Ok(()) };
        self.0.turns.close();
        while let Some(connection) = self.0.take_idle() {
            connection.close().await.map_err(classify)?;
        }
        Ok(())
    }
}

impl Pool {
    fn take_idle(&self) -> Option<OwnConnection> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    async fn connect(&self) -> Result<OwnConnection, StoreError> {
        let Some(server) = &self.server else { return Err(classify(closed())) };
        server.connect().await.map_err(classify)
    }
}

/// A connection in use.
#[derive(Debug)]
struct Held {
    connection: OwnConnection,
    turn: OwnedSemaphorePermit,
    pool: Arc<Pool>,
}

impl Held {
    /// Lets the next writer have the connection.
    fn give_back(self) {
        let Self { connection, turn, pool } = self;
        pool.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        drop(turn);
    }

    async fn roll_back(self) {
        match self.connection.execute_unprepared("ROLLBACK").await {
            Ok(_) => self.give_back(),
            // Of a file it says that there is nothing left to roll back.
            Err(_) if self.pool.server.is_none() => self.give_back(),
            Err(error) => tracing::debug!(%error, "a connection was lost"),
        }
    }
}

/// A write transaction.
///
/// The statements that begin and end it are our own and not the driver's: the driver counts
/// transactions, and its count is wrong for ever once `SQLite` has rolled one back by itself,
/// as it does when the disk is full.
#[derive(Debug)]
pub(crate) struct Transaction {
    /// `None` once it is over.
    held: Option<Held>,
}

impl Transaction {
    /// What statements run on.
    pub(crate) fn connection(&self) -> Result<&OwnConnection, StoreError> {
        self.held.as_ref().map(|held| &held.connection).ok_or(StoreError::Fenced)
    }

    /// Stores everything. After an error of a server, nobody knows whether it did, unless its
    /// disk is full. After an error of a file, nobody sees the change; only a crash before the
    /// next commit could bring it back.
    pub(crate) async fn commit(mut self) -> Result<(), StoreError> {
        if let Err(error) = self.connection()?.execute_unprepared("COMMIT").await {
            let is_file = self.held.as_ref().is_some_and(|held| held.pool.server.is_none());
            let failure = Failure::of(&error);
            if failure == Failure::Full || (is_file && failure != Failure::Lost) {
                return Err(classify(error));
            }
            tracing::warn!(%error, "the answer to a commit was an error");
            return Err(StoreError::Fenced);
        }
        if let Some(held) = self.held.take() {
            held.give_back();
        }
        Ok(())
    }
}

/// Rolls back what was not committed, also when the future that held it was dropped half way.
///
/// The turn goes with it, so that the next writer waits until it is done. Without a runtime
/// the process is at its end, and the database rolls back by itself.
impl Drop for Transaction {
    fn drop(&mut self) {
        if let Some(held) = self.held.take()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(held.roll_back());
        }
    }
}

fn closed() -> DbErr {
    DbErr::Conn(RuntimeErr::Internal(String::from("the database was closed")))
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
