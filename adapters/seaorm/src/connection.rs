//! One connection of its own. The pools of the driver take a connection out and test it for
//! every single statement, which triples what a small statement costs; a writer has one
//! connection for ever.

use std::fmt;
use std::sync::Arc;

use sea_orm::sqlx::error::BoxDynError;
use sea_orm::sqlx::sqlite::SqliteArguments;
use sea_orm::sqlx::{Arguments, AssertSqlSafe, Connection, SqliteConnection};
use sea_orm::{
    ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, Statement, Value, sqlx,
};
use tokio::sync::Mutex;

/// One connection, until it is closed.
pub(crate) struct OwnConnection(Mutex<Option<SqliteConnection>>);

impl OwnConnection {
    pub(crate) fn new(connection: SqliteConnection) -> Self {
        Self(Mutex::new(Some(connection)))
    }

    /// Closes it. Statements fail from then on.
    pub(crate) async fn close(&self) -> Result<(), DbErr> {
        match self.0.lock().await.take() {
            Some(connection) => connection.close().await.map_err(driver_failed),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for OwnConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnConnection").finish_non_exhaustive()
    }
}

#[async_trait::async_trait]
impl ConnectionTrait for OwnConnection {
    fn get_database_backend(&self) -> DbBackend {
        DbBackend::Sqlite
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        let arguments = arguments(statement.values)?;
        let query = sqlx::query_with(AssertSqlSafe(statement.sql), arguments);
        let mut connection = self.0.lock().await;
        let executed = query.execute(connection.as_mut().ok_or_else(closed)?).await;
        executed.map(Into::into).map_err(driver_failed)
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        let query = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        let mut connection = self.0.lock().await;
        let executed = query.execute(connection.as_mut().ok_or_else(closed)?).await;
        executed.map(Into::into).map_err(driver_failed)
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        let arguments = arguments(statement.values)?;
        let query = sqlx::query_with(AssertSqlSafe(statement.sql), arguments);
        let mut connection = self.0.lock().await;
        let row = query.fetch_optional(connection.as_mut().ok_or_else(closed)?).await;
        row.map(|row| row.map(Into::into)).map_err(driver_failed)
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let arguments = arguments(statement.values)?;
        let query = sqlx::query_with(AssertSqlSafe(statement.sql), arguments);
        let mut connection = self.0.lock().await;
        let rows = query.fetch_all(connection.as_mut().ok_or_else(closed)?).await;
        rows.map(|rows| rows.into_iter().map(Into::into).collect()).map_err(driver_failed)
    }
}

/// A statement's values as the driver takes them.
fn arguments(values: Option<sea_orm::Values>) -> Result<SqliteArguments, DbErr> {
    let values = values.map(|values| values.0).unwrap_or_default();
    let mut arguments = SqliteArguments::default();
    arguments.reserve(values.len(), 0);
    for value in values {
        push(&mut arguments, value).map_err(|error| DbErr::Type(error.to_string()))?;
    }
    Ok(arguments)
}

fn push(arguments: &mut SqliteArguments, value: Value) -> Result<(), BoxDynError> {
    match value {
        Value::Bool(value) => arguments.add(value),
        Value::TinyInt(value) => arguments.add(value),
        Value::SmallInt(value) => arguments.add(value),
        Value::Int(value) => arguments.add(value),
        Value::BigInt(value) => arguments.add(value),
        Value::TinyUnsigned(value) => arguments.add(value),
        Value::SmallUnsigned(value) => arguments.add(value),
        Value::Unsigned(value) => arguments.add(value),
        Value::BigUnsigned(value) => arguments.add(value.map(i64::try_from).transpose()?),
        Value::Float(value) => arguments.add(value),
        Value::Double(value) => arguments.add(value),
        Value::String(value) => arguments.add(value),
        Value::Bytes(value) => arguments.add(value),
        other => Err(format!("`{other:?}` cannot be bound").into()),
    }
}

/// The driver's error as `SeaORM`'s.
pub(crate) fn driver_failed(error: sqlx::Error) -> DbErr {
    DbErr::Exec(RuntimeErr::SqlxError(Arc::new(error)))
}

fn closed() -> DbErr {
    DbErr::Conn(RuntimeErr::Internal(String::from("the database was closed")))
}
