//! Judging one request at one shop.

use std::cmp::Ordering;
use std::time::Duration;

use crate::cause::{ActiveCause, Effect, Origin, ReleasedCause};
use crate::outcome::{Code, Outcome, Standing, Status};
use crate::radius::Radius;
use crate::request::{Change, Replaced, Request};
use crate::revision::{CampaignRef, Revision};
use crate::shop::{Base, ShopState};
use crate::time::{Deadline, Timestamp};
use crate::trigger::{Policy, TriggerKind};

/// The most active causes that a shop has.
pub const MAX_CAUSES: usize = 255;

/// How long a released cause is kept after its deadline.
pub const RELEASED_KEPT: Duration = Duration::from_secs(3600);

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
/// 1. Malformed: an activation of an unknown kind is rejected. (What can be seen without the
///    shop, [`judge_batch`](crate::judge_batch) has rejected before.)
/// 2. Is its cause there, in this phase or a later one: a repeat, answered with the status of
///    its first application; an activation that meets its released cause is superseded. For a
///    base radius: an equal revision is a repeat, a lower one superseded.
/// 3. Its deadline has passed: expired.
/// 4. No room for one more active cause: rejected.
/// 5. It is applied, and the radius resolved again: applied where that changed it, else
///    unchanged.
///
/// A shop's version rises with every request that changes what is stored of it.
pub fn judge(
    shop: &mut ShopState,
    request: &Request,
    policy: &Policy,
    time: &mut LaneTime,
) -> Outcome {
    let mut seat = Seat { shop, floor: policy.floor, time };
    match request.change {
        Change::Activate { campaign, kind, limit, deadline, replaces } => {
            let Some(rank) = policy.rank(kind) else { return seat.unknown_kind(kind) };
            let effect = Effect::Unchanged;
            let origin = Origin::Campaign(campaign);
            let cause = ActiveCause { origin, kind, rank, limit, effect };
            seat.activate(cause, campaign, deadline, replaces)
        }
        Change::Release { campaign, deadline } => seat.release(campaign, deadline),
        Change::ActivateKind { kind, limit, deadline } => {
            let Some(rank) = policy.rank(kind) else { return seat.unknown_kind(kind) };
            let effect = Effect::Unchanged;
            let cause = ActiveCause { origin: Origin::Request, kind, rank, limit, effect };
            seat.activate_kind(cause, deadline)
        }
        Change::ReleaseKind { kind } => seat.release_kind(kind),
        Change::SetBase { revision, radius, deadline } => seat.set_base(revision, radius, deadline),
    }
}

/// Where a request meets its shop.
struct Seat<'a> {
    shop: &'a mut ShopState,
    floor: Radius,
    time: &'a mut LaneTime,
}

impl Seat<'_> {
    fn activate(
        &mut self,
        cause: ActiveCause,
        campaign: CampaignRef,
        deadline: Deadline,
        replaces: Option<Replaced>,
    ) -> Outcome {
        if self.released(campaign).is_ok() {
            return self.refused(Status::Superseded, Code::CampaignEnded);
        }
        let place = match self.active(cause.origin, cause.kind) {
            Ok(index) => return self.repeat(self.shop.active.get(index).map(|c| c.effect)),
            Err(place) => place,
        };
        if self.time.is_passed(deadline) {
            return self.expired(deadline);
        }
        let replaced = replaces.and_then(|replaced| self.find_active(replaced.campaign));
        if self.shop.active.len() - usize::from(replaced.is_some()) >= MAX_CAUSES {
            return self.refused(Status::Rejected, Code::TooManyCauses);
        }
        let before = self.begin_write();
        self.shop.active.insert(place, cause);
        let released =
            replaces.is_some_and(|replaced| self.leave(replaced.campaign, replaced.deadline));
        let outcome = self.resolved(before);
        let effect = Effect::from_change(outcome.status == Status::Applied);
        if let Ok(index) = self.active(cause.origin, cause.kind)
            && let Some(cause) = self.shop.active.get_mut(index)
        {
            cause.effect = effect;
        }
        if let Some(replaced) = replaces
            && released
        {
            self.note_release(replaced.campaign, effect);
        }
        outcome
    }

    fn release(&mut self, campaign: CampaignRef, deadline: Deadline) -> Outcome {
        if let Ok(index) = self.released(campaign)
            && let Some(released) = self.shop.released.get_mut(index)
        {
            let effect = released.effect;
            if released.deadline < deadline {
                released.deadline = deadline;
                self.shop.version += 1;
            }
            return self.repeat(Some(effect));
        }
        if self.find_active(campaign).is_none() && self.time.is_passed(deadline) {
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
        let place = self.active(cause.origin, cause.kind);
        if place.is_err() && self.shop.active.len() >= MAX_CAUSES {
            return self.refused(Status::Rejected, Code::TooManyCauses);
        }
        let before = self.begin_write();
        match place {
            Err(place) => self.shop.active.insert(place, cause),
            Ok(index) => {
                if let Some(older) = self.shop.active.get_mut(index) {
                    *older = cause;
                }
            }
        }
        self.resolved(before)
    }

    fn release_kind(&mut self, kind: TriggerKind) -> Outcome {
        let Ok(index) = self.active(Origin::Request, kind) else {
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
    ) -> Outcome {
        if self.shop.base.revision == revision {
            return self.repeat(Some(self.shop.base.effect));
        }
        if revision < self.shop.base.revision {
            return self.refused(Status::Superseded, Code::NewerBase);
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
    fn leave(&mut self, campaign: CampaignRef, deadline: Deadline) -> bool {
        let active = self.find_active(campaign);
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
    fn note_release(&mut self, campaign: CampaignRef, effect: Effect) {
        if let Ok(index) = self.released(campaign)
            && let Some(released) = self.shop.released.get_mut(index)
        {
            released.effect = effect;
        }
    }

    /// The place of a cause among the active ones: a campaign has one at a shop, whatever
    /// its kind; requests without a campaign have one per kind.
    fn active(&self, origin: Origin, kind: TriggerKind) -> Result<usize, usize> {
        self.shop.active.binary_search_by(|cause| {
            cause.origin.cmp(&origin).then_with(|| match origin {
                Origin::Campaign(_) => Ordering::Equal,
                Origin::Request => cause.kind.cmp(&kind),
            })
        })
    }

    fn find_active(&self, campaign: CampaignRef) -> Option<usize> {
        let origin = Origin::Campaign(campaign);
        self.shop.active.binary_search_by_key(&origin, |cause| cause.origin).ok()
    }

    fn released(&self, campaign: CampaignRef) -> Result<usize, usize> {
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

    fn repeat(&self, first: Option<Effect>) -> Outcome {
        let status = match first {
            Some(Effect::Applied) => Status::Applied,
            Some(Effect::Unchanged) | None => Status::Unchanged,
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
