//! Connections that are lent to one user at a time.
//!
//! The driver's pool tests every connection that comes back, without a time limit. While a server
//! is silent, that test holds the connection's place in the pool, and the pool cannot be closed.
//! Here only a connection whose answers have all come is used again.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use sea_orm::{DbErr, RuntimeErr};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::connection::OwnConnection;
use crate::error::Failure;

/// Connections to a database: one to a file, a few to a server. Callers get a connection in the
/// order in which they asked.
#[derive(Debug)]
pub(crate) struct Pool {
    idle: Mutex<Vec<OwnConnection>>,
    turns: Arc<Semaphore>,
    count: u32,
    server: Option<Box<dyn Connect>>,
}

/// Makes connections to a server.
#[async_trait]
pub(crate) trait Connect: fmt::Debug + Send + Sync {
    /// Makes one connection.
    async fn connect(&self) -> Result<OwnConnection, DbErr>;
}

impl Pool {
    /// Returns the one connection to a file.
    pub(crate) fn of_file(connection: OwnConnection) -> Self {
        Self::new(vec![connection], 1, None)
    }

    /// Returns connections to a server, which are made when they are needed.
    #[cfg(feature = "postgres")]
    pub(crate) fn of_server(server: impl Connect + 'static, count: u32) -> Self {
        Self::new(Vec::new(), count, Some(Box::new(server)))
    }

    fn new(idle: Vec<OwnConnection>, count: u32, server: Option<Box<dyn Connect>>) -> Self {
        let turns = Arc::new(Semaphore::new(count.try_into().unwrap_or(Semaphore::MAX_PERMITS)));
        Self { idle: Mutex::new(idle), turns, count, server }
    }

    pub(crate) const fn is_of_file(&self) -> bool {
        self.server.is_none()
    }

    /// Lends a connection.
    pub(crate) async fn lend(self: &Arc<Self>) -> Result<Lent, DbErr> {
        let turn = Arc::clone(&self.turns).acquire_owned().await;
        Self::lend_in(self, turn.map_err(|_| closed())?).await
    }

    async fn lend_in(pool: &Arc<Self>, turn: OwnedSemaphorePermit) -> Result<Lent, DbErr> {
        let idle = pool.take_idle();
        let was_idle = idle.is_some();
        let connection = match idle {
            Some(connection) => connection,
            None => pool.server.as_ref().ok_or_else(closed)?.connect().await?,
        };
        Ok(Lent { connection, was_idle, turn, pool: Arc::clone(pool) })
    }

    /// Closes the idle connections to a server. The next call connects again.
    pub(crate) async fn rest(&self) {
        if self.is_of_file() {
            return;
        }
        while let Some(connection) = self.take_idle() {
            if let Err(error) = connection.close().await {
                tracing::debug!(%error, "an idle connection was lost");
            }
        }
    }

    /// Waits until no connection is in use, and closes all.
    pub(crate) async fn close(&self) -> Result<(), DbErr> {
        // If the turns are already closed, so are the connections.
        let Ok(_turns) = self.turns.acquire_many(self.count).await else { return Ok(()) };
        self.turns.close();
        while let Some(connection) = self.take_idle() {
            connection.close().await?;
        }
        Ok(())
    }

    fn take_idle(&self) -> Option<OwnConnection> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }
}

/// A connection in use. A connection that is dropped is closed, without a word to the server.
#[derive(Debug)]
pub(crate) struct Lent {
    connection: OwnConnection,
    was_idle: bool,
    turn: OwnedSemaphorePermit,
    pool: Arc<Pool>,
}

impl Lent {
    pub(crate) const fn connection(&self) -> &OwnConnection {
        &self.connection
    }

    /// Whether the connection leads to a file.
    pub(crate) fn is_of_file(&self) -> bool {
        self.pool.is_of_file()
    }

    /// Whether the first statement failed because the server closed the connection while it was
    /// idle. Then another connection may still work.
    pub(crate) fn was_stale(&self, error: &DbErr) -> bool {
        self.was_idle && Failure::of(error) == Failure::Lost
    }

    /// Lends another connection in the same turn.
    pub(crate) async fn exchange(self) -> Result<Self, DbErr> {
        let Self { turn, pool, .. } = self;
        Pool::lend_in(&pool, turn).await
    }

    /// Gives the connection to the next user.
    pub(crate) fn give_back(self) {
        let Self { connection, turn, pool, .. } = self;
        pool.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        drop(turn);
    }
}

fn closed() -> DbErr {
    DbErr::Conn(RuntimeErr::Internal(String::from("the database was closed")))
}
