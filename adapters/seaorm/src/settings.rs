//! The settings of a store.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use catchment_domain::Lanes;
use catchment_domain::ports::Clock;

/// The settings of a store.
#[derive(Clone)]
pub struct StoreSettings {
    /// The number of lanes of a new database. An existing database must have the same number.
    pub lanes: Lanes,
    /// Whether to create a database that does not exist. A file is created when it is opened, a
    /// server's database only by [`SeaOrmStore::migrate`](crate::SeaOrmStore::migrate).
    pub create: bool,
    /// How long to keep receipts that are no longer needed for answers.
    pub receipts_kept: Duration,
    /// The number of chunks of a deleted campaign that one transaction deletes, with their lists.
    pub chunks_cleared: NonZeroU32,
    /// The number of connections for reading.
    pub readers: NonZeroU32,
    /// The number of connections to a server for writing, and so the number of lanes that are
    /// applied side by side. A file has one.
    pub writers: NonZeroU32,
    /// How long a statement waits for rows that another transaction has locked. After that, a
    /// service reports the lock, and a command tries a few more times.
    pub lock_timeout: Duration,
    /// How long a statement may take on a server.
    pub statement_timeout: Duration,
    /// How long a transaction may be idle before a server ends it, because its process may be
    /// frozen. Kafka should take longer to give the lanes of a frozen process to another one.
    pub idle_in_transaction_session_timeout: Duration,
    /// How long to try to reach a server that refuses connections, because it may still be
    /// starting.
    pub connect_timeout: Duration,
    /// The clock for a file: `SQLite` runs in this process, so it uses the machine's clock. A
    /// server has its own clock.
    pub clock: Arc<dyn Clock>,
}

impl StoreSettings {
    /// Returns the default settings.
    #[must_use]
    pub fn new(lanes: Lanes, clock: Arc<dyn Clock>) -> Self {
        Self {
            lanes,
            create: true,
            receipts_kept: Duration::from_hours(1),
            chunks_cleared: NonZeroU32::MIN.saturating_add(49),
            readers: NonZeroU32::MIN.saturating_add(2),
            writers: NonZeroU32::MIN.saturating_add(3),
            lock_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(30),
            idle_in_transaction_session_timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(10),
            clock,
        }
    }
}

impl fmt::Debug for StoreSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreSettings")
            .field("lanes", &self.lanes)
            .field("create", &self.create)
            .field("receipts_kept", &self.receipts_kept)
            .field("chunks_cleared", &self.chunks_cleared)
            .field("readers", &self.readers)
            .field("writers", &self.writers)
            .field("lock_timeout", &self.lock_timeout)
            .field("statement_timeout", &self.statement_timeout)
            .field("connect_timeout", &self.connect_timeout)
            .finish_non_exhaustive()
    }
}
