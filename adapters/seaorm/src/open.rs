//! Opens databases. A database that cannot be used gets an error of one clear line.

use std::path::PathBuf;
use std::time::Duration;

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

/// An open database.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) writers: Writers,
    pub(crate) readers: Readers,
    /// The database's file without symbolic links, or `None` for a server.
    pub(crate) file: Option<PathBuf>,
    pub(crate) dialect: &'static Dialect,
    /// How long a server may be silent before it counts as gone.
    pub(crate) patience: Duration,
}

/// The result of bringing a schema up to date.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migrated {
    /// The database, without a password.
    pub database: String,
    /// Whether the database was created.
    pub created: bool,
    /// The steps that were applied, in their order. Empty if the database was up to date.
    pub steps: Vec<String>,
}

/// Opens the database of a URL.
pub(crate) async fn open(url: &str, settings: &StoreSettings) -> Result<Opened, OpenError> {
    match Place::parse(url)? {
        Place::File(file, url) => sqlite::open(&file, &url, settings).await,
        #[cfg(feature = "postgres")]
        Place::Server(url) => postgres::open(&url, settings).await,
    }
}

/// Brings the schema of a URL's database up to date.
pub(crate) async fn migrate(url: &str, settings: &StoreSettings) -> Result<Migrated, OpenError> {
    match Place::parse(url)? {
        Place::File(file, url) => sqlite::migrate(&file, &url, settings).await,
        #[cfg(feature = "postgres")]
        Place::Server(url) => postgres::migrate(&url, settings).await,
    }
}

/// Checks that the database of a URL can be used. Returns its name, without a password.
pub(crate) async fn check(url: &str, settings: &StoreSettings) -> Result<String, OpenError> {
    match Place::parse(url)? {
        Place::File(file, url) => sqlite::check(&file, &url, settings).await,
        #[cfg(feature = "postgres")]
        Place::Server(url) => postgres::check(&url, settings).await,
    }
}

/// The place of a database.
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
