//! Statements on a connection to `PostgreSQL`.

use catchment_migrations::{Migrate, Migration, TABLE};
use sea_orm::sqlx::error::BoxDynError;
use sea_orm::sqlx::postgres::{PgArguments, PgRow};
use sea_orm::sqlx::{Arguments, AssertSqlSafe, PgConnection};
use sea_orm::{DbErr, ExecResult, QueryResult, Statement, Value, Values, sqlx};

use crate::error::{driver_failed, migration_failed};

statements!(PgConnection, PgArguments);

/// Runs a constant statement, whose values may be arrays.
pub(super) async fn rows(
    connection: &mut PgConnection,
    sql: &'static str,
    arguments: PgArguments,
) -> Result<Vec<PgRow>, DbErr> {
    sqlx::query_with(sql, arguments).fetch_all(connection).await.map_err(driver_failed)
}

/// Runs a constant statement, whose values may be arrays. Returns how many rows it wrote.
pub(super) async fn written(
    connection: &mut PgConnection,
    sql: &'static str,
    arguments: PgArguments,
) -> Result<u64, DbErr> {
    let done = sqlx::query_with(sql, arguments).execute(connection).await;
    done.map(|done| done.rows_affected()).map_err(driver_failed)
}

fn push(arguments: &mut PgArguments, value: Value) -> Result<(), BoxDynError> {
    match value {
        Value::Bool(value) => arguments.add(value),
        Value::TinyInt(value) => arguments.add(value.map(i16::from)),
        Value::SmallInt(value) => arguments.add(value),
        Value::Int(value) => arguments.add(value),
        Value::BigInt(value) => arguments.add(value),
        // `PostgreSQL` has no unsigned numbers: the next wider type holds them.
        Value::TinyUnsigned(value) => arguments.add(value.map(i16::from)),
        Value::SmallUnsigned(value) => arguments.add(value.map(i32::from)),
        Value::Unsigned(value) => arguments.add(value.map(i64::from)),
        Value::BigUnsigned(value) => arguments.add(value.map(i64::try_from).transpose()?),
        Value::Float(value) => arguments.add(value),
        Value::Double(value) => arguments.add(value),
        Value::String(value) => arguments.add(value),
        Value::Bytes(value) => arguments.add(value),
        other => Err(format!("`{other:?}` cannot be bound").into()),
    }
}
