//! Compares the tables, indices and triggers of a database with those that this program makes.

use std::collections::BTreeMap;

use catchment_migrations::Migration;
use sea_orm::sqlx::{Connection as _, SqliteConnection};
use sea_orm::{ConnectionTrait, DbErr, QueryResult};

use crate::connection::OwnConnection;
use crate::error::driver_failed;
use crate::statement::statement;

/// Objects by kind and name, each with the SQL that made it.
pub(crate) type Objects = BTreeMap<(String, String), String>;

/// Returns the objects of a database, without those that `SQLite` makes for itself.
pub(crate) async fn of(connection: &impl ConnectionTrait) -> Result<Objects, DbErr> {
    let sql = "SELECT type, name, sql FROM sqlite_schema WHERE name NOT GLOB 'sqlite_*'";
    let rows = connection.query_all_raw(statement(connection, sql, [])).await?;
    let object = |row: &QueryResult| {
        let (kind, name, sql) = row.try_get_many_by_index()?;
        Ok(((kind, name), sql))
    };
    rows.iter().map(object).collect()
}

/// Returns the objects that steps of the schema make.
pub(crate) async fn made_by(steps: &[Migration]) -> Result<Objects, DbErr> {
    let connection = SqliteConnection::connect("sqlite::memory:").await.map_err(driver_failed)?;
    let connection = OwnConnection::sqlite(connection, None);
    connection.migrate(steps).await?;
    let made = of(&connection).await;
    connection.close_as_it_is().await?;
    made
}

/// Describes the first object that is missing, different or unexpected.
pub(crate) fn difference(expected: &Objects, found: &Objects) -> Option<String> {
    let names = expected.keys().chain(found.keys());
    let mut differing = names.filter_map(|object @ (kind, name)| {
        let what = match (expected.get(object), found.get(object)) {
            (expected, found) if expected == found => return None,
            (_, None) => "is missing",
            (None, _) => "is none of them",
            _ => "is another one",
        };
        Some(format!("{kind} `{name}` {what}"))
    });
    differing.next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objects(objects: &[(&str, &str, &str)]) -> Objects {
        let owned = |(kind, name, sql): &(&str, &str, &str)| {
            (((*kind).to_owned(), (*name).to_owned()), (*sql).to_owned())
        };
        objects.iter().map(owned).collect()
    }

    #[test]
    fn the_first_difference_is_named() {
        let ours = objects(&[("table", "a", "1"), ("index", "b", "2")]);
        for (found, expected) in [
            (objects(&[("table", "a", "1"), ("index", "b", "2")]), None),
            (objects(&[("table", "a", "1")]), Some("index `b` is missing")),
            (
                objects(&[("table", "a", "3"), ("index", "b", "2")]),
                Some("table `a` is another one"),
            ),
            (
                objects(&[("table", "a", "1"), ("index", "b", "2"), ("trigger", "c", "4")]),
                Some("trigger `c` is none of them"),
            ),
        ] {
            assert_eq!(difference(&ours, &found).as_deref(), expected, "{found:?}");
        }
    }
}
