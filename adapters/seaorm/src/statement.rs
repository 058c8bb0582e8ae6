//! Statements with values.

use sea_orm::{ConnectionTrait, DbErr, Statement, TryGetable, Value};

/// Makes a statement with its values.
pub(crate) fn statement(
    connection: &impl ConnectionTrait,
    sql: impl Into<String>,
    values: impl IntoIterator<Item = Value>,
) -> Statement {
    Statement::from_sql_and_values(connection.get_database_backend(), sql, values)
}

/// Returns the first value of a statement's first row.
pub(crate) async fn value<T: TryGetable + Default>(
    connection: &impl ConnectionTrait,
    sql: &str,
) -> Result<T, DbErr> {
    let row = connection.query_one_raw(statement(connection, sql, [])).await?;
    row.map_or(Ok(T::default()), |row| row.try_get_by_index(0))
}
