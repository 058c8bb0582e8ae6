//! Campaigns: one trigger over many shops, and its life from the first request to the end.

use std::fmt;
use std::time::Duration;

use thiserror::Error;

use crate::chunk::{Chunk, Lacking};
use crate::correlation::{Attempt, Nonce, Phase};
use crate::judge::RELEASED_KEPT;
use crate::lane::ReplyLane;
use crate::outcome::Code;
use crate::radius::Limit;
use crate::request::Replaced;
use crate::revision::{CampaignId, CampaignRef, Revision};
use crate::scope::Scope;
use crate::terms::{CampaignTerms, LoadedCampaign};
use crate::time::{Deadline, Timestamp};
use crate::trigger::TriggerKind;

/// What somebody wants of a campaign, before it is stored.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Why.
    pub kind: TriggerKind,
    /// How far the shops deliver at most.
    pub limit: Limit,
    /// Which shops.
    pub scope: Scope,
    /// For people: what happened.
    pub reason: String,
    /// How long after its start, and after each retry, its requests may begin to apply.
    pub timeout: Duration,
    /// When it ends by itself.
    pub until: Option<Timestamp>,
    /// The campaign whose place it takes.
    pub replaces: Option<Revision>,
    /// Random, from outside: what tells the campaign from one of the same revision in a
    /// copy of the database.
    pub id: CampaignId,
    /// Random, from outside.
    pub nonce: Nonce,
}

impl Draft {
    /// The campaign that begins now over so many shops. `mark` is the highest deadline that any
    /// lane treated as passed.
    #[must_use]
    pub fn begin(
        &self,
        revision: Revision,
        shops: u32,
        predecessor: Option<&Campaign>,
        (now, mark): (Timestamp, Deadline),
    ) -> Campaign {
        let millis = u64::try_from(self.timeout.as_millis()).unwrap_or(u64::MAX);
        let timeout = Duration::from_millis(millis.max(1));
        let replaces =
            predecessor.map(|old| Replaced { campaign: old.name, deadline: old.deadline });
        Campaign {
            name: CampaignRef { revision, id: self.id },
            nonce: self.nonce,
            kind: self.kind,
            limit: self.limit,
            reason: self.reason.clone(),
            shops,
            created_at: now,
            timeout,
            until: self.until,
            replaces,
            replaced_by: None,
            reply_lane: None,
            attempt: Attempt::FIRST,
            deadline: Deadline::of_attempt(now, mark, timeout),
            state: CampaignState::Sending { open: shops },
            unreleased: 0,
        }
    }
}

/// One trigger over many shops (Hohpe and Woolf's *Scatter-Gather*).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Campaign {
    /// Its name.
    pub name: CampaignRef,
    /// In every request id of it.
    pub nonce: Nonce,
    /// Why.
    pub kind: TriggerKind,
    /// How far the shops deliver at most.
    pub limit: Limit,
    /// For people: what happened.
    pub reason: String,
    /// How many shops.
    pub shops: u32,
    /// When it was stored.
    pub created_at: Timestamp,
    /// How long after its start, and after each retry, its requests may begin to apply.
    pub timeout: Duration,
    /// When it ends by itself.
    pub until: Option<Timestamp>,
    /// The campaign whose place it takes.
    pub replaces: Option<Replaced>,
    /// The campaign that takes its place.
    pub replaced_by: Option<Revision>,
    /// Where its answers arrive; `None` until a requester takes it.
    pub reply_lane: Option<ReplyLane>,
    /// The present attempt.
    pub attempt: Attempt,
    /// The deadline of the present attempt: the newest there was.
    pub deadline: Deadline,
    /// Where it is in its life.
    pub state: CampaignState,
    /// How many releases were rejected or given up. Their shops may stay as the campaign wanted
    /// them until a retry releases them: a campaign that has any is not cleanly ended.
    pub unreleased: u32,
}

/// Where a campaign is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CampaignState {
    /// Activations are sent and answered.
    Sending {
        /// Shops without an outcome; never zero.
        open: u32,
    },
    /// Every shop has an outcome; the limit is in force.
    Settled,
    /// Releases are sent and answered.
    Ending {
        /// Activations and releases without an outcome; never zero.
        open: u32,
    },
    /// Every shop has an outcome, and every one that may have been sent was asked to be released:
    /// see [`Campaign::unreleased`].
    Ended,
}

impl CampaignState {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sending { .. } => "sending",
            Self::Settled => "settled",
            Self::Ending { .. } => "ending",
            Self::Ended => "ended",
        }
    }

    /// How many activations and releases have no outcome.
    #[must_use]
    pub const fn open(self) -> u32 {
        match self {
            Self::Sending { open } | Self::Ending { open } => open,
            Self::Settled | Self::Ended => 0,
        }
    }

    /// Where so many open ones leave the campaign.
    #[must_use]
    pub const fn with_open(self, open: u32) -> Self {
        match (self, open) {
            (Self::Sending { .. } | Self::Settled, 0) => Self::Settled,
            (Self::Sending { .. } | Self::Settled, open) => Self::Sending { open },
            (Self::Ending { .. } | Self::Ended, 0) => Self::Ended,
            (Self::Ending { .. } | Self::Ended, open) => Self::Ending { open },
        }
    }

    /// Whether the campaign was ended: its activations do not count any more.
    #[must_use]
    pub const fn is_ending_or_ended(self) -> bool {
        matches!(self, Self::Ending { .. } | Self::Ended)
    }
}

impl fmt::Display for CampaignState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
impl Campaign {
    /// A campaign that has just begun, with this number of shops.
    pub(crate) fn sample(revision: u64, shops: u32) -> Self {
        let draft = Draft {
            kind: "rider_shortage".parse().unwrap(),
            limit: "3km".parse().unwrap(),
            scope: Scope::everything(),
            reason: String::new(),
            timeout: Duration::from_millis(100),
            until: None,
            replaces: None,
            id: CampaignId(uuid::Uuid::from_u128(revision.into())),
            nonce: Nonce::from_random(42),
        };
        let now = (Timestamp::from_millis(0), Deadline::MIN);
        draft.begin(Revision(revision), shops, None, now)
    }
}

/// What an operator, or the time, does to a campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Ends it: what it did is undone.
    End,
    /// Asks the shops again that were rejected, expired or failed; after its end, those whose
    /// release was.
    Retry,
    /// Closes what is open as failed.
    GiveUp,
}

/// Why a command cannot be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CampaignError {
    /// There is no campaign of this revision.
    #[error("there is no campaign {0}")]
    Unknown(Revision),
    /// It is ending.
    #[error("campaign {0} is ending already")]
    Ending(Revision),
    /// It has ended.
    #[error("campaign {0} has ended already")]
    Ended(Revision),
    /// Its present attempt is not over.
    #[error("campaign {0} is still sending: wait until it is settled")]
    Sending(Revision),
    /// Another took its place.
    #[error("campaign {0} was replaced by campaign {1}")]
    Replaced(Revision, Revision),
    /// No shop was rejected, expired or failed.
    #[error("campaign {0} has no shop to ask again")]
    NothingToRetry(Revision),
    /// Every shop has an outcome.
    #[error("campaign {0} has no open shop to give up")]
    NothingOpen(Revision),
    /// Attempts are numbered in 11 bits.
    #[error("campaign {0} has used all its {max} attempts", max = Attempt::MAX.0)]
    TooManyAttempts(Revision),
    /// It is not to be deleted before it has ended.
    #[error("campaign {0} has not ended")]
    NotEnded(Revision),
    /// Copies of its requests could still take effect.
    #[error("campaign {0} cannot be deleted until an hour after its last deadline")]
    MayStillApply(Revision),
    /// A stored campaign was replaced by it, and relies on it.
    #[error("campaign {0} took the place of campaign {1}: delete that one first")]
    Succeeds(Revision, Revision),
    /// Its cause is active at a shop.
    #[error(
        "campaign {0} is still in force at shops: `catchment audit` names them and the commands \
         that release it there"
    )]
    InForce(Revision),
    /// No shop is in the scope.
    #[error("the scope has no shop")]
    EmptyScope,
    /// Places in the list are numbered in 28 bits.
    #[error("the scope has more than {max} shops", max = crate::correlation::MAX_SHOPS)]
    TooManyShops,
}

impl Campaign {
    /// The terms with which its requests must agree.
    #[must_use]
    pub const fn terms(&self) -> CampaignTerms {
        CampaignTerms {
            nonce: self.nonce,
            shops: self.shops,
            kind: self.kind,
            limit: self.limit,
            replaces: self.replaces,
            attempt: self.attempt,
            deadline: self.deadline,
            is_ending_or_ended: self.state.is_ending_or_ended(),
        }
    }

    /// The campaign with its terms, as judging a batch needs it.
    #[must_use]
    pub const fn loaded(&self) -> LoadedCampaign {
        LoadedCampaign { name: self.name, terms: Ok(self.terms()) }
    }

    /// Does what an operator wants. `chunks` are all of the campaign's, `deadline` is that of
    /// a new attempt.
    ///
    /// | | sending | settled | ending | ended |
    /// |---|---|---|---|---|
    /// | end | ending | ending | refused | refused |
    /// | retry | refused | sending, where a shop needs it and it was not replaced | refused | ending, where a release needs it |
    /// | give up | settled | refused | ended | refused |
    ///
    /// An end without anything that may have been sent is ended at once.
    ///
    /// # Errors
    ///
    /// Where the table says refused; nothing has changed then.
    pub fn command(
        self,
        command: Command,
        chunks: &mut [Chunk],
        deadline: Deadline,
    ) -> Result<Self, CampaignError> {
        let revision = self.name.revision;
        match (command, self.state) {
            (Command::End, CampaignState::Sending { .. } | CampaignState::Settled) => {
                Ok(self.end(chunks, |_, _| false))
            }
            (Command::Retry, CampaignState::Settled) => self.retry(chunks, deadline),
            (Command::Retry, CampaignState::Ended) => self.retry_releases(chunks),
            (Command::Retry, CampaignState::Sending { .. }) => {
                Err(CampaignError::Sending(revision))
            }
            (Command::GiveUp, CampaignState::Sending { .. } | CampaignState::Ending { .. }) => {
                Ok(self.give_up(chunks))
            }
            (Command::GiveUp, CampaignState::Settled) => Err(CampaignError::NothingOpen(revision)),
            (Command::End | Command::Retry, CampaignState::Ending { .. }) => {
                Err(CampaignError::Ending(revision))
            }
            (Command::End | Command::GiveUp, CampaignState::Ended) => {
                Err(CampaignError::Ended(revision))
            }
        }
    }

    /// Ends the campaign for what is left of it.
    ///
    /// 1. Activations of a chunk that was certainly never sent are superseded.
    /// 2. Every shop of a chunk that may have been sent is to be released, but those that
    ///    `is_replaced` (chunk, place in it) names: there another campaign's activation was the
    ///    release. Their open activations are superseded.
    #[must_use]
    pub fn end(
        mut self,
        chunks: &mut [Chunk],
        is_replaced: impl Fn(&Chunk, usize) -> bool,
    ) -> Self {
        for chunk in &mut *chunks {
            for place in 0..chunk.len() {
                if !chunk.may_have_been_sent() {
                    chunk.supersede(place, Code::CampaignEnded);
                } else if is_replaced(chunk, place) {
                    chunk.supersede(place, Code::CampaignReplaced);
                } else {
                    chunk.open_release(place);
                }
            }
        }
        self.state = CampaignState::Ended;
        self.counted(chunks)
    }

    /// Asks the shops again that were rejected, expired or failed.
    fn retry(mut self, chunks: &mut [Chunk], deadline: Deadline) -> Result<Self, CampaignError> {
        let revision = self.name.revision;
        if let Some(by) = self.replaced_by {
            return Err(CampaignError::Replaced(revision, by));
        }
        if !chunks.iter().any(|chunk| chunk.has_failed(Phase::Activation)) {
            return Err(CampaignError::NothingToRetry(revision));
        }
        self.attempt = self.next_attempt()?;
        for chunk in &mut *chunks {
            chunk.reopen(Phase::Activation);
        }
        self.deadline = self.deadline.max(deadline);
        Ok(self.counted(chunks))
    }

    /// Releases the shops again whose release was rejected or failed; so what was given up
    /// does not stay narrow for ever. The deadline stays: it is that of the activations.
    fn retry_releases(mut self, chunks: &mut [Chunk]) -> Result<Self, CampaignError> {
        if !chunks.iter().any(|chunk| chunk.has_failed(Phase::Release)) {
            return Err(CampaignError::Ended(self.name.revision));
        }
        self.attempt = self.next_attempt()?;
        for chunk in &mut *chunks {
            chunk.reopen(Phase::Release);
        }
        Ok(self.counted(chunks))
    }

    fn next_attempt(&self) -> Result<Attempt, CampaignError> {
        if self.attempt == Attempt::MAX {
            return Err(CampaignError::TooManyAttempts(self.name.revision));
        }
        Ok(Attempt(self.attempt.0 + 1))
    }

    /// Closes what is open as failed.
    fn give_up(self, chunks: &mut [Chunk]) -> Self {
        for chunk in &mut *chunks {
            chunk.give_up();
        }
        self.counted(chunks)
    }

    /// The campaign once outcomes of its chunks, which are all of them, were lost and opened
    /// again: counted anew, in a new attempt, by which its requester notices.
    #[must_use]
    pub fn mended(mut self, chunks: &[Chunk]) -> Self {
        self.attempt = self.next_attempt().unwrap_or(self.attempt);
        self.counted(chunks)
    }

    /// Makes the campaign and its chunks, which must be all of them, fit each other, in a new
    /// attempt.
    ///
    /// 1. If the campaign is ending or ended and was not replaced, it is [ended](Self::end) again.
    ///    This changes only chunks that are from before its end.
    /// 2. It is counted anew.
    #[must_use]
    pub fn fitted(mut self, chunks: &mut [Chunk]) -> Self {
        self.attempt = self.next_attempt().unwrap_or(self.attempt);
        if self.state.is_ending_or_ended() && self.replaced_by.is_none() {
            return self.end(chunks, |_, _| false);
        }
        self.counted(chunks)
    }

    /// Whether another reading of the same campaign has the same counts.
    #[must_use]
    pub fn has_counts_of(&self, other: &Self) -> bool {
        (self.state, self.unreleased) == (other.state, other.unreleased)
    }

    /// Counts again what its chunks lack.
    pub(crate) fn counted(mut self, chunks: &[Chunk]) -> Self {
        let lacking = || chunks.iter().map(Chunk::lacking);
        self.state = self.state.with_open(lacking().map(|chunk| chunk.open).sum());
        self.unreleased = lacking().map(|chunk| chunk.unreleased).sum();
        self
    }

    /// The campaign once answers were entered in a chunk, which lacked `before` and lacks `now`.
    #[must_use]
    pub fn recorded(mut self, before: Lacking, now: Lacking) -> Self {
        let open = self.state.open().saturating_add(now.open).saturating_sub(before.open);
        self.state = self.state.with_open(open);
        let unreleased = self.unreleased.saturating_add(now.unreleased);
        self.unreleased = unreleased.saturating_sub(before.unreleased);
        self
    }

    /// Whether its activations may be sent.
    #[must_use]
    pub const fn may_send_activations(&self) -> bool {
        matches!(self.state, CampaignState::Sending { .. }) && self.replaced_by.is_none()
    }

    /// Whether the requester of a reply lane may send requests of a phase and attempt.
    ///
    /// 1. The campaign is this lane's.
    /// 2. It is in this attempt.
    /// 3. Activations are sent while [they may be](Self::may_send_activations), releases while it
    ///    is ending.
    #[must_use]
    pub fn may_send(&self, lane: ReplyLane, (phase, attempt): (Phase, Attempt)) -> bool {
        let is_in_phase = match phase {
            Phase::Activation => self.may_send_activations(),
            Phase::Release => matches!(self.state, CampaignState::Ending { .. }),
        };
        self.reply_lane == Some(lane) && self.attempt == attempt && is_in_phase
    }

    /// Why its activations do not count any more, where that is so.
    #[must_use]
    pub(crate) const fn over(&self) -> Option<Code> {
        match (self.state, self.replaced_by) {
            (CampaignState::Ending { .. } | CampaignState::Ended, _) => Some(Code::CampaignEnded),
            (CampaignState::Sending { .. } | CampaignState::Settled, Some(_)) => {
                Some(Code::CampaignReplaced)
            }
            (CampaignState::Sending { .. } | CampaignState::Settled, None) => None,
        }
    }

    /// Whether its time is over and it was not ended.
    #[must_use]
    pub fn is_over(&self, now: Timestamp) -> bool {
        !self.state.is_ending_or_ended() && self.until.is_some_and(|until| until <= now)
    }

    /// Whether it is time to end it: its time is over, or the campaign that took its place is
    /// through. `successor` is that campaign, or `None` if there is none or it cannot be read.
    #[must_use]
    pub fn is_to_be_ended(&self, successor: Option<&Self>, now: Timestamp) -> bool {
        let is_replaced = successor.is_some_and(Self::is_through);
        !self.state.is_ending_or_ended() && (is_replaced || self.is_over(now))
    }

    /// Whether another campaign may take its place.
    ///
    /// # Errors
    ///
    /// When it is ending or ended, or was replaced already.
    pub const fn check_replaceable(&self) -> Result<(), CampaignError> {
        let revision = self.name.revision;
        match (self.state, self.replaced_by) {
            (CampaignState::Ending { .. }, _) => Err(CampaignError::Ending(revision)),
            (CampaignState::Ended, _) => Err(CampaignError::Ended(revision)),
            (_, Some(by)) => Err(CampaignError::Replaced(revision, by)),
            (CampaignState::Sending { .. } | CampaignState::Settled, None) => Ok(()),
        }
    }

    /// Whether its row may be deleted, if no shop has an active cause of it.
    ///
    /// 1. It has ended.
    /// 2. Its last deadline passed [a while](RELEASED_KEPT) ago. So no activation takes effect any
    ///    more, whatever a batch under way has read of the campaign, and shops may forget its
    ///    released causes.
    ///
    /// # Errors
    ///
    /// When a rule is against it.
    pub fn check_deletable(&self, now: Timestamp) -> Result<(), CampaignError> {
        let revision = self.name.revision;
        if self.state != CampaignState::Ended {
            return Err(CampaignError::NotEnded(revision));
        }
        if now <= self.deadline.instant().saturating_add(RELEASED_KEPT) {
            return Err(CampaignError::MayStillApply(revision));
        }
        Ok(())
    }

    /// Whether its activations all have their last outcome, so that a campaign that it
    /// replaces can be ended for what is left.
    #[must_use]
    pub const fn is_through(&self) -> bool {
        matches!(self.state, CampaignState::Settled | CampaignState::Ended)
    }
}
