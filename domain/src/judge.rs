//! Judging one request at one shop.

use std::time::Duration;

use crate::cause::{ActiveCause, Effect, Origin, ReleasedCause};
use crate::outcome::{Code, Outcome, Standing, Status};
use crate::radius::Radius;
use crate::request::{Change, Replaced};
use crate::revision::Revision;
use crate::shop::{Base, ShopState};
use crate::terms::Disagreement;
use crate::time::{Deadline, Timestamp};
use crate::trigger::{Policy, TriggerKind};

/// The most active causes that a shop has.
pub const MAX_CAUSES: usize = 255;

/// How long a released cause is kept after its deadline.
pub const RELEASED_KEPT: Duration = Duration::from_hours(1);

/// What a lane knows of time: `now` by the database's clock, and the highest deadline that
/// the lane treated as passed. So a clock that steps back cannot apply what was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneTime {
    /// The database's clock, read in the transaction that applies.
    pub now: Timestamp,
    /// The highest deadline that this lane treated as passed. Only rises.
    pub expired_up_to: Deadline,
}

impl LaneTime {
    /// Whether a request with this deadline, seen now for the first time, comes too late.
    #[must_use]
    pub fn is_passed(&self, deadline: Deadline) -> bool {
        deadline.is_passed(self.now) || deadline <= self.expired_up_to
    }

    /// Remembers that the deadline was treated as passed.
    fn pass(&mut self, deadline: Deadline) {
        self.expired_up_to = self.expired_up_to.max(deadline);
    }
}

/// Judges one request at its shop, and changes the shop where it takes effect.
///
/// ([`judge_batch`](crate::judge_batch) has already rejected the requests that are wrong whatever
/// the shop has. `checked` is the answer of [`check_request`](crate::check_request).)
///
/// 1. If the shop has the request's cause, in the phase of the request or a later phase, the
///    request is a repeat. It is answered with the status of its first application. An activation
///    that meets its released cause is superseded. For a base radius: the same radius of the same
///    revision is a repeat; another radius of that revision, or of a lower revision, is superseded.
/// 2. If `checked` refuses the request, it is rejected or superseded, as `checked` says. This rule
///    follows the first, so that a repeat still gets the first status.
/// 3. If the configuration does not have the kind of an activation, it is rejected. This rule
///    follows the first, so that a repeat still gets the first status after its kind was removed
///    from the configuration.
/// 4. If its deadline has passed, the request expires.
/// 5. If the shop has no room for another active cause, the request is rejected.
/// 6. Otherwise the request takes effect, and the radius is resolved again. If the radius changed,
///    the request is applied, and otherwise unchanged.
///
/// A repeat changes nothing, with one exception: a repeated release that `checked` accepts keeps
/// the released cause until the later of both deadlines.
///
/// A shop's version rises with every request that changes what is stored of it.
pub fn judge(
    shop: &mut ShopState,
    change: &Change,
    checked: Result<(), Disagreement>,
    policy: &Policy,
    time: &mut LaneTime,
) -> Outcome {
    let mut update = ShopUpdate { shop, floor: policy.floor, time };
    match *change {
        Change::Activate { campaign, kind, limit, deadline, replaces } => {
            if let Some(known) = update.meets(campaign.revision) {
                return known;
            }
            if let Err(refusal) = checked {
                return update.refused_by(refusal);
            }
            let Some(rank) = policy.rank(kind) else { return update.unknown_kind(kind) };
            let effect = Effect::Unchanged;
            let origin = Origin::Campaign(campaign.revision);
            update.activate(ActiveCause { origin, kind, rank, limit, effect }, deadline, replaces)
        }
        Change::Release { campaign, deadline } => {
            update.release(campaign.revision, deadline, checked)
        }
        Change::ActivateKind { kind, limit, deadline } => {
            let Some(rank) = policy.rank(kind) else { return update.unknown_kind(kind) };
            let effect = Effect::Unchanged;
            let cause = ActiveCause { origin: Origin::Request, kind, rank, limit, effect };
            update.activate_kind(cause, deadline)
        }
        Change::ReleaseKind { kind, deadline } => update.release_kind(kind, deadline),
        Change::SetBase { revision, radius, deadline } => {
            update.set_base(revision, radius, deadline, checked)
        }
    }
}

/// A shop that a request may change.
struct ShopUpdate<'a> {
    shop: &'a mut ShopState,
    floor: Radius,
    time: &'a mut LaneTime,
}

impl ShopUpdate<'_> {
    /// The answer to an activation whose cause is there.
    fn meets(&self, campaign: Revision) -> Option<Outcome> {
        if self.released(campaign).is_ok() {
            return Some(self.refused(Status::Superseded, Code::CampaignEnded));
        }
        let active = self.shop.active.get(self.shop.active.place_of(campaign)?)?;
        Some(self.repeat(active.effect))
    }

    /// Activates a campaign of which there is no cause here.
    fn activate(
        &mut self,
        cause: ActiveCause,
        deadline: Deadline,
        replaces: Option<Replaced>,
    ) -> Outcome {
        if self.time.is_passed(deadline) {
            return self.expired(deadline);
        }
        let replaces = replaces.map(|older| (older.campaign.revision, older.deadline));
        let makes_room =
            replaces.is_some_and(|(older, _)| self.shop.active.place_of(older).is_some());
        if MAX_CAUSES <= self.shop.active.len() - usize::from(makes_room) {
            return self.refused(Status::Rejected, Code::TooManyCauses);
        }
        let before = self.begin_write();
        self.shop.active.insert(cause);
        let released = replaces.filter(|(older, deadline)| self.leave(*older, *deadline));
        let outcome = self.resolved(before);
        let effect = Effect::from_change(outcome.status == Status::Applied);
        self.shop.active.note_effect(cause.key(), effect);
        if let Some((older, _)) = released {
            self.note_release(older, effect);
        }
        outcome
    }

    fn release(
        &mut self,
        campaign: Revision,
        deadline: Deadline,
        checked: Result<(), Disagreement>,
    ) -> Outcome {
        if let Ok(index) = self.released(campaign)
            && let Some(released) = self.shop.released.get_mut(index)
        {
            let effect = released.effect;
            if checked.is_ok() && released.deadline < deadline {
                released.deadline = deadline;
                self.shop.version += 1;
            }
            return self.repeat(effect);
        }
        if let Err(refusal) = checked {
            return self.refused_by(refusal);
        }
        if self.shop.active.place_of(campaign).is_none() && self.time.is_passed(deadline) {
            self.time.pass(deadline);
            return self.untouched(Status::Unchanged, None, false);
        }
        let before = self.begin_write();
        self.leave(campaign, deadline);
        let outcome = self.resolved(before);
        self.note_release(campaign, Effect::from_change(outcome.status == Status::Applied));
        outcome
    }

    fn activate_kind(&mut self, cause: ActiveCause, deadline: Option<Deadline>) -> Outcome {
        if let Some(deadline) = deadline
            && self.time.is_passed(deadline)
        {
            return self.expired(deadline);
        }
        let replaces = self.shop.active.place(cause.key()).is_ok();
        if !replaces && MAX_CAUSES <= self.shop.active.len() {
            return self.refused(Status::Rejected, Code::TooManyCauses);
        }
        let before = self.begin_write();
        self.shop.active.insert(cause);
        self.resolved(before)
    }

    fn release_kind(&mut self, kind: TriggerKind, deadline: Option<Deadline>) -> Outcome {
        if let Some(deadline) = deadline
            && self.time.is_passed(deadline)
        {
            return self.expired(deadline);
        }
        let Ok(index) = self.shop.active.place((Origin::Request, kind)) else {
            return self.untouched(Status::Unchanged, None, false);
        };
        let before = self.begin_write();
        self.shop.active.remove(index);
        self.resolved(before)
    }

    fn set_base(
        &mut self,
        revision: Revision,
        radius: Radius,
        deadline: Option<Deadline>,
        checked: Result<(), Disagreement>,
    ) -> Outcome {
        let base = self.shop.base;
        if base.revision == revision && base.radius == radius {
            return self.repeat(base.effect);
        }
        if revision <= base.revision {
            return self.refused(Status::Superseded, Code::NewerBase);
        }
        if let Err(refusal) = checked {
            return self.refused_by(refusal);
        }
        if let Some(deadline) = deadline
            && self.time.is_passed(deadline)
        {
            return self.expired(deadline);
        }
        let before = self.begin_write();
        self.shop.base = Base { radius, revision, effect: Effect::Unchanged };
        let outcome = self.resolved(before);
        self.shop.base.effect = Effect::from_change(outcome.status == Status::Applied);
        outcome
    }

    /// Ends a campaign here: its cause goes from active to released and never back.
    /// Returns whether it was released by this.
    fn leave(&mut self, campaign: Revision, deadline: Deadline) -> bool {
        let active = self.shop.active.place_of(campaign);
        if let Some(index) = active {
            self.shop.active.remove(index);
        }
        match self.released(campaign) {
            Ok(index) => {
                if let Some(released) = self.shop.released.get_mut(index) {
                    released.deadline = released.deadline.max(deadline);
                }
                false
            }
            Err(place) if active.is_some() || !self.time.is_passed(deadline) => {
                let effect = Effect::Unchanged;
                self.shop.released.insert(place, ReleasedCause { campaign, deadline, effect });
                true
            }
            Err(_) => {
                // Whatever copy of the activation may come now is expired.
                self.time.pass(deadline);
                false
            }
        }
    }

    /// Keeps what the first release of a campaign did, for its repeats.
    fn note_release(&mut self, campaign: Revision, effect: Effect) {
        if let Ok(index) = self.released(campaign)
            && let Some(released) = self.shop.released.get_mut(index)
        {
            released.effect = effect;
        }
    }

    fn released(&self, campaign: Revision) -> Result<usize, usize> {
        self.shop.released.binary_search_by_key(&campaign, |released| released.campaign)
    }

    /// Resolves the radius again after a change and says what that did.
    fn resolved(&mut self, before: Radius) -> Outcome {
        let resolution = self.shop.resolution(self.floor);
        self.shop.radius = resolution.radius;
        let standing = Standing {
            before: Some(before),
            after: resolution.radius,
            decided_by: resolution.decided_by,
            version: self.shop.version,
        };
        let status = if before == resolution.radius { Status::Unchanged } else { Status::Applied };
        Outcome { status, code: None, detail: None, standing: Some(standing), repeat: false }
    }

    /// Begins a write of the shop and returns the radius before it.
    ///
    /// A write raises the version, and is the occasion to drop the released causes of which
    /// no copy can take effect any more; never one that this write itself leaves.
    fn begin_write(&mut self) -> Radius {
        self.shop.version += 1;
        let time = &mut *self.time;
        self.shop.released.retain(|released| {
            let kept_until = released.deadline.instant().saturating_add(RELEASED_KEPT);
            let kept = time.now <= kept_until;
            if !kept {
                time.pass(released.deadline);
            }
            kept
        });
        self.shop.radius
    }

    /// The answer to a request that took effect before.
    fn repeat(&self, first: Effect) -> Outcome {
        let status = match first {
            Effect::Applied => Status::Applied,
            Effect::Unchanged => Status::Unchanged,
        };
        let mut outcome = self.untouched(status, None, true);
        if let Some(standing) = &mut outcome.standing {
            standing.before = None;
        }
        outcome
    }

    fn expired(&mut self, deadline: Deadline) -> Outcome {
        self.time.pass(deadline);
        self.refused(Status::Expired, Code::DeadlinePassed)
    }

    fn unknown_kind(&self, kind: TriggerKind) -> Outcome {
        Outcome {
            detail: Some(format!("the configuration has no trigger kind `{kind}`").into()),
            ..self.refused(Status::Rejected, Code::UnknownKind)
        }
    }

    fn refused_by(&self, disagreement: Disagreement) -> Outcome {
        let Disagreement { status, code, detail } = disagreement;
        Outcome { detail, ..self.refused(status, code) }
    }

    fn refused(&self, status: Status, code: Code) -> Outcome {
        self.untouched(status, Some(code), false)
    }

    /// The shop is as it was.
    fn untouched(&self, status: Status, code: Option<Code>, repeat: bool) -> Outcome {
        let standing = Standing {
            before: Some(self.shop.radius),
            after: self.shop.radius,
            decided_by: self.shop.resolution(self.floor).decided_by,
            version: self.shop.version,
        };
        Outcome { status, code, detail: None, standing: Some(standing), repeat }
    }
}
