//! The connections for reading.

use std::time::Duration;

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, DbErr, ExecResult, QueryResult, Statement,
};
use tokio::time::timeout;

use crate::error::driver_failed;

/// A pool of connections for reading. Each statement has a time limit, after which the server
/// counts as gone.
#[derive(Clone, Debug)]
pub(crate) struct Readers {
    pool: DatabaseConnection,
    patience: Duration,
}

impl Readers {
    pub(crate) const fn new(pool: DatabaseConnection, patience: Duration) -> Self {
        Self { pool, patience }
    }

    /// Closes the connections when all reads are done.
    pub(crate) async fn close(&self) -> Result<(), DbErr> {
        self.pool.close_by_ref().await
    }

    async fn in_time<T>(
        &self,
        reading: impl Future<Output = Result<T, DbErr>> + Send,
    ) -> Result<T, DbErr> {
        let read = timeout(self.patience, reading).await;
        read.unwrap_or_else(|elapsed| Err(driver_failed(std::io::Error::from(elapsed).into())))
    }
}

#[async_trait::async_trait]
impl ConnectionTrait for Readers {
    fn get_database_backend(&self) -> DbBackend {
        self.pool.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.in_time(self.pool.execute_raw(statement)).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.in_time(self.pool.execute_unprepared(sql)).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.in_time(self.pool.query_one_raw(statement)).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.in_time(self.pool.query_all_raw(statement)).await
    }
}
