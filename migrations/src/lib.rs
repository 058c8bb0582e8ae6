//! The database schema, step by step.
//!
//! Each step is a file of its own, up and down, and says why in its doc comment. The names of
//! the steps are stored in the database: a name that this list does not have is how an older
//! program notices a newer database.

mod m0001_shops;
mod m0002_campaigns;

use sea_orm_migration::sea_query::index::IndexCreateStatement;
use sea_orm_migration::sea_query::{ColumnDef, TableCreateStatement};
pub use sea_orm_migration::{MigrationTrait, MigratorTrait, SchemaManager};
use sea_orm_migration::{async_trait, sea_orm::DbBackend};

/// Brings a database to this version of the schema, or back.
#[derive(Clone, Copy, Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(m0001_shops::Migration), Box::new(m0002_campaigns::Migration)]
    }
}

/// A primary key of several columns.
fn key(columns: &[&'static str]) -> IndexCreateStatement {
    let mut index = IndexCreateStatement::new();
    for column in columns {
        index.col(*column);
    }
    index
}

/// Stores the rows of a table in the order of its primary key. Here `SQLite` must be told
/// so; others do it always or never.
fn clustered(table: &mut TableCreateStatement, backend: DbBackend) -> &mut TableCreateStatement {
    if backend == DbBackend::Sqlite { table.extra("WITHOUT ROWID") } else { table }
}

/// Compares the texts of a column byte by byte, as the domain does, whatever language the
/// database speaks. `SQLite` always does.
fn bytewise(mut column: ColumnDef, backend: DbBackend) -> ColumnDef {
    if backend == DbBackend::Postgres { column.extra("COLLATE \"C\"").take() } else { column }
}
