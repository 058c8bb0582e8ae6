use async_trait::async_trait;

use crate::lane::LaneProgress;
use crate::ports::StoreError;
use crate::restore::{RestoreTerms, Restored};
use crate::revision::Revision;

/// Where the request lanes stand, and what is done once the database was restored from a backup
/// while the logs went on.
///
/// # Promises
///
/// - `lanes_are_told_as_they_stand`: every lane that can be read, in order.
/// - `restored_asks_open_shops_again`: each campaign as [`ask_again`](crate::ask_again) says.
/// - `restored_gives_out_newer_revisions`: the newest is then above every one of the lost time.
/// - `restored_lanes_may_be_claimed`: with an epoch above what the log remembers, at the positions
///   that the database has.
/// - `restored_replies_are_not_read_again`: each reply lane goes on at its end, and whoever held it
///   is fenced.
/// - `restored_waits_for_leases`: while one is in force it is [`StoreError::Refused`].
/// - `restored_dry_run_changes_nothing`: and says the same.
#[async_trait]
pub trait Restores: Send + Sync + 'static {
    /// Where each request lane stands. A lane that cannot be read is left out.
    async fn lanes(&self) -> Result<Vec<LaneProgress>, StoreError>;

    /// The newest revision that was given out.
    async fn newest(&self) -> Result<Revision, StoreError>;

    /// Makes the ledger true again, in one transaction.
    async fn restored(&self, terms: &RestoreTerms) -> Result<Restored, StoreError>;
}
