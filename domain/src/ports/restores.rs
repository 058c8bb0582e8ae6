use async_trait::async_trait;

use crate::lane::{LaneProgress, LogIdentity};
use crate::ports::StoreError;
use crate::restore::{Known, RestoreTerms, Restored};

/// Where the request lanes stand, and what is changed after the database was restored from a backup
/// while the logs went on.
///
/// # Promises
///
/// - `lanes_are_told_as_they_stand`: every lane that can be read, in order.
/// - `left_logs_are_known`: a log that the database has left, until a lane is accepted in it.
/// - `known_holds_revision_and_campaigns`: the newest revision, every campaign that can be read, and
///   the revision of every other one.
/// - `restored_asks_open_shops_again`: each campaign is changed as [`ask_again`](crate::ask_again)
///   says.
/// - `restored_leaves_damage_out`: a damaged campaign is named and stays as it is.
/// - `restored_gives_out_newer_revisions`: the next revision is above every revision that was given
///   out since the backup.
/// - `restored_gives_no_revision_out_again`: also one that is taken meanwhile.
/// - `restored_lanes_may_be_claimed`: each lane has an epoch above what the log remembers, and keeps
///   the position that the database has.
/// - `restored_leaves_lost_lanes_out`: a lane whose row is gone or cannot be read stays as it is, and
///   everything else is done.
/// - `restored_replies_are_not_read_again`: the next holder of a reply lane begins at the lane's end,
///   and the holder before is fenced.
/// - `restored_leaves_foreign_reply_lanes_out`: a reply lane that does not fit its log is named and
///   keeps its place, and its holder is fenced.
/// - `restored_refuses_a_foreign_log`: if no request lane belongs to the log
///   ([`check_log`](crate::check_log)), it is [`StoreError::Refused`].
/// - `restored_waits_for_leases`: while a lease is in force, it is [`StoreError::Refused`].
/// - `restored_may_be_repeated`: once more, or twice at once, does no harm.
/// - `restored_dry_run_changes_nothing`: a dry run returns what would be changed.
#[async_trait]
pub trait Restores: Send + Sync + 'static {
    /// Where each request lane stands. A lane that cannot be read is left out.
    async fn lanes(&self) -> Result<Vec<LaneProgress>, StoreError>;

    /// Returns whether the database has left this log of requests by a move. A log that was accepted
    /// again in any lane is not left any more.
    async fn has_left(&self, log: LogIdentity) -> Result<bool, StoreError>;

    /// The newest revision and the campaigns.
    async fn known(&self) -> Result<Known, StoreError>;

    /// Makes the ledger of a restored database true again, in one transaction.
    async fn restored(&self, terms: &RestoreTerms) -> Result<Restored, StoreError>;
}
