//! What a store is opened with.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use catchment_domain::Lanes;
use catchment_domain::ports::Clock;

/// What a store is opened with.
#[derive(Clone)]
pub struct StoreSettings {
    /// How many lanes a new database is made for. One that is there must have as many.
    pub lanes: Lanes,
    /// Whether a database that is not there is created: a file when it is opened, that of a
    /// server by [`SeaOrmStore::migrate`](crate::SeaOrmStore::migrate) alone.
    pub create: bool,
    /// How long receipts are kept that nobody needs any more to answer.
    pub receipts_kept: Duration,
    /// How many chunks of a deleted campaign are cleared away in one transaction, with their lists.
    pub chunks_cleared: NonZeroU32,
    /// How many connections read beside those that write.
    pub readers: NonZeroU32,
    /// How many connections to a server write, and so how many lanes are applied side by side.
    /// A file has one.
    pub writers: NonZeroU32,
    /// How long a statement waits for rows that another transaction has locked. A service then
    /// reports the lock; a command tries a few times more.
    pub lock_timeout: Duration,
    /// How long a statement may take on a server.
    pub statement_timeout: Duration,
    /// How long a transaction may do nothing before a server ends it: that of a process which
    /// froze. Kafka should take longer to give such a process's lanes to another one.
    pub idle_in_transaction_session_timeout: Duration,
    /// How long to try to reach a server that refuses connections, as one does that starts.
    pub connect_timeout: Duration,
    /// The clock of a file: `SQLite` runs in this process, so that the machine's clock is the
    /// database's. A server has its own.
    pub clock: Arc<dyn Clock>,
}

impl StoreSettings {
    /// The usual settings.
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
