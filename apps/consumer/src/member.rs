//! The member of the group of consumers: what the group says becomes work on lanes.

use std::time::Duration;

use catchment_bootstrap::{ProcessError, Readiness, Shutdown};
use catchment_domain::Lane;
use catchment_kafka::{GroupEvent, GroupEvents, KafkaRequestLog};
use tokio::time::{Instant, timeout_at};

use crate::lanes::{Ended, Lanes};
use crate::roster::{Effect, Roster};

/// The name of what holds while this process is a member of the group.
pub(crate) const GROUP: &str = "group";

/// What leaving the group is given even when the steps in hand took all the time there was.
const LEAST_TO_CLOSE: Duration = Duration::from_millis(200);

/// A member of the group, at work on the lanes that it is assigned.
pub(crate) struct Member {
    log: KafkaRequestLog,
    events: GroupEvents,
    roster: Roster,
    lanes: Lanes,
    readiness: Readiness,
}

impl Member {
    pub(crate) fn new(
        (log, events): (KafkaRequestLog, GroupEvents),
        lanes: Lanes,
        readiness: Readiness,
    ) -> Self {
        Self { log, events, roster: Roster::default(), lanes, readiness }
    }

    /// Works until the process is to stop, or a lane needs a human. Either way the steps in
    /// hand are finished, within `drain`, and the group is left.
    pub(crate) async fn run(
        mut self,
        mut shutdown: Shutdown,
        drain: Duration,
    ) -> Result<(), ProcessError> {
        let worked = tokio::select! {
            error = self.work() => Err(error),
            _ = shutdown.asked() => Ok(()),
        };
        let deadline = shutdown.deadline().unwrap_or_else(|| Instant::now() + drain);
        self.leave(deadline).await;
        worked
    }

    /// Returns only when it cannot go on.
    async fn work(&mut self) -> ProcessError {
        loop {
            tokio::select! {
                event = self.events.recv() => {
                    if let Err(error) = self.react(event) {
                        return error;
                    }
                }
                Ended { lane, result } = self.lanes.ended() => {
                    let effects = self.roster.ended(lane);
                    self.carry_out(effects);
                    if let Err(error) = result {
                        return error;
                    }
                }
            }
        }
    }

    /// Finishes the steps in hand and leaves the group.
    async fn leave(&mut self, deadline: Instant) {
        let effects = self.roster.leave();
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
        while !self.roster.is_empty() {
            tokio::select! {
                event = self.events.recv() => {
                    if let Err(error) = self.react(event) {
                        tracing::warn!(%error, "while leaving");
                        return;
                    }
                }
                Ended { lane, result } = self.lanes.ended() => {
                    if let Err(error) = result {
                        tracing::error!(lane = lane.0, %error, "a human must look");
                    }
                    let effects = self.roster.ended(lane);
                    self.carry_out(effects);
                }
            }
        }
    }

    /// Does what the group says.
    fn react(&mut self, event: Option<GroupEvent>) -> Result<(), ProcessError> {
        let effects: Vec<Effect> = match event {
            Some(GroupEvent::Assigned { partitions, .. }) => {
                self.readiness.met(GROUP);
                lanes(partitions).filter_map(|lane| self.roster.assigned(lane)).collect()
            }
            Some(GroupEvent::Revoked { partitions, generation, .. }) => {
                let revoke = |lane| self.roster.revoked(lane, generation);
                lanes(partitions).filter_map(revoke).collect()
            }
            Some(GroupEvent::Lost { partitions, .. }) => {
                self.readiness.unmet(GROUP, "lost the membership");
                lanes(partitions).filter_map(|lane| self.roster.lost(lane)).collect()
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
            }
        }
    }
}

/// The lanes that partitions are. One beyond the last lane that there can be is none: the
/// topic was checked to have as many partitions as there are lanes.
fn lanes(partitions: Vec<i32>) -> impl Iterator<Item = Lane> {
    partitions.into_iter().filter_map(|partition| u16::try_from(partition).ok().map(Lane))
}
