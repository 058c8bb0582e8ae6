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
    /// Whether a database that is not there is created.
    pub create: bool,
    /// How long receipts are kept that nobody needs any more to answer.
    pub receipts_kept: Duration,
    /// How many connections read beside the one that writes.
    pub readers: NonZeroU32,
    /// How long to wait for another process that writes.
    pub lock_timeout: Duration,
    /// The database's clock. `SQLite` runs in this process, so that the machine's clock is
    /// the database's.
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
            readers: NonZeroU32::MIN.saturating_add(2),
            lock_timeout: Duration::from_secs(5),
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
            .field("readers", &self.readers)
            .field("lock_timeout", &self.lock_timeout)
            .finish_non_exhaustive()
    }
}
