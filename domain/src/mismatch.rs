//! How a lane in the database and its log do not fit each other: one comparison, and one wording,
//! for everything that looks at lanes.

use std::{fmt, mem};

use thiserror::Error;

use crate::batch::Receipt;
use crate::lane::{Epoch, Lane, LaneProgress, LogChange, LogIdentity, Position, ReplyLane};
use crate::outcome::Outcome;
use crate::request::RequestId;

/// A lane of requests or of replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AnyLane {
    /// Of requests.
    Requests(Lane),
    /// Of replies.
    Replies(ReplyLane),
}

impl fmt::Display for AnyLane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Requests(lane) => write!(f, "lane {lane}"),
            Self::Replies(lane) => write!(f, "reply lane {lane}"),
        }
    }
}

/// How a lane in the database and its log do not fit each other.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Mismatch {
    /// The database has no row of it.
    #[error("its row in the database is gone")]
    NoRow,
    /// The database's row of it cannot be read.
    #[error("its row in the database cannot be read ({what})")]
    UnreadableRow {
        /// Table, column, and what is wrong.
        what: String,
    },
    /// The database's positions mean nothing in this log.
    #[error("the database has read it in another topic or cluster")]
    OtherLog,
    /// The database was moved away from this log, and never reads it from its beginning again.
    #[error("the database has left this topic by `catchment topics move`")]
    LeftLog,
    /// The log has no such lane.
    #[error("its topic has no partition of this number any more, only {partitions} in all")]
    NoPartition {
        /// How many lanes the log has.
        partitions: u16,
    },
    /// The log is shorter than what was read of it.
    #[error(
        "its partition was made again, or lost its end: it ends at {end}, and the database goes \
         on from {next}"
    )]
    EndsEarly {
        /// One past the last record.
        end: Position,
        /// The first that was not read yet.
        next: Position,
    },
    /// The log holds other records than those that were read.
    #[error(
        "its partition was made again, or lost its end: the record before {next} is not the one \
         that was applied"
    )]
    OtherRecord {
        /// The first that was not read yet.
        next: Position,
    },
    /// Records that are needed were removed, by retention or by somebody.
    #[error("its records before {first} are gone, and the database goes on from {from}")]
    RecordsGone {
        /// The first that is needed.
        from: Position,
        /// The first that is there.
        first: Position,
    },
    /// A request was applied, and its reply cannot be made.
    #[error(
        "the receipt of the request at {position} is gone or cannot be read, so its reply cannot be \
         made again"
    )]
    ReceiptGone {
        /// The request.
        position: Position,
    },
}

impl Mismatch {
    /// Whether it is a problem of the topic: of what stands there, and not of a single row or a
    /// single number.
    #[must_use]
    pub const fn is_of_topic(&self) -> bool {
        match self {
            Self::NoRow | Self::UnreadableRow { .. } | Self::NoPartition { .. } => false,
            Self::OtherLog
            | Self::LeftLog
            | Self::EndsEarly { .. }
            | Self::OtherRecord { .. }
            | Self::RecordsGone { .. }
            | Self::ReceiptGone { .. } => true,
        }
    }

    /// Returns whether the lane's positions still mean something in the log. That is so if records
    /// or receipts are gone, and no other records stand in their place.
    #[must_use]
    pub const fn leaves_a_place(&self) -> bool {
        match self {
            Self::RecordsGone { .. } | Self::ReceiptGone { .. } => true,
            Self::NoRow
            | Self::UnreadableRow { .. }
            | Self::OtherLog
            | Self::LeftLog
            | Self::NoPartition { .. }
            | Self::EndsEarly { .. }
            | Self::OtherRecord { .. } => false,
        }
    }

    /// Whether two looks found the same problem. Positions may have moved on between them, but for
    /// the end of a log that ends early.
    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::EndsEarly { end: one, .. }, Self::EndsEarly { end: other, .. }) => one == other,
            _ => mem::discriminant(self) == mem::discriminant(other),
        }
    }
}

/// A lane that cannot go on as it is. Displayed as one line that says what to do.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{lane}: {mismatch}; {}", self.advice())]
pub struct LaneProblem {
    /// The lane.
    pub lane: AnyLane,
    /// What is wrong.
    pub mismatch: Mismatch,
}

impl LaneProblem {
    /// Of a lane of requests.
    #[must_use]
    pub const fn of(lane: Lane, mismatch: Mismatch) -> Self {
        Self { lane: AnyLane::Requests(lane), mismatch }
    }

    /// Of a lane of replies.
    #[must_use]
    pub const fn of_replies(lane: ReplyLane, mismatch: Mismatch) -> Self {
        Self { lane: AnyLane::Replies(lane), mismatch }
    }

    /// What helps.
    fn advice(&self) -> String {
        let first = match &self.mismatch {
            Mismatch::NoRow | Mismatch::UnreadableRow { .. } => "restore the row from a backup",
            Mismatch::OtherLog => "use the topic and the cluster that belong to this database",
            Mismatch::LeftLog => "name another topic in `kafka.requests_topic`",
            Mismatch::NoPartition { .. } => "give the topic its partitions back",
            Mismatch::EndsEarly { .. }
            | Mismatch::OtherRecord { .. }
            | Mismatch::RecordsGone { .. } => "bring the records back",
            Mismatch::ReceiptGone { .. } => "restore the receipt from a backup",
        };
        let (number, option) = match self.lane {
            AnyLane::Requests(lane) => (lane.0, ""),
            AnyLane::Replies(lane) => (lane.0, " --reply"),
        };
        format!("{first}, or take the lane as it is by `catchment lanes accept {number}{option}`")
    }
}

/// What the log of a request lane holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestLaneLog {
    /// Which log it is.
    pub log: LogIdentity,
    /// The first record that is there.
    pub first: Position,
    /// One past the last record.
    pub end: Position,
    /// The record before the next one to apply, while it is there.
    pub before: Option<RequestId>,
    /// The first request that was applied and not answered, and whose receipt is gone or cannot be
    /// read.
    pub without_receipt: Option<Position>,
}

/// What comes of comparing a lane with its log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// Nothing of it was read yet, so nothing can differ.
    Unread,
    /// The log holds what was read of it.
    Fits,
    /// They do not fit each other.
    Differs(Mismatch),
    /// It is not known now.
    Unclear(Unclear),
}

impl Comparison {
    /// What is wrong, where something is.
    #[must_use]
    pub const fn mismatch(&self) -> Option<&Mismatch> {
        match self {
            Self::Differs(mismatch) => Some(mismatch),
            Self::Unread | Self::Fits | Self::Unclear(_) => None,
        }
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub const fn is_fine(&self) -> bool {
        matches!(self, Self::Unread | Self::Fits)
    }

    /// Why it is not known now whether something is wrong.
    #[must_use]
    pub const fn unclear(&self) -> Option<Unclear> {
        match self {
            Self::Unclear(why) => Some(*why),
            Self::Unread | Self::Fits | Self::Differs(_) => None,
        }
    }

    /// What two looks at a lane, one after the other, found. If a broker is behind, a look can find
    /// a problem that is none, or another one than there is.
    ///
    /// 1. A lane that the second look finds to be fine is fine.
    /// 2. If one of the looks did not see the lane, nothing is known.
    /// 3. If both looks found the same problem, it is there. A log that ends early must end at the
    ///    same position, because it may not have shown its end yet.
    /// 4. If the looks found different things, nothing is known.
    #[must_use]
    pub fn confirmed_by(self, before: &Self) -> Self {
        match (before, self) {
            (_, now @ (Self::Unread | Self::Fits | Self::Unclear(_))) => now,
            (Self::Unclear(why), Self::Differs(_)) => Self::Unclear(*why),
            (Self::Differs(before), Self::Differs(now)) if before.is_same(&now) => {
                Self::Differs(now)
            }
            (Self::Unread | Self::Fits | Self::Differs(_), Self::Differs(_)) => {
                Self::Unclear(Unclear::Unsteady)
            }
        }
    }
}

/// Why it is not known now whether, or where, a lane can go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Unclear {
    /// The log does not say what the lane holds.
    #[error(
        "Kafka does not say now what its partition holds: repeat the command when the partition \
         has a leader"
    )]
    Unseen,
    /// Two looks found different things.
    #[error(
        "it changed between two looks: repeat the command; if that does not help, stop first what \
         sends into the lane"
    )]
    Unsteady,
    /// Records are held back, and would be passed over without being named.
    #[error(
        "an open transaction holds back its records from {from} on: wait until its \
         `transaction.timeout.ms` has passed, or end it by `kafka-transactions.sh`, and repeat the \
         command"
    )]
    OpenTransaction {
        /// The first record that is held back.
        from: Position,
    },
}

/// A lane of which it is not known now whether, or where, it can go on. Displayed as one line that
/// says what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{lane}: {why}")]
pub struct UnclearLane {
    /// The lane.
    pub lane: AnyLane,
    /// Why.
    pub why: Unclear,
}

/// How a request lane stands in the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoredLane {
    /// As its row says.
    Known {
        /// Its positions and its owner.
        progress: LaneProgress,
        /// The record that was applied last.
        last_id: Option<RequestId>,
        /// The logs that the database has left.
        left: Vec<LogIdentity>,
    },
    /// It has no row that can be read.
    Lost {
        /// What is wrong with the row that is there.
        unreadable: Option<String>,
        /// What its receipts say.
        remains: LaneRemains,
    },
}

impl StoredLane {
    /// What is wrong with its row.
    #[must_use]
    pub fn mismatch(&self) -> Option<Mismatch> {
        match self {
            Self::Known { .. } => None,
            Self::Lost { unreadable: None, .. } => Some(Mismatch::NoRow),
            Self::Lost { unreadable: Some(what), .. } => {
                Some(Mismatch::UnreadableRow { what: what.clone() })
            }
        }
    }

    /// The next position to answer and the next one to apply.
    ///
    /// # Errors
    ///
    /// What is wrong with its row, or why its positions mean nothing in this log.
    pub fn place_in(&self, log: LogIdentity) -> Result<(Position, Position), Mismatch> {
        Place::of(self, log).map(|place| (place.replied, place.applied))
    }
}

/// What the receipts of a lane say of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LaneRemains {
    /// The newest owner that stored one.
    pub epoch: Epoch,
    /// The number of the log that the newest one belongs to, and the position behind it.
    pub read: Option<(u128, Position)>,
}

/// Compares a request lane with its log.
///
/// 1. A lane without a row that can be read differs.
/// 2. A lane that was read in another log differs, if that log outlives its process.
/// 3. A lane that nobody has claimed yet begins at position 0. It differs in a log that the database
///    has left.
/// 4. A log that ends before the next position to apply was made again, or lost its end.
/// 5. So was a log in which another record stands before that position than was applied.
/// 6. If records are gone from the next position to answer on, requests are lost, or replies that
///    are made again from their requests.
/// 7. A request without a receipt that was applied and not answered cannot be answered.
/// 8. Otherwise the lane fits, or nothing was read yet.
#[must_use]
pub fn compare_requests(stored: &StoredLane, log: &RequestLaneLog) -> Comparison {
    let place = match Place::of(stored, log.log) {
        Ok(place) => place,
        Err(mismatch) => return Comparison::Differs(mismatch),
    };
    match place.compare(log) {
        Some(mismatch) => Comparison::Differs(mismatch),
        None if place.applied == Position(0) => Comparison::Unread,
        None => Comparison::Fits,
    }
}

/// Where a lane stands in a log.
pub(crate) struct Place {
    pub(crate) applied: Position,
    pub(crate) replied: Position,
    last_id: Option<RequestId>,
}

impl Place {
    /// Fails where the lane has no positions that mean something in this log.
    pub(crate) fn of(stored: &StoredLane, log: LogIdentity) -> Result<Self, Mismatch> {
        let StoredLane::Known { progress, last_id, left } = stored else {
            return Err(stored.mismatch().unwrap_or(Mismatch::NoRow));
        };
        let (applied, replied) = (progress.applied_next, progress.replied_next);
        match LogChange::between(progress.log, log) {
            LogChange::Same => Ok(Self { applied, replied, last_id: *last_id }),
            LogChange::Anew if left.iter().any(|left| left.id == log.id) => Err(Mismatch::LeftLog),
            LogChange::Anew => {
                Ok(Self { applied: Position(0), replied: Position(0), last_id: None })
            }
            LogChange::Other => Err(Mismatch::OtherLog),
        }
    }

    fn compare(&self, log: &RequestLaneLog) -> Option<Mismatch> {
        let Self { applied: next, replied: from, last_id } = *self;
        let RequestLaneLog { first, end, before, without_receipt, .. } = *log;
        if end < next {
            return Some(Mismatch::EndsEarly { end, next });
        }
        if is_other(last_id, before) {
            return Some(Mismatch::OtherRecord { next });
        }
        if from < first {
            return Some(Mismatch::RecordsGone { from, first });
        }
        without_receipt.map(|position| Mismatch::ReceiptGone { position })
    }
}

/// Whether the record before a position is another one than was applied. One that is gone says
/// nothing.
pub(crate) fn is_other(applied: Option<RequestId>, found: Option<RequestId>) -> bool {
    applied.zip(found).is_some_and(|(applied, found)| applied != found)
}

/// How a reply lane stands in the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredReplyLane {
    /// The lane.
    pub lane: ReplyLane,
    /// Its row; `None` where only campaigns name it, or what is wrong with the row.
    pub row: Option<Result<ReplyLaneRow, String>>,
}

/// The row of a reply lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplyLaneRow {
    /// The log that its position belongs to.
    pub log: LogIdentity,
    /// The newest lease.
    pub epoch: Epoch,
    /// The next reply to read.
    pub position: Position,
    /// Who has the lease, while it is in force.
    pub holder: Option<String>,
}

/// Compares a reply lane with its log, which has so many lanes.
///
/// A log that lost replies is no mismatch: what has no outcome is sent again.
///
/// 1. A lane whose row cannot be read differs.
/// 2. A lane that was read in another log differs, if that log outlives its process.
/// 3. A lane that the log does not have differs.
/// 4. Otherwise it fits; one without a row was never read.
#[must_use]
pub fn compare_replies(
    stored: &StoredReplyLane,
    (log, partitions): (LogIdentity, u16),
) -> Comparison {
    let before = match &stored.row {
        Some(Err(what)) => {
            return Comparison::Differs(Mismatch::UnreadableRow { what: what.clone() });
        }
        Some(Ok(row)) => Some(row.log),
        None => None,
    };
    match LogChange::between(before, log) {
        LogChange::Other => Comparison::Differs(Mismatch::OtherLog),
        LogChange::Same | LogChange::Anew if partitions <= stored.lane.0 => {
            Comparison::Differs(Mismatch::NoPartition { partitions })
        }
        LogChange::Same => Comparison::Fits,
        LogChange::Anew => Comparison::Unread,
    }
}

/// Whether no lane of a topic can go on: a lane differs because of the topic, and no lane fits. A lane
/// of which nothing was read or known says nothing of the topic. Neither does a lane whose row is
/// gone, or a lane that the topic does not have.
#[must_use]
pub fn is_whole_topic<'a>(lanes: impl IntoIterator<Item = &'a Comparison>) -> bool {
    let (mut differs, mut fits) = (false, false);
    for comparison in lanes {
        match comparison {
            Comparison::Unread | Comparison::Unclear(_) => {}
            Comparison::Fits => fits = true,
            Comparison::Differs(mismatch) => differs |= mismatch.is_of_topic(),
        }
    }
    differs && !fits
}

/// The outcome of each of these requests by the receipts; both stand in the order of the lane.
///
/// # Errors
///
/// The first request of which there is no receipt.
pub fn outcomes_of(
    requests: impl IntoIterator<Item = (Position, RequestId)>,
    receipts: Vec<Receipt>,
) -> Result<Vec<Outcome>, Position> {
    let mut entries = receipts.into_iter().flat_map(|receipt| receipt.entries).peekable();
    let outcome = |(position, id)| {
        while entries.next_if(|entry| entry.position < position).is_some() {}
        match entries.next_if(|entry| entry.position == position) {
            Some(entry) if entry.id == id => Ok(entry.outcome),
            _ => Err(position),
        }
    };
    requests.into_iter().map(outcome).collect()
}
