//! Taking a lane as it is: where it goes on although it and its log do not fit each other, and what
//! is given up by that.

use thiserror::Error;

use crate::campaign::{Campaign, CampaignError, CampaignState};
use crate::correlation::Attempt;
use crate::damage::Damage;
use crate::lane::{Committed, Epoch, Lane, LogIdentity, Position, epoch_after};
use crate::mismatch::{
    AnyLane, LaneRemains, Mismatch, Place, ReplyLaneRow, RequestLaneLog, StoredLane,
    StoredReplyLane, Unclear, compare_requests,
};
use crate::request::RequestId;
use crate::revision::Revision;
use crate::time::{Deadline, Timestamp, UNTIL_AT_WORK};

/// Positions from the first one up to, not including, the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PositionRange {
    /// The first.
    pub from: Position,
    /// One past the last.
    pub to: Position,
}

impl PositionRange {
    /// `None` where it holds nothing.
    #[must_use]
    pub fn of(from: Position, to: Position) -> Option<Self> {
        (from < to).then_some(Self { from, to })
    }

    /// The most records that stand there.
    #[must_use]
    pub const fn most(self) -> u64 {
        self.to.0.saturating_sub(self.from.0)
    }
}

/// What is skipped when a request lane is taken as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    /// In the log that was read before: everything from here on is not applied.
    pub of_log_before: Option<Position>,
    /// In the log as it is now: not applied from now on. Where the lane does not keep its receipts,
    /// it is not known whether these requests were applied before.
    pub unapplied: Option<PositionRange>,
    /// Applied, and not answered.
    pub unanswered: Option<PositionRange>,
}

/// Where a request lane goes on that is taken as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acceptance {
    /// The log that is read from now on.
    pub log: LogIdentity,
    /// The next position to apply.
    pub applied_next: Position,
    /// The next position to answer.
    pub replied_next: Position,
    /// Whether the receipts belong to what is read from now on. Otherwise positions may come again
    /// that they name, and they answer nothing any more.
    pub keeps_receipts: bool,
    /// What is skipped.
    pub skipped: Skipped,
}

impl Acceptance {
    /// Checks that the lane skips no record that was not named. `end` is one past the last record
    /// of its log, including records of open transactions.
    ///
    /// 1. A lane that keeps its receipts goes on within its log, and reads what is held back later.
    /// 2. A lane that goes on at the end of the readable records must be at the end of the log.
    ///    Otherwise it would later apply records that were not named.
    ///
    /// # Errors
    ///
    /// When the log ends later, or its end is not known.
    pub fn check_end(&self, end: Option<Position>) -> Result<(), Unclear> {
        if self.keeps_receipts {
            return Ok(());
        }
        if end.ok_or(Unclear::Unseen)? <= self.applied_next {
            return Ok(());
        }
        Err(Unclear::OpenTransaction { from: self.applied_next })
    }
}

/// How a request lane is taken as it is; `None` where it works. `committed` is what the log remembers
/// of the lane.
///
/// 1. In another log, in one that the database has left, and in one that was made again or lost its
///    end, nobody knows which records were applied. So the lane goes on at the end, and nothing is
///    applied twice.
/// 2. Behind records that are gone, the lane goes on at the first that is there. What was applied
///    from there on is answered.
/// 3. Where a receipt is gone, everything that was applied counts as answered.
/// 4. A lane without a row goes on behind the newest of its receipts, and behind what its log
///    remembers. Everything before counts as answered. Where neither says anything, or the log
///    ends before that, it goes on at the end as in 1.
#[must_use]
pub fn acceptance_of(
    stored: &StoredLane,
    log: &RequestLaneLog,
    committed: Option<Committed>,
) -> Option<Acceptance> {
    let mismatch = compare_requests(stored, log).mismatch()?.clone();
    Some(match stored {
        StoredLane::Lost { remains, .. } => without_row(*remains, log, committed),
        StoredLane::Known { progress, .. } => match Place::of(stored, log.log) {
            // Everything that stood there was applied and answered when the database left it.
            Err(Mismatch::LeftLog) => at_end(log, None, None),
            Err(_) => {
                let (replied, applied) = (progress.replied_next, progress.applied_next);
                at_end(log, Some(applied), PositionRange::of(replied, applied))
            }
            Ok(place) if mismatch.leaves_a_place() => go_on(&place, log),
            Ok(place) => {
                let unanswered = PositionRange::of(place.replied, place.applied);
                at_end(log, Some(place.applied), unanswered)
            }
        },
    })
}

/// At the end of a log of which nobody knows what was applied.
fn at_end(
    log: &RequestLaneLog,
    of_log_before: Option<Position>,
    unanswered: Option<PositionRange>,
) -> Acceptance {
    let unapplied = PositionRange::of(log.first, log.end);
    Acceptance {
        log: log.log,
        applied_next: log.end,
        replied_next: log.end,
        keeps_receipts: false,
        skipped: Skipped { of_log_before, unapplied, unanswered },
    }
}

/// In the same log, behind what is gone.
fn go_on(place: &Place, log: &RequestLaneLog) -> Acceptance {
    let Place { applied, replied, .. } = *place;
    let applied_next = applied.max(log.first);
    let can_answer = log.without_receipt.is_none();
    let replied_next = if can_answer { replied.max(log.first) } else { applied_next };
    Acceptance {
        log: log.log,
        applied_next,
        replied_next,
        keeps_receipts: true,
        skipped: Skipped {
            of_log_before: None,
            unapplied: PositionRange::of(applied, applied_next),
            unanswered: PositionRange::of(replied, replied_next.min(applied)),
        },
    }
}

/// Behind what receipts and log show that was applied. How far it was answered is known only where
/// the log remembers that.
fn without_row(
    remains: LaneRemains,
    log: &RequestLaneLog,
    committed: Option<Committed>,
) -> Acceptance {
    let read = remains.read.filter(|(id, _)| *id == log.log.id).map(|(_, next)| next);
    let answered = committed.map(|committed| committed.next);
    let applied = read.max(answered);
    let unanswered =
        applied.and_then(|applied| PositionRange::of(answered.unwrap_or_default(), applied));
    let Some(known) = applied.filter(|applied| *applied <= log.end) else {
        return at_end(log, applied, unanswered);
    };
    let next = known.max(log.first);
    Acceptance {
        log: log.log,
        applied_next: next,
        replied_next: next,
        keeps_receipts: true,
        skipped: Skipped {
            of_log_before: None,
            unapplied: PositionRange::of(known, next),
            unanswered,
        },
    }
}

/// Gives a campaign a later deadline if its open shops would otherwise expire before they are
/// asked. This is called when its reply lane, or a request lane of its open shops, is accepted.
/// Returns `None` if the present attempt has time enough: its requests are sent again anyway.
///
/// 1. Only activations have a deadline that matters, while they may be sent.
/// 2. If it has passed or passes within a minute, or lies below `mark`, which some lane treated as
///    passed, its requests would expire although nobody looked at them in time. So there is a new
///    attempt, with a deadline as if it began in a minute.
///
/// # Errors
///
/// When there is no higher attempt.
pub fn ask_in_time(
    campaign: &Campaign,
    (now, mark): (Timestamp, Deadline),
) -> Result<Option<Campaign>, CampaignError> {
    let at_work = now.saturating_add(UNTIL_AT_WORK);
    let is_late = campaign.deadline.is_passed(at_work) || campaign.deadline <= mark;
    if !campaign.may_send_activations() || !is_late {
        return Ok(None);
    }
    if campaign.attempt == Attempt::MAX {
        return Err(CampaignError::TooManyAttempts(campaign.name.revision));
    }
    let deadline = Deadline::of_attempt(at_work, mark, campaign.timeout);
    Ok(Some(Campaign {
        attempt: Attempt(campaign.attempt.0 + 1),
        deadline: campaign.deadline.max(deadline),
        ..campaign.clone()
    }))
}

/// Which lanes are taken as they are.
#[derive(Clone, Debug)]
pub struct AcceptTerms {
    /// Lanes of requests.
    pub requests: Vec<AcceptedLane>,
    /// Lanes of replies.
    pub replies: Vec<AcceptedReplyLane>,
    /// Changes nothing, and says what would be changed.
    pub dry_run: bool,
}

/// A request lane that is taken as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptedLane {
    /// The lane.
    pub lane: Lane,
    /// How it stood in the database when it was compared.
    pub stored: StoredLane,
    /// What its log remembers of it.
    pub committed: Option<Committed>,
    /// Where it goes on.
    pub acceptance: Acceptance,
    /// The record before that, while it is there. By it is noticed that the log is made again before
    /// anything else of it is applied.
    pub last_id: Option<RequestId>,
}

impl AcceptedLane {
    /// Adds the id of the record before the position where the lane goes on. `log` was read from
    /// that position.
    ///
    /// # Errors
    ///
    /// When the log ends earlier by now, or is another one.
    pub fn behind_the_record_in(self, log: &RequestLaneLog) -> Result<Self, Unclear> {
        let Acceptance { log: expected, applied_next, .. } = self.acceptance;
        if log.log != expected || log.end < applied_next {
            return Err(Unclear::Unsteady);
        }
        Ok(Self { last_id: log.before, ..self })
    }

    /// Checks that the lane still has the compared position. A claim since then makes no difference.
    ///
    /// # Errors
    ///
    /// When it moved.
    pub fn check(&self, now: &StoredLane) -> Result<(), MovedMeanwhile> {
        let is_still = match (&self.stored, now) {
            (
                StoredLane::Known { progress: before, last_id: last_before, .. },
                StoredLane::Known { progress: now, last_id, .. },
            ) => {
                (before.log, before.applied_next, before.replied_next, last_before)
                    == (now.log, now.applied_next, now.replied_next, last_id)
            }
            (StoredLane::Lost { .. }, StoredLane::Lost { .. }) => self.stored == *now,
            (StoredLane::Known { .. }, StoredLane::Lost { .. })
            | (StoredLane::Lost { .. }, StoredLane::Known { .. }) => false,
        };
        if is_still { Ok(()) } else { Err(MovedMeanwhile(AnyLane::Requests(self.lane))) }
    }

    /// The lane's next epoch: above that of every owner that anything knows of. `newest` is the
    /// newest owner as the database has it now.
    #[must_use]
    pub fn next_epoch(&self, newest: Epoch) -> Epoch {
        let stored = match &self.stored {
            StoredLane::Known { progress, .. } => progress.epoch,
            StoredLane::Lost { remains, .. } => remains.epoch,
        };
        epoch_after(stored.max(newest), self.committed)
    }
}

/// A reply lane that is taken as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptedReplyLane {
    /// The lane, and how it stood in the database when it was compared.
    pub stored: StoredReplyLane,
    /// The log that is read from now on.
    pub log: LogIdentity,
    /// Where it goes on: at its end. `None` where the log has no such lane: its campaigns go to
    /// other lanes.
    pub end: Option<Position>,
}

impl AcceptedReplyLane {
    /// Checks that the lane still has the compared position and lease.
    ///
    /// # Errors
    ///
    /// When it moved. A requester may work with it.
    pub fn check(&self, row: Option<&Result<ReplyLaneRow, String>>) -> Result<(), MovedMeanwhile> {
        let is_still = match (self.stored.row.as_ref(), row) {
            (Some(Ok(before)), Some(Ok(now))) => {
                (before.log, before.epoch, before.position) == (now.log, now.epoch, now.position)
            }
            (before, now) => before == now,
        };
        if is_still { Ok(()) } else { Err(MovedMeanwhile(AnyLane::Replies(self.stored.lane))) }
    }
}

/// A lane that moved since it was compared with its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{0} moved since it was looked at: repeat `catchment lanes accept`")]
pub struct MovedMeanwhile(pub AnyLane);

/// What taking lanes as they are did to campaigns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// The campaigns with open shops in the request lanes, or on the reply lanes, oldest first.
    pub asked: Vec<AskedInLanes>,
    /// Among them those that have had every attempt there is: their late requests will expire.
    pub left: Vec<Revision>,
    /// The unfinished campaigns that go to other reply lanes.
    pub moved: Vec<Revision>,
    /// The campaigns there that cannot be read. They keep their deadlines.
    pub damaged: Vec<Damage>,
}

/// A campaign that asks open shops again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AskedInLanes {
    /// The campaign.
    pub campaign: Revision,
    /// Where it is in its life.
    pub state: CampaignState,
    /// How many of its requests have no outcome: all of them, if its reply lane was taken, and
    /// otherwise those in the request lanes.
    pub open: u64,
    /// The attempt in which they are asked, where it is a new one.
    pub new_attempt: Option<Attempt>,
}
