//! Statements on a connection to `SQLite`.

use catchment_migrations::{Migrate, Migration, TABLE};
use sea_orm::sqlx::error::BoxDynError;
use sea_orm::sqlx::sqlite::SqliteArguments;
use sea_orm::sqlx::{Arguments, AssertSqlSafe, SqliteConnection};
use sea_orm::{DbErr, ExecResult, QueryResult, Statement, Value, Values, sqlx};

use crate::error::{driver_failed, migration_failed};

statements!(SqliteConnection, SqliteArguments);

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
