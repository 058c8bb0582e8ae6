use std::collections::BTreeMap;

use async_trait::async_trait;
use thiserror::Error;

use crate::lane::{Committed, Lane, LogIdentity, Position, ReplyLane};
use crate::outcome::Reply;
use crate::ports::BoxError;
use crate::request::{RequestId, RequestRecord, ReturnAddress};

/// Why a log could not be read.
#[derive(Debug, Error)]
pub enum LogError {
    /// Try again later.
    #[error("the log is unavailable")]
    Unavailable(#[source] BoxError),
    /// The log is closed for good: whoever reads it must end.
    #[error("the log is closed")]
    Closed,
    /// A human must look: records that were not read yet are gone.
    #[error("the log starts at {first}, and {from} was to be read: records were lost")]
    Truncated {
        /// What was to be read.
        from: Position,
        /// What is there.
        first: Position,
    },
    /// A human must look: the log is shorter than what was read of it.
    #[error("the log ends at {end}, and {from} was to be read: it was made again, or lost its end")]
    Beyond {
        /// What was to be read.
        from: Position,
        /// One past the newest record.
        end: Position,
    },
}

/// A stretch of a lane: the requests that stand in it, and where it ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stretch {
    /// What is a request, or ought to be one, in the order of the lane.
    pub requests: Vec<RequestRecord>,
    /// Place and id of the last record, be it a request or not; `None` where there is none.
    /// A record that is no request is identified as an unreadable one is.
    pub last: Option<(Position, RequestId)>,
}

impl Stretch {
    /// A stretch of requests alone.
    #[must_use]
    pub fn of(requests: Vec<RequestRecord>) -> Self {
        let last = requests.last().map(|record| (record.position, record.id));
        Self { requests, last }
    }
}

/// The lanes of requests, as the consumer reads them.
///
/// A log may be shared with others, whose records are no business of ours: they are passed over
/// and counted by the log, get no reply, and the lane goes on behind them.
///
/// # Promises
///
/// - `reading_is_repeatable`: the same positions hold the same records until they are released.
/// - `reading_behind_the_end_is_empty`: and `wait` returns once there is something.
/// - `reading_beyond_the_end_is_refused`: exactly at the end there is nothing yet, further on is
///   [`LogError::Beyond`]; a log that was made again, or lost its end, is noticed by that.
/// - `gone_records_are_not_missed`: reading what is gone is [`LogError::Truncated`], never a
///   silent skip. What was released may be gone, or be read once more.
/// - `foreign_records_are_passed_over`: a stretch does not hold what belongs to others, and ends
///   behind it, also where there is nothing else.
/// - `last_before_names_the_record`: while it is there, also one that belongs to others.
/// - `committed_is_remembered`: a moment after it was committed, for every later owner and for
///   [`CommitLog`]; nothing is before the first commit.
#[async_trait]
pub trait RequestLog: Send + Sync + 'static {
    /// Which log this is.
    fn identity(&self) -> LogIdentity;

    /// Up to `max` requests from `from` on; an empty stretch when there is nothing yet. What
    /// was sent before the call is found by it.
    async fn read(&self, lane: Lane, from: Position, max: usize) -> Result<Stretch, LogError>;

    /// The id of the record before `position`, while it is there; a position beyond the end is
    /// [`LogError::Beyond`] here, too.
    async fn last_before(
        &self,
        lane: Lane,
        position: Position,
    ) -> Result<Option<RequestId>, LogError>;

    /// Returns once there may be a record at `from` or behind it.
    async fn wait(&self, lane: Lane, from: Position);

    /// Says that an owner has answered everything below `next`: nobody needs the records there
    /// any more.
    async fn commit(&self, lane: Lane, committed: Committed);

    /// What was committed last, by whichever owner.
    async fn committed(&self, lane: Lane) -> Result<Option<Committed>, LogError>;
}

/// What the owners of request lanes have committed, for those who do not read the lanes.
///
/// Its promise is `committed_is_remembered` of [`RequestLog`].
#[async_trait]
pub trait CommitLog: Send + Sync + 'static {
    /// Which log this is.
    fn identity(&self) -> LogIdentity;

    /// What was committed last, in each lane where something was.
    async fn committed(&self) -> Result<BTreeMap<Lane, Committed>, LogError>;
}

/// A reply as it stands in its lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplyRecord {
    /// Its place.
    pub position: Position,
    /// The reply; `None` where the message is none.
    pub reply: Option<Reply>,
}

/// The reply lanes, as the requester reads them.
///
/// # Promises
///
/// - `reading_is_repeatable`: the same positions hold the same replies until they are released.
/// - `reading_behind_the_end_is_empty`: and `wait` returns once there is something.
/// - `reading_beyond_the_end_is_refused`: exactly at the end there is nothing yet, further on is
///   [`LogError::Beyond`]; a log that was made again, or lost its end, is noticed by that.
/// - `gone_records_are_not_missed`: reading what is gone is [`LogError::Truncated`], never a
///   silent skip. What was released may be gone, or be read once more.
/// - `replies_are_read_as_sent`: id, shop and outcome.
/// - `end_is_behind_the_newest`: where the next reply will stand, whatever was released.
#[async_trait]
pub trait ReplyLog: Send + Sync + 'static {
    /// Which log this is.
    fn identity(&self) -> LogIdentity;

    /// How many lanes it has, as far as is known. There may be more or fewer of them later.
    fn lanes(&self) -> u16;

    /// The address that makes a reply arrive in a lane.
    fn address(&self, lane: ReplyLane) -> ReturnAddress;

    /// One past the newest reply.
    async fn end(&self, lane: ReplyLane) -> Result<Position, LogError>;

    /// Up to `max` replies from `from` on; none when there are none yet. What was sent before
    /// the call is found by it.
    async fn read(
        &self,
        lane: ReplyLane,
        from: Position,
        max: usize,
    ) -> Result<Vec<ReplyRecord>, LogError>;

    /// Returns once there may be a reply at `from` or behind it.
    async fn wait(&self, lane: ReplyLane, from: Position);

    /// Says that nobody needs the replies below `next` any more.
    async fn release(&self, lane: ReplyLane, next: Position);
}
