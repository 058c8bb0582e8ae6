//! A database that was restored from a backup, beside logs that went on: how it is noticed, and
//! how its ledger becomes true again.
//!
//! The requests between the database's positions and the ends of their lanes are applied again by
//! the consumers, in their order. The replies of that time tell of a database that is gone, so they
//! are never read again. What is open is asked again, in an attempt that no request of that time
//! had.

use std::collections::{BTreeMap, HashMap};

use thiserror::Error;

use crate::campaign::{Campaign, CampaignError, CampaignState};
use crate::chunk::Chunk;
use crate::correlation::{Attempt, Nonce, Phase, Ticket};
use crate::lane::{Committed, Epoch, Lane, LaneProgress, LogIdentity, Position, ReplyLane};
use crate::request::{Change, RequestRecord};
use crate::revision::{CampaignRef, Revision};
use crate::time::{Deadline, Timestamp};

/// The log of a lane remembers more than the database: the database was restored from a backup, or
/// another database uses the same topics and group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "the database is older than what was done with it: of lane {lane}, the log was answered up to \
     {} by owner {}, and the database knows of {} by owner {}; stop all services and run \
     `catchment database restored`, if a backup was put back, or use the database that these \
     topics belong to",
    .committed.next, .committed.epoch, .applied_next, .epoch
)]
pub struct OlderDatabase {
    /// The lane.
    pub lane: Lane,
    /// What the log remembers.
    pub committed: Committed,
    /// The newest owner that the database knows of.
    pub epoch: Epoch,
    /// The next position to apply, as the database has it.
    pub applied_next: Position,
}

/// Whether a database can have done what the log of a lane remembers.
///
/// An owner commits only what is stored. Each claim takes the next epoch, and within an epoch the
/// lane only goes forward. So:
///
/// 1. A log that remembers nothing says nothing.
/// 2. A higher epoch in the log than in the database: the database is older.
/// 3. The same epoch, and the log was answered beyond what the database applied: it is older.
/// 4. A lower epoch says nothing: the database knows of a later owner.
///
/// `database` is the lane before it is claimed: a claim takes a new epoch, which would hide it.
///
/// # Errors
///
/// When the database is older.
pub fn check_committed(
    database: &LaneProgress,
    committed: Option<Committed>,
) -> Result<(), OlderDatabase> {
    let LaneProgress { lane, epoch, applied_next, .. } = *database;
    let Some(committed) = committed else { return Ok(()) };
    let is_older =
        epoch < committed.epoch || (epoch == committed.epoch && applied_next < committed.next);
    if is_older {
        return Err(OlderDatabase { lane, committed, epoch, applied_next });
    }
    Ok(())
}

/// Checks every lane whose positions belong to a log. `committed` must have been read before the
/// lanes of the database, which go on meanwhile.
///
/// # Errors
///
/// When the database is older than one of them.
pub fn check_lanes(
    database: &[LaneProgress],
    (log, committed): (LogIdentity, &BTreeMap<Lane, Committed>),
) -> Result<(), OlderDatabase> {
    let of_log = database.iter().filter(|lane| lane.log.is_none_or(|known| known.id == log.id));
    for lane in of_log {
        check_committed(lane, committed.get(&lane.lane).copied())?;
    }
    Ok(())
}

/// The epoch of a lane once its database was restored: above everything that the log remembers.
#[must_use]
pub fn epoch_after(database: Epoch, committed: Option<Committed>) -> Epoch {
    let newest = committed.map_or(database, |committed| committed.epoch.max(database));
    Epoch(newest.0.saturating_add(1))
}

/// How far above the database's newest revision a revision in the log is believed. A forged one
/// could use up all that there are.
const BELIEVED: u64 = 1 << 20;

/// What the requests say that stand behind the database's positions: what happened in the time
/// that the database does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostTime {
    known: Revision,
    newest: Revision,
    requests: u64,
    campaigns: HashMap<(CampaignRef, Nonce), SeenCampaign>,
}

/// What requests of the lost time say of a campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeenCampaign {
    /// The newest attempt.
    pub attempt: Attempt,
    /// The newest deadline.
    pub deadline: Deadline,
    /// It was ended: shops were asked to be released.
    pub was_ended: bool,
}

impl LostTime {
    /// Nothing was seen yet. `known` is the newest revision that the database gave out.
    #[must_use]
    pub fn since(known: Revision) -> Self {
        Self { known, newest: known, requests: 0, campaigns: HashMap::new() }
    }

    /// Takes a record into account.
    ///
    /// 1. A record that is no request says nothing.
    /// 2. A base radius names a revision that was given out.
    /// 3. A request of a campaign whose id has the campaign's revision names its revision, its
    ///    attempt and its deadline; a release says that the campaign was ended.
    /// 4. A revision that is more than a million above the newest that is known is not believed.
    pub fn add(&mut self, record: &RequestRecord) {
        let Ok(request) = &record.request else { return };
        self.requests += 1;
        let (name, deadline, was_ended) = match request.change {
            Change::SetBase { revision, .. } => return self.name(revision),
            Change::ActivateKind { .. } | Change::ReleaseKind { .. } => return,
            Change::Activate { campaign, deadline, .. } => (campaign, deadline, false),
            Change::Release { campaign, deadline } => (campaign, deadline, true),
        };
        let ticket = Ticket::read(request.id).filter(|t| t.revision == name.revision);
        let phase = if was_ended { Phase::Release } else { Phase::Activation };
        let Some(ticket) = ticket.filter(|ticket| ticket.phase == phase) else { return };
        self.name(name.revision);
        let attempt = ticket.attempt;
        let seen = SeenCampaign { attempt, deadline, was_ended };
        let before = self.campaigns.entry((name, ticket.nonce)).or_insert(seen);
        before.attempt = before.attempt.max(attempt);
        before.deadline = before.deadline.max(deadline);
        before.was_ended |= was_ended;
    }

    fn name(&mut self, revision: Revision) {
        if revision.0 <= self.known.0.saturating_add(BELIEVED) {
            self.newest = self.newest.max(revision);
        }
    }

    /// What was seen of a campaign.
    #[must_use]
    pub fn of(&self, campaign: &Campaign) -> Option<SeenCampaign> {
        self.campaigns.get(&(campaign.name, campaign.nonce)).copied()
    }

    /// The newest revision that was given out, as far as that is known.
    #[must_use]
    pub const fn newest(&self) -> Revision {
        self.newest
    }

    /// How many requests there were.
    #[must_use]
    pub const fn requests(&self) -> u64 {
        self.requests
    }
}

/// Asks a campaign's open shops again, once its database was restored. `chunks` are all of the
/// campaign's, `mark` is the highest deadline that any lane treated as passed. Returns `None` where
/// nothing changes.
///
/// 1. A campaign without open shops, of which the lost time has no request, stays as it is.
/// 2. The attempt is above its own and above that of every request in the lost time. So no reply to
///    an old request counts, unless it says that the request took effect now.
/// 3. Unless the campaign is ending or ended, all of its shops may have been asked in the lost time.
///    So its end releases them all.
/// 4. If activations are open and may be sent, they get a deadline above `mark` and above that of
///    every request in the lost time. Any other campaign keeps its deadline: requests of the lost
///    time with a later one are rejected.
/// 5. Where such a campaign was retried in the lost time, the requests of that retry may apply now.
///    So the shops that were rejected, expired or failed are asked again, too.
///
/// # Errors
///
/// When there is no higher attempt.
pub fn ask_again(
    campaign: &Campaign,
    chunks: &mut [Chunk],
    seen: Option<SeenCampaign>,
    (now, mark): (Timestamp, Deadline),
) -> Result<Option<Campaign>, CampaignError> {
    if campaign.state.open() == 0 && seen.is_none() {
        return Ok(None);
    }
    let newest = seen.map_or(campaign.attempt, |seen| seen.attempt.max(campaign.attempt));
    if Attempt::MAX <= newest {
        return Err(CampaignError::TooManyAttempts(campaign.name.revision));
    }
    if !campaign.state.is_ending_or_ended() {
        for chunk in &mut *chunks {
            chunk.sent = chunk.sent.or(Some(campaign.attempt));
        }
    }
    let mut again = Campaign { attempt: Attempt(newest.0 + 1), ..campaign.clone() };
    if campaign.may_send_activations() {
        let mark = seen.map_or(mark, |seen| seen.deadline.max(mark));
        again.deadline = again.deadline.max(Deadline::of_attempt(now, mark, campaign.timeout));
        if campaign.attempt < newest {
            for chunk in &mut *chunks {
                chunk.reopen(Phase::Activation);
            }
        }
    }
    Ok(Some(again.counted(chunks)))
}

/// How a database becomes true again that was restored.
#[derive(Clone, Debug)]
pub struct RestoreTerms {
    /// The log of requests, and what it remembers of each lane.
    pub requests: (LogIdentity, BTreeMap<Lane, Committed>),
    /// The log of replies, and where each lane ends.
    pub replies: (LogIdentity, BTreeMap<ReplyLane, Position>),
    /// What stands in the request lanes behind the database's positions.
    pub lost: LostTime,
    /// Changes nothing, and says what would be changed.
    pub dry_run: bool,
}

/// What was done to a database that was restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The campaigns that go on in a new attempt, the oldest first.
    pub campaigns: Vec<AskedAgain>,
    /// The campaigns that had all attempts that there are, so that they cannot be asked again.
    pub left: Vec<Revision>,
    /// The newest revision before.
    pub known: Revision,
    /// The newest revision now.
    pub newest: Revision,
    /// How many request lanes got a higher epoch.
    pub lanes: u32,
    /// How many reply lanes were moved to their end.
    pub reply_lanes: u32,
}

/// A campaign that goes on in a new attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AskedAgain {
    /// The campaign.
    pub campaign: Revision,
    /// Where it is in its life.
    pub state: CampaignState,
    /// The new attempt.
    pub attempt: Attempt,
    /// It was ended in the lost time, which the database does not know.
    pub was_ended: bool,
}

impl AskedAgain {
    /// What is said of a campaign after [`ask_again`].
    #[must_use]
    pub fn new(again: &Campaign, seen: Option<SeenCampaign>) -> Self {
        let was_ended = seen.is_some_and(|seen| seen.was_ended);
        Self {
            campaign: again.name.revision,
            state: again.state,
            attempt: again.attempt,
            was_ended: was_ended && !again.state.is_ending_or_ended(),
        }
    }
}
