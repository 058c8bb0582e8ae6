//! Section `database`.

use std::num::NonZeroU32;
use std::time::Duration;

use catchment_domain::Lanes;
use catchment_seaorm::DatabaseUrl;

use super::SettingsError;
use super::keys::Keys;
use crate::duration;

/// Section `database`.
#[derive(Clone, Debug)]
pub struct Database {
    /// The database's URL.
    pub url: DatabaseUrl,
    /// The number of lanes of a new database.
    pub lanes: Lanes,
    /// How long receipts are kept after their replies were sent.
    pub receipts_kept: Duration,
    /// How long campaigns are kept after their end, or `None` if they are kept for ever.
    pub campaigns_kept: Option<Duration>,
    /// How long to try to connect at the start.
    pub connect_timeout: Duration,
    /// The most connections of a process.
    pub max_connections: NonZeroU32,
    /// How long a statement waits for a lock.
    pub lock_timeout: Duration,
    /// How long a statement may take on a server.
    pub statement_timeout: Duration,
    /// How long a transaction may be idle before the server ends it.
    pub idle_in_transaction_session_timeout: Duration,
}

impl Database {
    pub(super) fn read(keys: &Keys) -> Result<Self, SettingsError> {
        Ok(Self {
            url: url(keys)?,
            lanes: Lanes(keys.number("database.lanes", 1..=1024)?),
            receipts_kept: keys.duration("database.receipts_kept")?,
            campaigns_kept: campaigns_kept(keys)?,
            connect_timeout: keys.duration("database.connect_timeout")?,
            max_connections: keys.number("database.max_connections", 4..=1_000)?,
            lock_timeout: keys.duration("database.lock_timeout")?,
            statement_timeout: keys.duration("database.statement_timeout")?,
            idle_in_transaction_session_timeout: keys
                .duration("database.idle_in_transaction_session_timeout")?,
        })
    }
}

/// Reads how long campaigns are kept.
fn campaigns_kept(keys: &Keys) -> Result<Option<Duration>, SettingsError> {
    const KEY: &str = "database.campaigns_kept";
    let expected = "expected `forever`, or a duration such as `90d`";
    match keys.filled(KEY)? {
        "forever" => Ok(None),
        text => duration::parse(text).map(Some).map_err(|_| keys.refuse(KEY, expected)),
    }
}

/// Reads the database's URL.
fn url(keys: &Keys) -> Result<DatabaseUrl, SettingsError> {
    const KEY: &str = "database.url";
    keys.parsed(KEY, |error| error)
}
