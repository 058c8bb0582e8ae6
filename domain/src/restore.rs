//! A database that was restored from a backup, while the logs went on.
//!
//! Kafka keeps every record when an older database takes the place of the present one. This module
//! says how that is noticed ([`check_committed`]) and how the ledger becomes true again
//! ([`ask_again`]):
//!
//! - Consumers apply the requests since the backup again, in their order. Those requests stand
//!   between the database's positions and the ends of the lanes.
//! - Requesters never read the replies since the backup. They tell of shops in a database that is
//!   gone.
//! - Every open shop is asked again, in an attempt that no request since the backup has.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use thiserror::Error;

use crate::campaign::{Campaign, CampaignError, CampaignState};
use crate::chunk::Chunk;
use crate::correlation::{Attempt, Nonce, Phase, Ticket};
use crate::damage::Found;
use crate::lane::{
    Committed, Epoch, Lane, LaneProgress, LogIdentity, Position, ReplyLane, believed,
};
use crate::mismatch::{
    Comparison, LaneProblem, Mismatch, StoredLane, StoredReplyLane, Unclear, compare_replies,
};
use crate::request::{Change, RequestRecord};
use crate::revision::{CampaignRef, Revision};
use crate::time::{Deadline, Timestamp, UNTIL_AT_WORK};

/// The log of a lane remembers more than the database knows. Either the database was restored from
/// a backup, or it is another database than the one that belongs to the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "the database is older than the request log: epoch {} answered lane {lane} up to {}, but the \
     database knows only epoch {} and position {}; if a backup was restored, stop all services and \
     run `catchment database restored`; otherwise use the database that belongs to this log",
    .committed.epoch, .committed.next, .epoch, .applied_next
)]
pub struct OlderDatabase {
    /// The lane.
    pub lane: Lane,
    /// What the log remembers.
    pub committed: Committed,
    /// The newest epoch that the database knows.
    pub epoch: Epoch,
    /// The next position to apply, as the database has it.
    pub applied_next: Position,
}

/// Checks that a database can have done what the log of a lane remembers.
///
/// An owner commits only what the database has stored. Each claim takes the next epoch. Within an
/// epoch the lane only moves forward. So:
///
/// 1. If the log remembers nothing, there is nothing to compare.
/// 2. An epoch above [`Epoch::BELIEVED`] was not written by an owner: it counts as nothing.
/// 3. If the log has a higher epoch than the database, the database is older.
/// 4. If both have the same epoch, and the log was answered beyond what the database applied, the
///    database is older.
/// 5. If the log has a lower epoch, the database knows a later owner, and is not older.
///
/// `database` is the lane before it is claimed: a claim takes a new epoch, which would hide that
/// the database is older.
///
/// # Errors
///
/// When the database is older.
pub fn check_committed(
    database: &LaneProgress,
    committed: Option<Committed>,
) -> Result<(), OlderDatabase> {
    let has_less = |committed: Committed| database.applied_next < committed.next;
    check_epoch(database, committed, has_less)
}

/// `has_less` says whether, within the same epoch, the database has less than the log remembers.
fn check_epoch(
    &LaneProgress { lane, epoch, applied_next, .. }: &LaneProgress,
    committed: Option<Committed>,
    has_less: impl Fn(Committed) -> bool,
) -> Result<(), OlderDatabase> {
    let Some(committed) = believed(committed) else { return Ok(()) };
    let is_older = epoch < committed.epoch || (epoch == committed.epoch && has_less(committed));
    if is_older {
        return Err(OlderDatabase { lane, committed, epoch, applied_next });
    }
    Ok(())
}

/// Whether a database that applied a lane up to a position can have applied a request of it, so that
/// the reply to the request tells of this database.
///
/// 1. If the reply does not name the position of its request, it comes from a replier of another
///    system. There is nothing to compare, so the answer is yes.
/// 2. If the database applied the lane beyond the request, yes.
/// 3. Otherwise the answer is no, also if the lane cannot be read: the reply comes from a database
///    that is gone. The request is sent again.
#[must_use]
pub fn can_have_applied(applied_next: Option<Position>, request: Option<Position>) -> bool {
    request.is_none_or(|request| applied_next.is_some_and(|next| request < next))
}

/// Checks every lane as [`check_committed`] does. `committed` must be read before the lanes are
/// read from the database, because services may go on in between.
///
/// The positions of a lane that was read in another log mean nothing in this one. But its epochs
/// rise from log to log. So if this log has a higher epoch, the database is from before the lane
/// came here.
///
/// # Errors
///
/// When the database is older than the log of a lane.
pub fn check_lanes(
    database: &[LaneProgress],
    (log, committed): (LogIdentity, &BTreeMap<Lane, Committed>),
) -> Result<(), OlderDatabase> {
    for lane in database {
        let committed = committed.get(&lane.lane).copied();
        if lane.log.is_none_or(|known| known.id == log.id) {
            check_committed(lane, committed)?;
        } else {
            check_epoch(lane, committed, |_| false)?;
        }
    }
    Ok(())
}

/// No request lane of the database was read in this log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "no request lane of the database was read in this topic: use the topic and the cluster that \
     belong to the database; if the services were moved to this topic, run \
     `catchment lanes accept --all`, and then repeat this command"
)]
pub struct ForeignLog;

/// Checks that a log of requests belongs to the restored database. Another log does not have the
/// requests since the backup.
///
/// 1. If a lane was read in this log, the log is the right one.
/// 2. If a lane was read in another log, but this log remembers a higher epoch, the lane came to
///    this log after the backup: the log is the right one.
/// 3. A lane that was never claimed, or was read in a log that ended with its process, says
///    nothing.
/// 4. Otherwise, if a lane was read in another log, this log is the wrong one.
///
/// # Errors
///
/// When the log is the wrong one.
pub fn check_log(
    database: &[LaneProgress],
    (log, committed): (LogIdentity, &BTreeMap<Lane, Committed>),
) -> Result<(), ForeignLog> {
    let mut is_other = false;
    for lane in database {
        let Some(known) = lane.log.filter(|known| known.lasting || known.id == log.id) else {
            continue;
        };
        let came_here = check_epoch(lane, committed.get(&lane.lane).copied(), |_| false).is_err();
        if known.id == log.id || came_here {
            return Ok(());
        }
        is_other = true;
    }
    if is_other { Err(ForeignLog) } else { Ok(()) }
}

/// Where the requests since the backup begin in a request lane: at the next one to apply, as the
/// restored database has it. `comparison` is what came of comparing the lane with this log.
///
/// 1. If the lane fits its log, or nothing of it was read, its place is known.
/// 2. If only records or receipts are gone, the log is still the one that was read, and the place is
///    known, too.
/// 3. In any other case the lane has no place in the log: it is not known which of the requests
///    there are older than the backup.
///
/// # Errors
///
/// When the lane has no place, or what is wrong with it is not known now.
pub fn requests_since_backup(
    stored: &StoredLane,
    comparison: &Comparison,
    log: LogIdentity,
) -> Result<Position, NoPlace> {
    match comparison {
        Comparison::Unclear(why) => return Err(NoPlace::Unclear(*why)),
        Comparison::Differs(mismatch) if !mismatch.leaves_a_place() => {
            return Err(NoPlace::Differs(mismatch.clone()));
        }
        Comparison::Differs(_) | Comparison::Unread | Comparison::Fits => {}
    }
    stored.place_in(log).map(|(_, next)| next).map_err(NoPlace::Differs)
}

/// Why it is not known where the requests since a backup begin in a lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoPlace {
    /// The lane does not fit its log.
    Differs(Mismatch),
    /// It is not known now whether it does.
    Unclear(Unclear),
}

/// Where a reply lane goes on after its database was restored: at its end, which `ends` has for each
/// lane of the log. The replies before tell of shops in a database that is gone.
///
/// # Errors
///
/// When the lane does not fit its log ([`compare_replies`]): the lane keeps its place.
pub fn reply_lane_after(
    stored: &StoredReplyLane,
    (log, ends): (LogIdentity, &BTreeMap<ReplyLane, Position>),
) -> Result<Position, Mismatch> {
    let partitions = u16::try_from(ends.len()).unwrap_or(u16::MAX);
    if let Some(mismatch) = compare_replies(stored, (log, partitions)).mismatch() {
        return Err(mismatch.clone());
    }
    ends.get(&stored.lane).copied().ok_or(Mismatch::NoPartition { partitions })
}

/// A revision in a request is believed if it is at most so far above the newest revision of the
/// database. Otherwise one forged request could use up all revisions.
const BELIEVED_REVISIONS: u64 = 1 << 20;

/// An attempt in a request is believed if it is at most so far above its campaign's attempt.
/// Otherwise one forged request could use up all attempts of a campaign.
const BELIEVED_ATTEMPTS: u16 = 100;

/// What a database knows before its requests are read: what it gave out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// The newest revision.
    pub newest: Revision,
    /// The campaigns that can be read, each with its random number.
    pub campaigns: Vec<(CampaignRef, Nonce)>,
    /// The campaigns that cannot be read.
    pub damaged: BTreeSet<Revision>,
}

/// What the requests since the backup say: those behind the positions of the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SinceBackup {
    known: Revision,
    newest: Revision,
    requests: u64,
    /// The campaigns of the database, each with what requests say of it.
    campaigns: HashMap<(CampaignRef, Nonce), Option<SeenCampaign>>,
    /// The revisions of all campaigns that the database has, damaged or not.
    present: BTreeSet<Revision>,
    /// The campaigns that the database does not have.
    lost: BTreeSet<Revision>,
}

/// What requests since the backup say of a campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeenCampaign {
    /// The newest attempt.
    pub attempt: Attempt,
    /// The newest deadline.
    pub deadline: Deadline,
    /// Whether a shop was asked for its release, so the campaign was ended.
    pub was_ended: bool,
}

impl SinceBackup {
    /// Before any request was read.
    #[must_use]
    pub fn new(Known { newest, campaigns, damaged: mut present }: Known) -> Self {
        present.extend(campaigns.iter().map(|(name, _)| name.revision));
        let campaigns = campaigns.into_iter().map(|campaign| (campaign, None)).collect();
        Self { known: newest, newest, requests: 0, campaigns, present, lost: BTreeSet::new() }
    }

    /// Takes a record into account.
    ///
    /// 1. A record that is no request says nothing.
    /// 2. A request for a base radius names a revision that was given out.
    /// 3. A campaign's request names a revision, an attempt and a deadline. A release says that the
    ///    campaign was ended. If the request's id does not have the same revision and phase, the
    ///    request says nothing.
    /// 4. A revision is not believed if it is more than a million above the newest of the
    ///    database.
    pub fn add(&mut self, record: &RequestRecord) {
        let Ok(request) = &record.request else { return };
        self.requests += 1;
        let (name, deadline, was_ended) = match request.change {
            Change::SetBase { revision, .. } => {
                self.note(revision);
                return;
            }
            Change::ActivateKind { .. } | Change::ReleaseKind { .. } => return,
            Change::Activate { campaign, deadline, .. } => (campaign, deadline, false),
            Change::Release { campaign, deadline } => (campaign, deadline, true),
        };
        let phase = if was_ended { Phase::Release } else { Phase::Activation };
        let Some(ticket) = Ticket::read(request.id)
            .filter(|ticket| ticket.revision == name.revision && ticket.phase == phase)
        else {
            return;
        };
        let (is_believed, attempt) = (self.note(name.revision), ticket.attempt);
        if let Some(seen) = self.campaigns.get_mut(&(name, ticket.nonce)) {
            let seen = seen.get_or_insert(SeenCampaign { attempt, deadline, was_ended });
            seen.attempt = seen.attempt.max(attempt);
            seen.deadline = seen.deadline.max(deadline);
            seen.was_ended |= was_ended;
        } else if is_believed && !self.present.contains(&name.revision) {
            self.lost.insert(name.revision);
        }
    }

    /// Returns whether the revision is believed.
    fn note(&mut self, revision: Revision) -> bool {
        let is_believed = revision.0 <= self.known.0.saturating_add(BELIEVED_REVISIONS);
        if is_believed {
            self.newest = self.newest.max(revision);
        }
        is_believed
    }

    /// What requests say of a campaign.
    #[must_use]
    pub fn of(&self, campaign: &Campaign) -> Option<SeenCampaign> {
        *self.campaigns.get(&(campaign.name, campaign.nonce))?
    }

    /// The campaigns of the database that have requests since the backup, in no order.
    pub fn campaigns(&self) -> impl Iterator<Item = Revision> {
        self.campaigns.iter().filter_map(|((name, _), seen)| seen.map(|_| name.revision))
    }

    /// The campaigns with requests that the database does not have. They were started about the
    /// time of the backup or since then, or were deleted. The database may have given out the
    /// revision of such a campaign: it is taken before the campaign is stored. A campaign that had
    /// sent no request is not among them.
    #[must_use]
    pub const fn lost(&self) -> &BTreeSet<Revision> {
        &self.lost
    }

    /// The newest revision that was given out, as far as requests show.
    #[must_use]
    pub const fn newest(&self) -> Revision {
        self.newest
    }

    /// How many requests there are.
    #[must_use]
    pub const fn requests(&self) -> u64 {
        self.requests
    }
}

/// Asks the open shops of a campaign again, after its database was restored. `chunks` are all of
/// the campaign's. `mark` is the highest deadline that any lane treated as passed. Returns `None`
/// if nothing changes.
///
/// 1. If a campaign has no open shop, and no request since the backup, it stays as it is.
/// 2. The new attempt is above the campaign's own attempt and above the attempt of every request
///    since the backup. So a reply to such a request counts only if the request took effect after
///    the restore. An attempt that is more than 100 above the campaign's own is not believed.
/// 3. If the campaign is neither ending nor ended, each of its shops may have been asked since the
///    backup. So every chunk counts as sent, and the campaign's end will release every shop.
/// 4. If activations are open and may be sent, they get a deadline above `mark` and above the
///    deadline of every request since the backup. It is that of an attempt that begins in a minute,
///    when the services are at work again. A deadline is not believed if it is later than that of
///    an attempt that begins now. Any other campaign keeps its deadline, and a request with a later
///    deadline is rejected.
/// 5. If such a campaign was retried since the backup, requests of that retry may take effect now.
///    So the shops that were rejected, expired or failed are asked again, too.
///
/// # Errors
///
/// When the campaign has used up its attempts.
pub fn ask_again(
    campaign: &Campaign,
    chunks: &mut [Chunk],
    seen: Option<SeenCampaign>,
    (now, mark): (Timestamp, Deadline),
) -> Result<Option<Campaign>, CampaignError> {
    if campaign.state.open() == 0 && seen.is_none() {
        return Ok(None);
    }
    let most = Attempt(campaign.attempt.0.saturating_add(BELIEVED_ATTEMPTS));
    let newest = seen.map_or(campaign.attempt, |seen| seen.attempt.clamp(campaign.attempt, most));
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
        let latest = Deadline::of_attempt(now, mark, campaign.timeout);
        let mark = seen.map_or(mark, |seen| seen.deadline.min(latest).max(mark));
        let at_work = now.saturating_add(UNTIL_AT_WORK);
        again.deadline = again.deadline.max(Deadline::of_attempt(at_work, mark, campaign.timeout));
        if campaign.attempt < newest {
            for chunk in &mut *chunks {
                chunk.reopen(Phase::Activation);
            }
        }
    }
    Ok(Some(again.counted(chunks)))
}

/// What is needed to make a restored database true again.
#[derive(Clone, Debug)]
pub struct RestoreTerms {
    /// The log of requests, and what it remembers of each lane.
    pub requests: (LogIdentity, BTreeMap<Lane, Committed>),
    /// The log of replies, and where each of its lanes ends.
    pub replies: (LogIdentity, BTreeMap<ReplyLane, Position>),
    /// What the requests since the backup say.
    pub since_backup: SinceBackup,
    /// Changes nothing, and returns what would be changed.
    pub dry_run: bool,
}

/// What was changed in a restored database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The campaigns that go on in a new attempt, the oldest first. A damaged campaign stays as it
    /// is. Repeat the restore after the campaign was repaired.
    pub campaigns: Found<Vec<AskedAgain>>,
    /// The campaigns that have used up their attempts, so their shops are not asked again.
    pub left: Vec<Revision>,
    /// The newest revision before.
    pub known: Revision,
    /// The newest revision now.
    pub newest: Revision,
    /// How many request lanes got a higher epoch.
    pub lanes: u32,
    /// How many reply lanes were moved to their end.
    pub reply_lanes: u32,
    /// The reply lanes that do not fit their log. They keep their places.
    pub left_out: Vec<LaneProblem>,
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
    /// It was ended since the backup, but the database does not know that.
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
