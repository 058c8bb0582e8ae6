//! Section `database`.

use std::fmt;
use std::num::NonZeroU32;
use std::path::Path;
use std::time::Duration;

use catchment_domain::Lanes;

use super::SettingsError;
use super::keys::Keys;
use super::secrets::redacted;

/// Section `database`.
#[derive(Clone, Debug)]
pub struct Database {
    /// Where it is.
    pub url: DatabaseUrl,
    /// How many lanes a new one is made for.
    pub lanes: Lanes,
    /// How long receipts are kept after their replies were sent.
    pub receipts_kept: Duration,
    /// How long one that does not answer is tried at the start.
    pub connect_timeout: Duration,
    /// The most connections of a process.
    pub max_connections: NonZeroU32,
    /// How long a statement waits for a lock.
    pub lock_timeout: Duration,
    /// How long a statement may take on a server.
    pub statement_timeout: Duration,
    /// How long a transaction may do nothing before the server ends it.
    pub idle_in_transaction_session_timeout: Duration,
}

impl Database {
    pub(super) fn read(keys: &Keys) -> Result<Self, SettingsError> {
        Ok(Self {
            url: DatabaseUrl::read(keys)?,
            lanes: Lanes(keys.number("database.lanes", 1..=1024)?),
            receipts_kept: keys.duration("database.receipts_kept")?,
            connect_timeout: keys.duration("database.connect_timeout")?,
            max_connections: keys.number("database.max_connections", 4..=1_000)?,
            lock_timeout: keys.duration("database.lock_timeout")?,
            statement_timeout: keys.duration("database.statement_timeout")?,
            idle_in_transaction_session_timeout: keys
                .duration("database.idle_in_transaction_session_timeout")?,
        })
    }
}

/// Where the database is. Its `Debug` hides the password.
#[derive(Clone)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    fn read(keys: &Keys) -> Result<Self, SettingsError> {
        const KEY: &str = "database.url";
        let url = Self(keys.text(KEY)?.to_owned());
        if url.is_postgres() || url.0.starts_with("sqlite:") {
            return Ok(url);
        }
        let expected = "expected a file such as `sqlite://catchment.db`, \
                        or a server such as `postgres://user@host/database`";
        Err(keys.refuse(KEY, expected))
    }

    /// The database of this file.
    #[must_use]
    pub fn of_file(path: &Path) -> Self {
        Self(format!("sqlite://{}", path.display()))
    }

    /// The same server's database, where tables and all else are in this schema.
    #[must_use]
    pub fn with_schema(&self, schema: &str) -> Self {
        let sign = if self.0.contains('?') { '&' } else { '?' };
        Self(format!("{}{sign}options[search_path]={schema}", self.0))
    }

    /// Whether it is a `PostgreSQL` server's.
    #[must_use]
    pub fn is_postgres(&self) -> bool {
        ["postgres://", "postgresql://"].iter().any(|scheme| self.0.starts_with(scheme))
    }

    /// The whole URL, with the password that may be in it: for the connection alone.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&redacted(&self.0))
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
