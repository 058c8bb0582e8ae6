//! The member of the group of consumers: it turns events of the group into work on lanes.

use std::collections::BTreeMap;
use std::time::Duration;

use catchment_bootstrap::{ProcessError, Readiness, Shutdown};
use catchment_domain::Lane;
use catchment_domain::service::SET_ASIDE;
use catchment_kafka::{GroupEvent, GroupEvents, KafkaRequestLog};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use crate::lane_workers::{Effect, LaneWorkers};
use crate::lanes::{End, Ended, Lanes};
use crate::progress::Progress;

/// The readiness condition that this process is a member of the group.
pub(crate) const GROUP: &str = "group";

/// The least time for leaving the group, even if the current steps took the whole drain time.
const LEAST_TO_CLOSE: Duration = Duration::from_millis(200);

/// How often to ask the group what keeps this process out.
const LOOK: Duration = Duration::from_secs(1);

/// A member of the group, with the work on its assigned lanes.
pub(crate) struct Member {
    log: KafkaRequestLog,
    events: GroupEvents,
    workers: LaneWorkers,
    lanes: Lanes,
    progress: Progress,
    /// When to try each lane again that is set aside.
    set_aside: BTreeMap<Lane, Instant>,
    readiness: Readiness,
}

impl Member {
    /// Makes a member without lanes. `count` is the number of all lanes.
    pub(crate) fn new(
        (log, events): (KafkaRequestLog, GroupEvents),
        (lanes, count): (Lanes, u16),
        progress: Progress,
        readiness: Readiness,
    ) -> Self {
        let (workers, set_aside) = (LaneWorkers::new(count.into()), BTreeMap::new());
        Self { log, events, workers, lanes, progress, set_aside, readiness }
    }

    /// Works until the process has to stop, no lane can be worked on, or `fatal` returns. In each
    /// case the current steps are finished within `drain`, and the member leaves the group.
    pub(crate) async fn run(
        mut self,
        (mut shutdown, drain): (Shutdown, Duration),
        fatal: impl Future<Output = ProcessError>,
    ) -> Result<(), ProcessError> {
        let worked = tokio::select! {
            error = self.work() => Err(error),
            error = fatal => Err(error),
            _ = shutdown.asked() => Ok(()),
        };
        let deadline = shutdown.deadline().unwrap_or_else(|| Instant::now() + drain);
        self.leave(deadline).await;
        worked
    }

    /// Works for ever. Returns only an error after which it cannot go on.
    async fn work(&mut self) -> ProcessError {
        loop {
            let done = tokio::select! {
                event = self.events.recv() => self.react(event),
                ended = self.lanes.ended() => self.take_in(ended),
                () = due(&self.set_aside) => {
                    self.try_again();
                    Ok(())
                }
            };
            if let Err(error) = done {
                return error;
            }
        }
    }

    /// Finishes the current steps and leaves the group.
    async fn leave(&mut self, deadline: Instant) {
        let effects = self.workers.leave();
        self.carry_out(effects);
        if timeout_at(deadline, self.finish()).await.is_err() {
            tracing::warn!("some lanes did not finish their step in time");
        }
        let within = deadline.saturating_duration_since(Instant::now()).max(LEAST_TO_CLOSE);
        if let Err(error) = self.log.reader().close(within).await {
            tracing::warn!(%error, "could not leave the group");
        }
    }

    async fn finish(&mut self) {
        while !self.workers.is_empty() {
            tokio::select! {
                event = self.events.recv() => {
                    if let Err(error) = self.react(event) {
                        tracing::warn!(%error, "while leaving");
                        return;
                    }
                }
                ended = self.lanes.ended() => {
                    if let Err(error) = self.take_in(ended) {
                        tracing::warn!(%error, "while leaving");
                    }
                }
            }
        }
    }

    /// Handles the end of the work on a lane.
    fn take_in(&mut self, Ended { lane, end }: Ended) -> Result<(), ProcessError> {
        if self.progress.has_moved() {
            self.workers.moved();
        }
        let (effects, error) = match end {
            End::Stopped => (self.workers.ended(lane), None),
            End::Closed(error) => (self.workers.ended(lane), Some(error)),
            End::Broken(error) => {
                let effects = self.workers.broke(lane);
                let is_hopeless = effects.contains(&Effect::GiveUp);
                self.say_broken(lane, &error, &effects);
                (effects, is_hopeless.then_some(error))
            }
        };
        self.carry_out(effects);
        error.map_or(Ok(()), Err)
    }

    /// Logs that a human must look at a lane, and what follows. This happens at each failed
    /// attempt.
    fn say_broken(&self, lane: Lane, error: &ProcessError, effects: &[Effect]) {
        let cause = error.to_string();
        let is_set_aside = effects.contains(&Effect::SetAside(lane));
        let follows = if is_set_aside {
            "it is set aside, and the others go on"
        } else if effects.contains(&Effect::GiveUp) {
            "no lane there is can be worked on, and the process ends"
        } else if effects.contains(&Effect::Start(lane)) {
            "it has come back meanwhile, and is tried again"
        } else {
            "it goes to another consumer"
        };
        let again_in_s = is_set_aside.then_some(SET_ASIDE.as_secs());
        tracing::error!(lane = lane.0, cause, again_in_s, "a human must look at a lane: {follows}");
        if is_set_aside {
            self.progress.set_aside(lane, cause);
        }
    }

    /// Starts the lanes again that were set aside for long enough.
    fn try_again(&mut self) {
        let now = Instant::now();
        let due = self.set_aside.extract_if(.., |_, at| *at <= now);
        let effects = due.filter_map(|(lane, _)| self.workers.try_again(lane)).collect();
        self.carry_out(effects);
    }

    /// Handles an event of the group.
    fn react(&mut self, event: Option<GroupEvent>) -> Result<(), ProcessError> {
        let effects: Vec<Effect> = match event {
            Some(GroupEvent::Assigned { partitions, .. }) => {
                self.readiness.met(GROUP);
                lanes(partitions).filter_map(|lane| self.workers.assigned(lane)).collect()
            }
            Some(GroupEvent::Revoked { partitions, generation, .. }) => {
                let revoke = |lane| self.workers.revoked(lane, generation);
                lanes(partitions).filter_map(revoke).collect()
            }
            Some(GroupEvent::Lost { partitions, .. }) => {
                self.readiness.unmet(GROUP, "lost the membership");
                lanes(partitions).filter_map(|lane| self.workers.lost(lane)).collect()
            }
            Some(GroupEvent::Failed { cause }) => return Err(ProcessError::Internal(cause)),
            None => {
                let what = "the client of Kafka has ended".to_owned();
                return Err(ProcessError::Internal(what));
            }
        };
        self.carry_out(effects);
        Ok(())
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Start(lane) => self.lanes.start(lane),
                Effect::Stop(lane) => self.lanes.stop(lane),
                Effect::Drained(lane, generation) => {
                    self.log.reader().drained(lane.0.into(), generation);
                }
                Effect::SetAside(lane) => {
                    self.set_aside.insert(lane, Instant::now() + SET_ASIDE);
                }
                // The caller ends the process.
                Effect::GiveUp => {}
            }
        }
        self.set_aside.retain(|lane, _| self.workers.has(*lane));
        self.progress.keep(|lane| self.workers.has(lane));
    }
}

/// Waits until a lane that was set aside has to be tried again. If there is none, waits for ever.
async fn due(set_aside: &BTreeMap<Lane, Instant>) {
    match set_aside.values().min() {
        Some(at) => sleep_until(*at).await,
        None => std::future::pending().await,
    }
}

/// Keeps the reason up to date why this process is not a member of the group.
pub(crate) async fn watch_group(log: KafkaRequestLog, readiness: Readiness) {
    loop {
        if let Some(trouble) = log.reader().group_trouble() {
            readiness.explain(GROUP, trouble.cause);
        }
        sleep(LOOK).await;
    }
}

/// Converts partitions to lanes. A partition number that no lane can have is left out.
fn lanes(partitions: Vec<i32>) -> impl Iterator<Item = Lane> {
    partitions.into_iter().filter_map(|partition| u16::try_from(partition).ok().map(Lane))
}
