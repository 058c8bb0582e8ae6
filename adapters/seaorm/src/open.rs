//! What makes a database ours, and one clear line for each that is not.

use std::path::PathBuf;

use crate::dialect::Dialect;
use crate::open_error::OpenError;
use crate::readers::Readers;
use crate::settings::StoreSettings;
use crate::writers::Writers;

#[cfg(feature = "postgres")]
pub(crate) mod postgres;
mod schema;
mod sqlite;

/// A database that was opened.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) writers: Writers,
    pub(crate) readers: Readers,
    /// The database's file by its one true name, where it has one.
    pub(crate) file: Option<PathBuf>,
    pub(crate) dialect: &'static Dialect,
}

/// What bringing a schema up to date did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migrated {
    /// The database, without a password.
    pub database: String,
    /// Whether it was created.
    pub created: bool,
    /// The steps that were taken, in their order; none for one that was up to date.
    pub steps: Vec<String>,
}

/// Opens the database that a URL names.
pub(crate) async fn open(url: &str, settings: &StoreSettings) -> Result<Opened, OpenError> {
    if !is_server(url) {
        return sqlite::open(url, settings).await;
    }
    #[cfg(feature = "postgres")]
    return postgres::open(url, settings).await;
    #[cfg(not(feature = "postgres"))]
    Err(OpenError::not_built(url))
}

/// Brings the schema of the database up to date that a URL names.
pub(crate) async fn migrate(url: &str, settings: &StoreSettings) -> Result<Migrated, OpenError> {
    if !is_server(url) {
        return sqlite::migrate(url, settings).await;
    }
    #[cfg(feature = "postgres")]
    return postgres::migrate(url, settings).await;
    #[cfg(not(feature = "postgres"))]
    Err(OpenError::not_built(url))
}

/// Whether the database that a URL names can be used. Returns its name, without a password.
pub(crate) async fn check(url: &str, settings: &StoreSettings) -> Result<String, OpenError> {
    if !is_server(url) {
        return sqlite::check(url, settings).await;
    }
    #[cfg(feature = "postgres")]
    return postgres::check(url, settings).await;
    #[cfg(not(feature = "postgres"))]
    Err(OpenError::not_built(url))
}

fn is_server(url: &str) -> bool {
    ["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme))
}
