//! The database schema, step by step.
//!
//! Each step is two SQL files for each database, up and down. The head of its `up` file says
//! why the tables look as they do.
//!
//! [`TABLE`] keeps the name and a checksum of every step that a database has taken. An older
//! program notices a newer database by a name that it does not know. So the files of a released
//! step never change, not even in a comment: every change of the schema is a new step.
//!
//! To add a step, write its four files and name it in `steps!`.

use sqlx::SqlSafeStr;
use sqlx::migrate::MigrationType::{ReversibleDown, ReversibleUp};

pub use sqlx::migrate::{Migrate, MigrateError, Migration};

/// The table that keeps the steps that a database has taken. A name of our own, because it
/// tells our databases from those of other programs.
pub const TABLE: &str = "catchment_migrations";

/// The steps, in their order, from the files in the folder of a database.
macro_rules! steps {
    ($folder:literal) => {
        [step!($folder, 1, "0001_shops"), step!($folder, 2, "0002_campaigns")].concat()
    };
}

/// A step, from its two files.
macro_rules! step {
    ($folder:literal, $number:literal, $name:literal) => {
        [
            (ReversibleUp, include_str!(concat!("../", $folder, "/", $name, ".up.sql"))),
            (ReversibleDown, include_str!(concat!("../", $folder, "/", $name, ".down.sql"))),
        ]
        // Without a transaction of its own, because it runs in that of the caller.
        .map(|(way, sql)| Migration::new($number, $name.into(), way, sql.into_sql_str(), true))
    };
}

/// The steps of a `PostgreSQL` database, up and down.
///
/// They begin no transaction and take no lock: both are the caller's.
#[must_use]
pub fn postgres() -> Vec<Migration> {
    steps!("postgres")
}

/// The steps of a `SQLite` file, up and down.
///
/// They begin no transaction and take no lock: both are the caller's.
#[must_use]
pub fn sqlite() -> Vec<Migration> {
    steps!("sqlite")
}
