//! Moving a database away from its topics: it must be drained before.
//!
//! The database leaves its logs for good, and the next log is read from its beginning. Records that
//! are left in the old logs are never read, so nothing may be under way.

use thiserror::Error;

use crate::campaign::{Campaign, CampaignState};
use crate::damage::{Damage, Found};
use crate::lane::{Lane, Lanes, Position, ReplyLane};
use crate::mismatch::{AnyLane, LaneProblem, Mismatch, StoredLane, StoredReplyLane};
use crate::revision::Revision;

/// The records in a lane behind the last one that was applied or recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behind {
    /// No record, or only the marks of transactions.
    Nothing,
    /// Records.
    Records,
    /// Records of an open transaction, which may not be read yet.
    OpenTransaction {
        /// The first of them.
        from: Position,
    },
}

/// A request lane before a move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneBeforeMove {
    /// The lane.
    pub lane: Lane,
    /// How it stands in the database.
    pub stored: StoredLane,
    /// How it does not fit its log.
    pub mismatch: Option<Mismatch>,
    /// What stands in its log behind the last request that was applied.
    pub behind: Behind,
}

/// A reply lane before a move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplyLaneBeforeMove {
    /// The lane, and how it stands in the database.
    pub stored: StoredReplyLane,
    /// How it does not fit its log.
    pub mismatch: Option<Mismatch>,
    /// What stands in its log behind the last reply that was recorded.
    pub behind: Behind,
}

/// Everything that is looked at before a move.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BeforeMove {
    /// The members of the consumers' group.
    pub members: Vec<String>,
    /// Every request lane, in order.
    pub requests: Vec<LaneBeforeMove>,
    /// The partitions of the request topic beyond the lanes that hold records, and the first record
    /// of each.
    pub beyond: Vec<(Lane, Position)>,
    /// Every reply lane that the database knows, in order.
    pub replies: Vec<ReplyLaneBeforeMove>,
    /// Every campaign, oldest first.
    pub campaigns: Found<Vec<Campaign>>,
}

/// What is not drained. Displayed as one line that says what to wait for, or what to do.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NotDrained {
    /// A consumer is in the group.
    #[error(
        "stop all consumers: {member} is in the consumers' group; a consumer that was killed leaves \
         it after `kafka.session_timeout`"
    )]
    Member {
        /// It.
        member: String,
    },
    /// A requester, or a command on a database file, holds a reply lane.
    #[error(
        "stop all requesters, or the command that works on the database file: reply lane {lane} is \
         leased by {holder}; the lease of a process that was killed ends after `engine.lease`"
    )]
    Leased {
        /// The lane.
        lane: ReplyLane,
        /// Who has it.
        holder: String,
    },
    /// Stored data cannot be read, so they cannot be divided anew.
    #[error("{0}: run `catchment repair` first, which mends it or says what else to do")]
    Damaged(Damage),
    /// A campaign has shops without an outcome.
    #[error(
        "campaign {campaign} is {state}: wait until it has no open shop \
         (`catchment campaign watch {campaign}`), or give its open shops up \
         (`catchment campaign give-up {campaign}`)"
    )]
    Open {
        /// The campaign.
        campaign: Revision,
        /// Where it is in its life.
        state: CampaignState,
    },
    /// A lane cannot go on as it is.
    #[error(transparent)]
    Problem(LaneProblem),
    /// Requests wait in a lane.
    #[error(
        "lane {lane}: its requests from {from} on are not applied: let the consumers work until \
         they are"
    )]
    Unapplied {
        /// The lane.
        lane: Lane,
        /// The first of them.
        from: Position,
    },
    /// Requests were applied and not answered.
    #[error(
        "lane {lane}: its requests from {from} on were applied and not answered: let the consumers \
         work until they are"
    )]
    Unanswered {
        /// The lane.
        lane: Lane,
        /// The first of them.
        from: Position,
    },
    /// Requests stand in a partition for which the database has no lane.
    #[error(
        "partition {partition} of the request topic has requests from {from} on, and the database \
         has no lane for it, so they are never applied: send them again after the move, and remove \
         them here by `kafka-delete-records.sh`"
    )]
    NoLane {
        /// The partition.
        partition: Lane,
        /// The first of them.
        from: Position,
    },
    /// Replies wait in a lane.
    #[error(
        "reply lane {lane}: its replies from {from} on are not recorded: let as many requesters work \
         as the reply topic has partitions, until they are"
    )]
    Unrecorded {
        /// The lane.
        lane: ReplyLane,
        /// The first of them.
        from: Position,
    },
    /// A transaction is open in a lane.
    #[error(
        "{lane}: an open transaction holds back its records from {from} on: wait until Kafka ends \
         it, or end it by `kafka-transactions.sh`"
    )]
    OpenTransaction {
        /// The lane.
        lane: AnyLane,
        /// The first of them.
        from: Position,
    },
    /// A lane was used after it had been found drained.
    #[error("{0} changed since it was looked at: stop all services, and repeat the move")]
    Changed(AnyLane),
}

impl BeforeMove {
    /// Everything that is not drained. If there is nothing, the database can be moved.
    ///
    /// 1. No consumer is in the group, and no lease of a reply lane is in force.
    /// 2. Every campaign can be read and has an outcome for each of its shops. One that is in force
    ///    stays in force.
    /// 3. Every lane fits its log, or the database has left that log before.
    /// 4. Every request is applied and answered. What was applied from a log that ended with its
    ///    process needs no answer.
    /// 5. No request stands in a partition for which there is no lane.
    /// 6. Every reply in a lane that a campaign names is recorded. To any other lane, no reply comes
    ///    that counts.
    #[must_use]
    pub fn not_drained(&self) -> Vec<NotDrained> {
        let members = self.members.iter().cloned().map(|member| NotDrained::Member { member });
        let leases = self.replies.iter().filter_map(|replies| lease_in_force(&replies.stored));
        let requests = self.requests.iter().filter_map(undrained_requests);
        let beyond = self.beyond.iter();
        let beyond = beyond.map(|&(partition, from)| NotDrained::NoLane { partition, from });
        let replies = self.replies.iter().filter_map(|lane| self.undrained_replies(lane));
        let campaigns = undrained_campaigns(&self.campaigns);
        let of_database = members.chain(leases).chain(campaigns);
        of_database.chain(requests).chain(beyond).chain(replies).collect()
    }

    fn undrained_replies(&self, replies: &ReplyLaneBeforeMove) -> Option<NotDrained> {
        let lane = replies.stored.lane;
        if let Some(mismatch) = replies.mismatch.clone() {
            return Some(NotDrained::Problem(LaneProblem::of_replies(lane, mismatch)));
        }
        let mut campaigns = self.campaigns.found.iter();
        campaigns.find(|campaign| campaign.reply_lane == Some(lane))?;
        match replies.behind {
            Behind::Nothing => None,
            Behind::Records => {
                let row = replies.stored.row.as_ref().and_then(|row| row.as_ref().ok());
                let from = row.map_or(Position(0), |row| row.position);
                Some(NotDrained::Unrecorded { lane, from })
            }
            Behind::OpenTransaction { from } => {
                Some(NotDrained::OpenTransaction { lane: AnyLane::Replies(lane), from })
            }
        }
    }
}

/// The lease of a reply lane, where it is in force.
fn lease_in_force(stored: &StoredReplyLane) -> Option<NotDrained> {
    let row = stored.row.as_ref()?.as_ref().ok()?;
    let holder = row.holder.clone()?;
    Some(NotDrained::Leased { lane: stored.lane, holder })
}

/// The campaigns that are not drained.
fn undrained_campaigns(campaigns: &Found<Vec<Campaign>>) -> impl Iterator<Item = NotDrained> {
    let damaged = campaigns.damaged.iter().cloned().map(NotDrained::Damaged);
    let open = campaigns.found.iter().filter(|campaign| 0 < campaign.state.open());
    let open = open.map(|campaign| NotDrained::Open {
        campaign: campaign.name.revision,
        state: campaign.state,
    });
    damaged.chain(open)
}

fn undrained_requests(requests: &LaneBeforeMove) -> Option<NotDrained> {
    let lane = requests.lane;
    match &requests.mismatch {
        None => {}
        // Nothing that stands there is ever read.
        Some(Mismatch::LeftLog) => return None,
        Some(mismatch) => {
            return Some(NotDrained::Problem(LaneProblem::of(lane, mismatch.clone())));
        }
    }
    let StoredLane::Known { progress, .. } = &requests.stored else { return None };
    let is_lasting = progress.log.is_some_and(|log| log.lasting);
    match requests.behind {
        Behind::OpenTransaction { from } => {
            Some(NotDrained::OpenTransaction { lane: AnyLane::Requests(lane), from })
        }
        Behind::Records => {
            let from = if is_lasting { progress.applied_next } else { Position(0) };
            Some(NotDrained::Unapplied { lane, from })
        }
        Behind::Nothing if is_lasting && progress.replied_next < progress.applied_next => {
            Some(NotDrained::Unanswered { lane, from: progress.replied_next })
        }
        Behind::Nothing => None,
    }
}

/// How a database is moved.
#[derive(Clone, Debug)]
pub struct MoveTerms {
    /// How many lanes there are from now on.
    pub lanes: Lanes,
    /// Every request lane, as it stood when the database was drained.
    pub requests: Vec<(Lane, StoredLane)>,
    /// Every reply lane, as it stood when the database was drained.
    pub replies: Vec<StoredReplyLane>,
    /// Changes nothing, and says what would be changed.
    pub dry_run: bool,
}

impl MoveTerms {
    /// Returns the terms of a move to so many lanes, of a database that was found drained.
    #[must_use]
    pub fn new(lanes: Lanes, before: BeforeMove, dry_run: bool) -> Self {
        let requests = before.requests.into_iter().map(|before| (before.lane, before.stored));
        let replies = before.replies.into_iter().map(|before| before.stored);
        Self { lanes, requests: requests.collect(), replies: replies.collect(), dry_run }
    }

    /// Checks what the database has, once nobody else can change it.
    ///
    /// # Errors
    ///
    /// The first lease that is in force, campaign that is not drained, or lane that was used after it
    /// had been found drained.
    pub fn check(
        &self,
        requests: &[(Lane, StoredLane)],
        replies: &[StoredReplyLane],
        campaigns: &Found<Vec<Campaign>>,
    ) -> Result<(), NotDrained> {
        let leases = replies.iter().filter_map(lease_in_force);
        let changed = differing(&self.requests, requests).map(|(lane, _)| AnyLane::Requests(*lane));
        let of_replies = || differing(&self.replies, replies);
        let changed = changed.or_else(|| of_replies().map(|stored| AnyLane::Replies(stored.lane)));
        let changed = changed.map(NotDrained::Changed);
        let mut found = leases.chain(undrained_campaigns(campaigns)).chain(changed);
        found.next().map_or(Ok(()), Err)
    }
}

/// The first item that only one of both has, or that differs in them.
fn differing<'a, T: PartialEq>(before: &'a [T], now: &'a [T]) -> Option<&'a T> {
    let differs = |(before, now): &(&T, &T)| before != now;
    let pair = before.iter().zip(now).find(differs).map(|(before, _)| before);
    pair.or_else(|| before.get(now.len())).or_else(|| now.get(before.len()))
}

/// The number of lanes has changed since this process opened the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "the database has {now} lanes now, and this process was started with {before}: set \
     `database.lanes` to {now}, and start it again"
)]
pub struct OtherLanes {
    /// How many lanes it had.
    pub before: u16,
    /// How many lanes it has now, as stored.
    pub now: i32,
}

/// What a move did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    /// How many lanes there were.
    pub before: Lanes,
    /// How many lanes there are.
    pub lanes: Lanes,
    /// How many shops the lanes have.
    pub shops: u64,
    /// How many campaigns there are.
    pub campaigns: u64,
}
