//! What makes a database ours, and one clear line for each that is not.

use std::path::PathBuf;

use crate::database_url::DatabaseUrl;
use crate::dialect::Dialect;
use crate::open_error::OpenError;
use crate::readers::Readers;
use crate::settings::StoreSettings;
use crate::writers::Writers;

#[cfg(feature = "postgres")]
pub(crate) mod postgres;
pub(crate) mod schema;
pub(crate) mod sqlite;

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
    /// The steps that were taken, in their order. Empty where the database was up to date.
    pub steps: Vec<String>,
}

/// Opens the database that a URL names.
pub(crate) async fn open(url: &str, settings: &StoreSettings) -> Result<Opened, OpenError> {
    match Place::parse(url)? {
        Place::File(file, url) => sqlite::open(&file, &url, settings).await,
        #[cfg(feature = "postgres")]
        Place::Server(url) => postgres::open(&url, settings).await,
    }
}

/// Brings the schema of the database up to date that a URL names.
pub(crate) async fn migrate(url: &str, settings: &StoreSettings) -> Result<Migrated, OpenError> {
    match Place::parse(url)? {
        Place::File(file, url) => sqlite::migrate(&file, &url, settings).await,
        #[cfg(feature = "postgres")]
        Place::Server(url) => postgres::migrate(&url, settings).await,
    }
}

/// Whether the database that a URL names can be used. Returns its name, without a password.
pub(crate) async fn check(url: &str, settings: &StoreSettings) -> Result<String, OpenError> {
    match Place::parse(url)? {
        Place::File(file, url) => sqlite::check(&file, &url, settings).await,
        #[cfg(feature = "postgres")]
        Place::Server(url) => postgres::check(&url, settings).await,
    }
}

/// What a URL names.
pub(crate) enum Place {
    File(PathBuf, DatabaseUrl),
    #[cfg(feature = "postgres")]
    Server(DatabaseUrl),
}

impl Place {
    pub(crate) fn parse(url: &str) -> Result<Self, OpenError> {
        let parsed: DatabaseUrl = url
            .parse()
            .map_err(|reason| OpenError::Url { url: DatabaseUrl::redact(url), reason })?;
        match parsed.file() {
            Some(file) => Ok(Self::File(file.to_owned(), parsed)),
            #[cfg(feature = "postgres")]
            None => Ok(Self::Server(parsed)),
            #[cfg(not(feature = "postgres"))]
            None => Err(OpenError::NotBuilt { database: parsed.to_string() }),
        }
    }
}
