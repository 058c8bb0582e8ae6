//! One connection outside a pool. The drivers' pools take a connection out and test it for every
//! statement, which triples the cost of a small statement. A writer instead keeps its connection
//! for a whole transaction.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use catchment_migrations::Migration;
#[cfg(feature = "postgres")]
use sea_orm::sqlx::PgConnection;
#[cfg(feature = "postgres")]
use sea_orm::sqlx::postgres::{PgArguments, PgRow};
use sea_orm::sqlx::{Connection, SqliteConnection};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, Statement};
use tokio::sync::{Mutex, MutexGuard};
#[cfg(feature = "postgres")]
use tokio::time::timeout;

use crate::error::{Failure, driver_failed, timed_out};
use crate::place::OpenedFile;

/// Functions that run statements, the same for every driver. The drivers differ only in their
/// types, and in how they take a value (`push`).
macro_rules! statements {
    ($connection:ty, $arguments:ty) => {
        pub(super) async fn execute(
            connection: &mut $connection,
            statement: Statement,
        ) -> Result<ExecResult, DbErr> {
            let arguments = arguments(statement.values)?;
            let query = sqlx::query_with(AssertSqlSafe(statement.sql), arguments);
            query.execute(connection).await.map(Into::into).map_err(driver_failed)
        }

        pub(super) async fn execute_unprepared(
            connection: &mut $connection,
            sql: &str,
        ) -> Result<ExecResult, DbErr> {
            let query = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
            query.execute(connection).await.map(Into::into).map_err(driver_failed)
        }

        pub(super) async fn query_unprepared(
            connection: &mut $connection,
            sql: &str,
        ) -> Result<Vec<QueryResult>, DbErr> {
            let query = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
            let rows = query.fetch_all(connection).await.map_err(driver_failed)?;
            Ok(rows.into_iter().map(Into::into).collect())
        }

        pub(super) async fn query_all(
            connection: &mut $connection,
            statement: Statement,
        ) -> Result<Vec<QueryResult>, DbErr> {
            let arguments = arguments(statement.values)?;
            let query = sqlx::query_with(AssertSqlSafe(statement.sql), arguments);
            let rows = query.fetch_all(connection).await.map_err(driver_failed)?;
            Ok(rows.into_iter().map(Into::into).collect())
        }

        pub(super) async fn migrate(
            connection: &mut $connection,
            steps: &[Migration],
        ) -> Result<(), DbErr> {
            connection.ensure_migrations_table(TABLE).await.map_err(migration_failed)?;
            for step in steps {
                connection.apply(TABLE, step).await.map_err(migration_failed)?;
            }
            Ok(())
        }

        /// Converts the values of a statement for the driver.
        fn arguments(values: Option<Values>) -> Result<$arguments, DbErr> {
            let values = values.map(|values| values.0).unwrap_or_default();
            let mut arguments = <$arguments>::default();
            arguments.reserve(values.len(), 0);
            for value in values {
                push(&mut arguments, value).map_err(|error| DbErr::Type(error.to_string()))?;
            }
            Ok(arguments)
        }
    };
}

#[cfg(feature = "postgres")]
mod postgres;
mod sqlite;

/// One connection, until it is closed.
pub(crate) struct OwnConnection {
    driver: Mutex<Option<Driver>>,
    backend: DbBackend,
    /// The longest time that a statement may take. After that, the server counts as gone, and the
    /// connection is dropped.
    patience: Duration,
    /// The file of a `SQLite` database.
    file: Option<OpenedFile>,
}

enum Driver {
    Sqlite(Box<SqliteConnection>),
    #[cfg(feature = "postgres")]
    Postgres(Box<PgConnection>),
}

impl OwnConnection {
    /// Wraps a connection to a file that has just been opened, or to a database in memory.
    pub(crate) fn sqlite(connection: SqliteConnection, file: Option<&Path>) -> Self {
        let driver = Mutex::new(Some(Driver::Sqlite(Box::new(connection))));
        let file = file.map(OpenedFile::at);
        // `SQLite` runs in this process, and has its own limit for waiting for locks.
        Self { driver, backend: DbBackend::Sqlite, patience: Duration::MAX, file }
    }

    #[cfg(feature = "postgres")]
    pub(crate) fn postgres(connection: PgConnection, patience: Duration) -> Self {
        let driver = Mutex::new(Some(Driver::Postgres(Box::new(connection))));
        Self { driver, backend: DbBackend::Postgres, patience, file: None }
    }

    /// Makes the statements of a file fail as soon as `is_over` returns `true`. `SQLite` asks it
    /// after every `steps` steps of its virtual machine.
    pub(crate) async fn stop_when(
        &self,
        steps: i32,
        is_over: impl Fn() -> bool + Send + 'static,
    ) -> Result<(), DbErr> {
        match self.driver.lock().await.as_mut().ok_or_else(closed)? {
            Driver::Sqlite(connection) => {
                let mut handle = connection.lock_handle().await.map_err(driver_failed)?;
                handle.set_progress_handler(steps, move || !is_over());
            }
            #[cfg(feature = "postgres")]
            Driver::Postgres(_) => {}
        }
        Ok(())
    }

    /// Closes the connection, after turning the write-ahead log of a file off if that is possible:
    /// see [`leave`](Self::leave). Later statements fail.
    pub(crate) async fn close(&self) -> Result<(), DbErr> {
        if let Err(error) = self.leave().await {
            tracing::debug!(%error, "the file keeps its log");
        }
        self.close_as_it_is().await
    }

    /// Closes the connection, and leaves the file's write-ahead log on.
    pub(crate) async fn close_as_it_is(&self) -> Result<(), DbErr> {
        let closed = match self.driver.lock().await.take() {
            Some(Driver::Sqlite(connection)) => connection.close().await,
            #[cfg(feature = "postgres")]
            Some(Driver::Postgres(connection)) => connection.close().await,
            None => Ok(()),
        };
        closed.map_err(driver_failed)
    }

    /// Moves the write-ahead log into the file and turns the log off. Fails as busy while another
    /// connection has the file open. So if a file's header says that the log is on, the file is in
    /// use, or its last user was killed. Does nothing for a server.
    ///
    /// Fails also if the file was renamed or removed: `SQLite` would remove the log by its name,
    /// and a log of that name may belong to another database by now.
    pub(crate) async fn leave(&self) -> Result<(), DbErr> {
        let Some(file) = &self.file else { return Ok(()) };
        if !file.has_its_name() {
            return Err(DbErr::Conn(RuntimeErr::Internal(String::from(
                "the file was renamed or removed",
            ))));
        }
        let sql = "PRAGMA synchronous = FULL; PRAGMA journal_mode = DELETE";
        self.query_unprepared(sql).await.map(drop)
    }

    /// Runs a constant statement of `PostgreSQL`, whose values may be arrays.
    #[cfg(feature = "postgres")]
    pub(crate) async fn rows(
        &self,
        sql: &'static str,
        arguments: PgArguments,
    ) -> Result<Vec<PgRow>, DbErr> {
        let mut driver = self.driver.lock().await;
        let Some(Driver::Postgres(connection)) = driver.as_mut() else { return Err(closed()) };
        let rows = timeout(self.patience, postgres::rows(connection, sql, arguments)).await;
        self.in_time(driver, rows)
    }

    /// Runs a constant statement of `PostgreSQL`, whose values may be arrays. Returns how many
    /// rows it wrote.
    #[cfg(feature = "postgres")]
    pub(crate) async fn written(
        &self,
        sql: &'static str,
        arguments: PgArguments,
    ) -> Result<u64, DbErr> {
        let mut driver = self.driver.lock().await;
        let Some(Driver::Postgres(connection)) = driver.as_mut() else { return Err(closed()) };
        let written = timeout(self.patience, postgres::written(connection, sql, arguments)).await;
        self.in_time(driver, written)
    }

    /// Returns the answer. Drops the connection if no answer came in time, or if the connection
    /// leads to a standby: the next connection may lead to the primary.
    fn in_time<T>(
        &self,
        mut driver: MutexGuard<'_, Option<Driver>>,
        answer: Result<Result<T, DbErr>, tokio::time::error::Elapsed>,
    ) -> Result<T, DbErr> {
        let answer = answer.unwrap_or_else(|elapsed| {
            *driver = None;
            tracing::debug!(patience = ?self.patience, "the database gave no answer");
            Err(timed_out(elapsed))
        });
        if answer.as_ref().is_err_and(|error| Failure::of(error) == Failure::Standby) {
            *driver = None;
        }
        answer
    }
}

impl fmt::Debug for OwnConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnConnection").finish_non_exhaustive()
    }
}

/// Runs a function of the connection's driver with the time limit.
macro_rules! run {
    ($own:ident, $function:ident, $argument:expr) => {{
        let mut driver = $own.driver.lock().await;
        let answer = match driver.as_mut().ok_or_else(closed)? {
            Driver::Sqlite(connection) => Ok(sqlite::$function(connection, $argument).await),
            #[cfg(feature = "postgres")]
            Driver::Postgres(connection) => {
                timeout($own.patience, postgres::$function(connection, $argument)).await
            }
        };
        $own.in_time(driver, answer)
    }};
}

impl OwnConnection {
    /// Applies steps of the schema, in the current transaction.
    pub(crate) async fn migrate(&self, steps: &[Migration]) -> Result<(), DbErr> {
        run!(self, migrate, steps)
    }

    /// Runs statements in one message, and returns the rows of all of them. The text must be safe,
    /// because the statements take no values.
    pub(crate) async fn query_unprepared(&self, sql: &str) -> Result<Vec<QueryResult>, DbErr> {
        run!(self, query_unprepared, sql)
    }
}

#[async_trait::async_trait]
impl ConnectionTrait for OwnConnection {
    fn get_database_backend(&self) -> DbBackend {
        self.backend
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        run!(self, execute, statement)
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        run!(self, execute_unprepared, sql)
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.query_all_raw(statement).await.map(|rows| rows.into_iter().next())
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        run!(self, query_all, statement)
    }
}

fn closed() -> DbErr {
    DbErr::Conn(RuntimeErr::Internal(String::from("the database was closed")))
}
