//! The connections for reading.

#[cfg(feature = "postgres")]
use std::sync::Arc;
#[cfg(feature = "postgres")]
use std::time::Duration;

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, DbErr, ExecResult, QueryResult, Statement,
};
#[cfg(feature = "postgres")]
use tokio::time::timeout;

#[cfg(feature = "postgres")]
use crate::error::timed_out;
#[cfg(feature = "postgres")]
use crate::pool::{Connect, Pool};

/// The connections for reading.
#[derive(Clone, Debug)]
pub(crate) enum Readers {
    /// `SQLite` runs in this process, and readers do not wait for writers.
    File(DatabaseConnection),
    #[cfg(feature = "postgres")]
    Server(ServerReaders),
}

/// Connections to a server. Each read has a time limit, after which the server counts as gone. A
/// connection is used again only after an answer. If it gave no answer or an error, or if the
/// caller gave up the read, the connection is dropped.
#[cfg(feature = "postgres")]
#[derive(Clone, Debug)]
pub(crate) struct ServerReaders {
    pool: Arc<Pool>,
    patience: Duration,
}

impl Readers {
    #[cfg(feature = "postgres")]
    pub(crate) fn of_server(
        server: impl Connect + 'static,
        count: u32,
        patience: Duration,
    ) -> Self {
        Self::Server(ServerReaders { pool: Arc::new(Pool::of_server(server, count)), patience })
    }

    /// Closes the connections when all reads are done.
    pub(crate) async fn close(&self) -> Result<(), DbErr> {
        match self {
            Self::File(pool) => pool.close_by_ref().await,
            #[cfg(feature = "postgres")]
            Self::Server(server) => server.pool.close().await,
        }
    }
}

/// Runs a read on a connection. A read may be repeated, so an idle connection that was lost does not
/// matter.
macro_rules! read {
    ($readers:ident, $connection:ident, $read:expr) => {
        match $readers {
            Readers::File($connection) => $read.await,
            #[cfg(feature = "postgres")]
            Readers::Server(server) => {
                let reading = async {
                    let mut lent = server.pool.lend().await?;
                    loop {
                        let $connection = lent.connection();
                        match $read.await {
                            Ok(answer) => {
                                lent.give_back();
                                return Ok(answer);
                            }
                            Err(error) if lent.was_stale(&error) => lent = lent.exchange().await?,
                            Err(error) => return Err(error),
                        }
                    }
                };
                let read = timeout(server.patience, reading).await;
                read.unwrap_or_else(|elapsed| Err(timed_out(elapsed)))
            }
        }
    };
}

#[async_trait::async_trait]
impl ConnectionTrait for Readers {
    fn get_database_backend(&self) -> DbBackend {
        match self {
            Self::File(pool) => pool.get_database_backend(),
            #[cfg(feature = "postgres")]
            Self::Server(_) => DbBackend::Postgres,
        }
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        read!(self, connection, connection.execute_raw(statement.clone()))
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        read!(self, connection, connection.execute_unprepared(sql))
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        read!(self, connection, connection.query_one_raw(statement.clone()))
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        read!(self, connection, connection.query_all_raw(statement.clone()))
    }
}
