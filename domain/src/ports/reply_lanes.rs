use std::time::Duration;

use async_trait::async_trait;
use uuid::Uuid;

use crate::lane::{Epoch, LogIdentity, Position, ReplyLane};
use crate::ports::StoreError;

/// A requester, different with each start of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Holder(pub Uuid);

/// The right to read a reply lane and to run its campaigns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The lane.
    pub lane: ReplyLane,
    /// Who has it.
    pub holder: Holder,
    /// Higher than that of any lease of the lane before.
    pub epoch: Epoch,
    /// The next position to read.
    pub position: Position,
}

/// Which requester reads which reply lane. Leases run by the database's clock.
///
/// # Promises
///
/// - `lease_has_one_holder`: while a lease is in force, nobody else gets the lane.
/// - `lease_passes_on`: one that ran out, or was given back, goes to the next who asks, with a
///   higher epoch and the stored position.
/// - `lease_of_a_wrong_clock_has_run_out`: one that would last longer than the longest lease was
///   given while the database's clock was ahead, and counts as one that ran out.
/// - `lease_renewed_stays`: a renewed lease is in force for another while; one that was passed
///   on cannot be renewed.
/// - `lease_of_a_new_lane_starts_at_its_end`: at the end that the first holder names.
/// - `lease_of_a_passing_log_starts_anew`: at the end that the holder names.
/// - `lease_of_another_lasting_log_is_refused`: once a lane was read in a lasting log, every
///   other is [`StoreError::Refused`].
/// - `surrendered_lease_is_fenced`: whatever is done by a lease that was given back is
///   [`StoreError::Fenced`].
/// - `lane_that_lost_its_end_goes_back`: the next holder of the lane reads from there, too.
/// - `orphans_have_open_campaigns_and_no_lease`: lanes with something to do, and nobody to do it;
///   a damaged campaign is something to do: its requester names it.
#[async_trait]
pub trait ReplyLanes: Send + Sync + 'static {
    /// Leases a lane for so long, at most [`LONGEST_LEASE`](crate::LONGEST_LEASE); `None` while
    /// another's lease is in force. `end` is where a lane begins that was never read in this log.
    async fn lease(
        &self,
        lane: ReplyLane,
        holder: Holder,
        (log, end): (LogIdentity, Position),
        duration: Duration,
    ) -> Result<Option<Lease>, StoreError>;

    /// Has the lease for so long from now on.
    async fn renew(&self, lease: &Lease, duration: Duration) -> Result<(), StoreError>;

    /// Stores that the lane is read on from its log's end, which lies before the stored position.
    async fn go_back(&self, lease: &Lease, end: Position) -> Result<(), StoreError>;

    /// Gives the lease back.
    async fn surrender(&self, lease: &Lease) -> Result<(), StoreError>;

    /// The lanes, in their order, of which no lease is in force and of whose campaigns one has
    /// open slots or is to be ended: their requester died, or gave its lease back too early.
    async fn orphans(&self) -> Result<Vec<ReplyLane>, StoreError>;
}
