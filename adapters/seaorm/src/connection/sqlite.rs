//! Statements on a connection to `SQLite`.

use sea_orm::sqlx::error::BoxDynError;
use sea_orm::sqlx::sqlite::SqliteArguments;
use sea_orm::sqlx::{Arguments, AssertSqlSafe, SqliteConnection};
use sea_orm::{DbErr, ExecResult, QueryResult, Statement, Value, Values, sqlx};

use crate::error::driver_failed;

pub(super) async fn execute(
    connection: &mut SqliteConnection,
    statement: Statement,
) -> Result<ExecResult, DbErr> {
    let arguments = arguments(statement.values)?;
    let query = sqlx::query_with(AssertSqlSafe(statement.sql), arguments);
    query.execute(connection).await.map(Into::into).map_err(driver_failed)
}

pub(super) async fn execute_unprepared(
    connection: &mut SqliteConnection,
    sql: &str,
) -> Result<ExecResult, DbErr> {
    let query = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
    query.execute(connection).await.map(Into::into).map_err(driver_failed)
}

pub(super) async fn query_one(
    connection: &mut SqliteConnection,
    statement: Statement,
) -> Result<Option<QueryResult>, DbErr> {
    let arguments = arguments(statement.values)?;
    let query = sqlx::query_with(AssertSqlSafe(statement.sql), arguments);
    let row = query.fetch_optional(connection).await.map_err(driver_failed)?;
    Ok(row.map(Into::into))
}

pub(super) async fn query_all(
    connection: &mut SqliteConnection,
    statement: Statement,
) -> Result<Vec<QueryResult>, DbErr> {
    let arguments = arguments(statement.values)?;
    let query = sqlx::query_with(AssertSqlSafe(statement.sql), arguments);
    let rows = query.fetch_all(connection).await.map_err(driver_failed)?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// A statement's values as the driver takes them.
fn arguments(values: Option<Values>) -> Result<SqliteArguments, DbErr> {
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
