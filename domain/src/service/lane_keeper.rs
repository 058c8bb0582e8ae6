//! One requester and its reply lanes: one of its own, and those whose requester is gone.
//!
//! The first free lane becomes its own, so that new campaigns and single calls have somewhere
//! to be answered. A lane with something to do that nobody leases any more is adopted, and given
//! back once nothing is open there. A lane at which a human must look is set aside, be it its own
//! or not: the others go on, and another lane becomes its own.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use crate::damage::Damage;
use crate::lane::ReplyLane;
use crate::mismatch::{LaneProblem, Mismatch};
use crate::ports::{Holder, StoreError};
use crate::service::pacing::{Failures, Pause, Trouble};
use crate::service::{
    LaneRequester, Obstacle, RequesterPorts, RequesterTerms, SET_ASIDE, ServiceError, Step,
};
use crate::time::Timestamp;

/// Runs the campaigns of every reply lane that is this requester's to run.
#[expect(missing_debug_implementations, reason = "ports have nothing to show")]
pub struct LaneKeeper {
    holder: Holder,
    ports: RequesterPorts,
    terms: RequesterTerms,
    lanes: BTreeMap<ReplyLane, Kept>,
    own: Option<ReplyLane>,
    /// Until it looks again for a lane of its own, or for orphans.
    look: Option<Pause>,
    stopping: bool,
    failures: Failures,
}

/// A lane that it has, or tries to get.
struct Kept {
    requester: LaneRequester,
    pause: Option<Pause>,
    /// Why a human must look at what stands there; until a step goes well.
    set_aside: Option<Arc<ServiceError>>,
}

impl LaneKeeper {
    /// A requester without a lane yet.
    #[must_use]
    pub fn new(holder: Holder, ports: RequesterPorts, terms: RequesterTerms) -> Self {
        Self {
            holder,
            ports,
            terms,
            lanes: BTreeMap::new(),
            own: None,
            look: None,
            stopping: false,
            failures: Failures::default(),
        }
    }

    /// Looks for lanes when it is time, and lets each that it has take a step. A pause of one
    /// lane is none of the others', so it may be zero.
    ///
    /// # Errors
    ///
    /// When a human must look at every lane that there is, or nothing can be read or sent any
    /// more.
    pub async fn step(&mut self) -> Result<Step, ServiceError> {
        let now = self.ports.clock.now();
        let mut round = Round::default();
        if !self.stopping && Pause::is_over(self.look, now) {
            round.add(self.look(now).await?);
        }
        for lane in self.awake(now) {
            round.add(self.turn(lane, now).await?);
        }
        Ok(round.end(self.awake(now).is_empty()))
    }

    /// Goes on with what is being sent, and returns once there may be a reply in one of the lanes,
    /// or more to send.
    pub async fn wait(&mut self) {
        let now = self.ports.clock.now();
        let leased = self.lanes.values_mut().filter(|kept| kept.requester.has_lease());
        let awake = leased.filter(|kept| Pause::is_over(kept.pause, now));
        let mut waits: Vec<_> = awake.map(|kept| Box::pin(kept.requester.wait())).collect();
        poll_fn(|context| {
            let is_over = waits.iter_mut().any(|wait| wait.as_mut().poll(context).is_ready());
            if is_over { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// The lane of its own; `None` while it looks for one.
    #[must_use]
    pub const fn own(&self) -> Option<ReplyLane> {
        self.own
    }

    /// The lanes that it has the lease of, as far as is known.
    pub fn leased(&self) -> impl Iterator<Item = ReplyLane> + '_ {
        let leased = self.lanes.iter().filter(|(_, kept)| kept.requester.has_lease());
        leased.map(|(lane, _)| *lane)
    }

    /// From now on only records what is under way, and adopts nothing.
    pub fn stop_sending(&mut self) {
        self.stopping = true;
        self.lanes.values_mut().for_each(|kept| kept.requester.stop_sending());
    }

    /// How many requests are under way.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.lanes.values().map(|kept| kept.requester.in_flight()).sum()
    }

    /// Whether a campaign of its lanes has open slots, as far as is known.
    #[must_use]
    pub fn has_open(&self) -> bool {
        self.own.is_none() || self.lanes.values().any(|kept| kept.requester.has_open())
    }

    /// What is damaged of the campaigns of its lanes, as far as is known. It is left out, and
    /// tried again after a while.
    pub fn damaged(&self) -> impl Iterator<Item = &Damage> {
        self.lanes.values().flat_map(|kept| kept.requester.damaged())
    }

    /// The lanes at which a human must look, and why. They are tried again after a while.
    pub fn lanes_set_aside(&self) -> impl Iterator<Item = (ReplyLane, &ServiceError)> {
        let lanes = self.lanes.iter();
        lanes.filter_map(|(lane, kept)| Some((*lane, kept.set_aside.as_deref()?)))
    }

    /// Gives every lease back, so that the next requesters need not wait until they run out.
    ///
    /// # Errors
    ///
    /// The first there was: the next requester of that lane waits.
    pub async fn surrender(&mut self) -> Result<(), StoreError> {
        self.own = None;
        let mut result = Ok(());
        for (_, mut kept) in std::mem::take(&mut self.lanes) {
            let surrendered = kept.requester.surrender().await;
            result = result.and(surrendered);
        }
        result
    }

    fn awake(&self, now: Timestamp) -> Vec<ReplyLane> {
        let awake = self.lanes.iter().filter(|(_, kept)| Pause::is_over(kept.pause, now));
        awake.map(|(lane, _)| *lane).collect()
    }

    /// Looks for a lane of its own, or for orphans.
    async fn look(&mut self, now: Timestamp) -> Result<Step, ServiceError> {
        let found = match self.own {
            None => self.find_own(now).await?,
            Some(_) => self.find_orphans().await?,
        };
        self.look = match &found {
            Step::Worked => None,
            Step::Idle => Some(Pause::new(now, self.terms.lease / 3)),
            Step::Pause { after, .. } => Some(Pause::new(now, *after)),
        };
        Ok(found)
    }

    /// Takes the first lane that nobody leases; one that it adopted is as good.
    async fn find_own(&mut self, now: Timestamp) -> Result<Step, ServiceError> {
        let adopted = self.leased().find(|lane| !self.is_set_aside(*lane));
        if adopted.is_some() {
            self.own = adopted;
            return Ok(Step::Worked);
        }
        let lanes = (0..self.ports.replies.lanes()).map(ReplyLane);
        let lanes: Vec<_> = lanes.filter(|lane| !self.is_set_aside(*lane)).collect();
        for lane in lanes {
            let mut kept = self.keep(lane);
            match kept.requester.step().await {
                Err(error) => return self.set_aside(lane, now, error).await,
                Ok(Step::Pause { obstacle: Obstacle::LeasedByAnother, .. }) => {}
                Ok(Step::Pause { obstacle, .. }) => {
                    let after = self.failures.pause();
                    return Ok(Step::Pause { after, obstacle });
                }
                Ok(Step::Worked | Step::Idle) => {
                    self.failures.forget();
                    self.own = Some(lane);
                    self.lanes.insert(lane, kept);
                    return Ok(Step::Worked);
                }
            }
        }
        if let Err(error) = self.orphans().await {
            return self.failures.next_step(Trouble::from(error));
        }
        self.failures.forget();
        Ok(Step::Pause { after: self.terms.lease / 3, obstacle: Obstacle::LeasedByAnother })
    }

    /// Returns every lane that lacks a requester. Forgets each lane that the log does not have and
    /// that needs no requester any more: its campaigns went to other lanes.
    async fn orphans(&mut self) -> Result<Vec<ReplyLane>, StoreError> {
        let orphans = self.ports.reply_lanes.orphans().await?;
        let lanes = self.ports.replies.lanes();
        self.lanes.retain(|lane, kept| {
            lane.0 < lanes || orphans.contains(lane) || kept.requester.has_lease()
        });
        Ok(orphans)
    }

    /// Tries to get every lane that lacks a requester.
    async fn find_orphans(&mut self) -> Result<Step, ServiceError> {
        let orphans = match self.orphans().await {
            Ok(orphans) => orphans,
            Err(error) => return self.failures.next_step(Trouble::from(error)),
        };
        self.failures.forget();
        for lane in orphans {
            if !self.lanes.contains_key(&lane) {
                self.lanes.insert(lane, self.keep(lane));
            }
        }
        Ok(Step::Idle)
    }

    fn keep(&self, lane: ReplyLane) -> Kept {
        let requester = LaneRequester::new(lane, self.holder, self.ports.clone(), self.terms);
        Kept { requester, pause: None, set_aside: None }
    }

    fn is_set_aside(&self, lane: ReplyLane) -> bool {
        self.lanes.get(&lane).is_some_and(|kept| kept.set_aside.is_some())
    }

    /// Gives a lane back and tries it again after a while, so that its problem holds up no other
    /// lane. If it was the requester's own lane, it takes another one at once.
    async fn set_aside(
        &mut self,
        lane: ReplyLane,
        now: Timestamp,
        why: ServiceError,
    ) -> Result<Step, ServiceError> {
        let mut others = (0..self.ports.replies.lanes()).map(ReplyLane).filter(|l| *l != lane);
        let is_last = others.all(|other| self.is_set_aside(other));
        // These problems concern every reply lane.
        let is_of_all = matches!(
            why,
            ServiceError::Closed
                | ServiceError::Older(_)
                | ServiceError::OtherLanes(_)
                | ServiceError::Lane(LaneProblem { mismatch: Mismatch::LeftLog, .. })
        );
        if is_last || is_of_all {
            return Err(why);
        }
        let source = Arc::new(why);
        let mut kept = self.keep(lane);
        kept.set_aside = Some(Arc::clone(&source));
        kept.pause = Some(Pause::new(now, SET_ASIDE));
        if let Some(mut before) = self.lanes.insert(lane, kept) {
            // A lease that cannot be given back runs out.
            let _ = before.requester.surrender().await;
        }
        self.own.take_if(|own| *own == lane);
        let after = if self.own.is_none() { Duration::ZERO } else { SET_ASIDE };
        if self.own.is_none() {
            self.look = None;
        }
        Ok(Step::Pause { after, obstacle: Obstacle::SetAside { lane, source } })
    }

    /// Lets one lane take a step. A lane that went to another is forgotten, and one that was
    /// adopted is given back once nothing is open there.
    async fn turn(&mut self, lane: ReplyLane, now: Timestamp) -> Result<Step, ServiceError> {
        let Some(kept) = self.lanes.get_mut(&lane) else { return Ok(Step::Idle) };
        let had_lease = kept.requester.has_lease();
        let step = match kept.requester.step().await {
            Ok(step) => step,
            Err(error) => return self.set_aside(lane, now, error).await,
        };
        // A lease alone is no success: what failed by it before may fail again.
        if had_lease && !matches!(step, Step::Pause { .. }) {
            kept.set_aside = None;
        }
        kept.pause = match &step {
            // Where one request lane takes nothing, replies still come and others are sent to.
            Step::Worked | Step::Idle | Step::Pause { obstacle: Obstacle::Unsent { .. }, .. } => {
                None
            }
            Step::Pause { after, .. } => Some(Pause::new(now, *after)),
        };
        if matches!(step, Step::Pause { obstacle: Obstacle::LeasedByAnother, .. }) {
            self.lanes.remove(&lane);
            if self.own.take_if(|own| *own == lane).is_some() {
                self.look = None;
            }
        } else if self.own != Some(lane)
            && kept.requester.has_lease()
            && !kept.requester.has_open()
            && !kept.requester.has_damage()
        {
            let surrendered = kept.requester.surrender().await;
            self.lanes.remove(&lane);
            if let Err(error) = surrendered {
                return Ok(Step::Pause { after: Duration::ZERO, obstacle: error.into() });
            }
        }
        Ok(step)
    }
}

/// What a round over the lanes came to.
#[derive(Default)]
struct Round {
    worked: bool,
    obstacle: Option<(Duration, Obstacle)>,
}

impl Round {
    fn add(&mut self, step: Step) {
        match step {
            Step::Worked => self.worked = true,
            Step::Idle => {}
            // These are logged once, so no passing obstacle may take their place.
            Step::Pause {
                after,
                obstacle: obstacle @ (Obstacle::SetAside { .. } | Obstacle::RepliesLost { .. }),
            } => self.obstacle = Some((after, obstacle)),
            Step::Pause { after, obstacle } => {
                self.obstacle.get_or_insert((after, obstacle));
            }
        }
    }

    /// How to go on; a pause counts only where `all_pause`, or where the lane that says so goes on
    /// meanwhile.
    fn end(self, all_pause: bool) -> Step {
        match self.obstacle {
            Some((after, obstacle)) => {
                let is_wait = all_pause || matches!(obstacle, Obstacle::Unsent { .. });
                let after = if self.worked || !is_wait { Duration::ZERO } else { after };
                Step::Pause { after, obstacle }
            }
            None if self.worked => Step::Worked,
            None => Step::Idle,
        }
    }
}
