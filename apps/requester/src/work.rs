//! The work of a requester: its reply lanes, turned until the process is to stop.

use std::time::Duration;

use catchment_bootstrap::{HeldUp, ProcessError, Readiness, Shutdown, chain};
use catchment_domain::service::{LaneKeeper, Obstacle, Step};
use tokio::time::{Instant, timeout, timeout_at};

/// The name of what holds while this process has a reply lane of its own.
pub(crate) const LANE: &str = "reply lane";

/// How long giving the leases back may take: they run out by themselves.
const TO_SURRENDER: Duration = Duration::from_millis(300);

/// A requester at work.
pub(crate) struct Work {
    keeper: LaneKeeper,
    /// How long it waits for replies before it looks for campaigns.
    nap: Duration,
    readiness: Readiness,
    held_up: HeldUp,
}

impl Work {
    pub(crate) fn new(keeper: LaneKeeper, nap: Duration, readiness: Readiness) -> Self {
        Self { keeper, nap, readiness, held_up: HeldUp::default() }
    }

    /// Works until the process is to stop; then sends nothing more, records what is under way,
    /// and gives the lanes back.
    pub(crate) async fn run(mut self, mut shutdown: Shutdown) -> Result<(), ProcessError> {
        let worked = tokio::select! {
            error = self.work() => Err(error),
            deadline = shutdown.asked() => self.drain(deadline).await,
        };
        match timeout(TO_SURRENDER, self.keeper.surrender()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => say_kept(&chain(&error)),
            Err(_) => say_kept("the database did not answer in time"),
        }
        worked
    }

    /// Returns only when it cannot go on.
    async fn work(&mut self) -> ProcessError {
        loop {
            if let Err(error) = self.turn().await {
                return error;
            }
        }
    }

    /// Records the replies that are under way. What has none at the deadline is sent again by
    /// whoever goes on with the campaign.
    async fn drain(&mut self, deadline: Instant) -> Result<(), ProcessError> {
        self.keeper.stop_sending();
        let recorded = timeout_at(deadline, async {
            while 0 < self.keeper.in_flight() {
                self.turn().await?;
            }
            Ok(())
        });
        if let Ok(recorded) = recorded.await {
            return recorded;
        }
        let open = self.keeper.in_flight();
        tracing::info!(open, "left open: whoever goes on sends them again");
        Ok(())
    }

    async fn turn(&mut self) -> Result<(), ProcessError> {
        let step = self.keeper.step().await?;
        self.say(&step);
        match step {
            Step::Worked => tokio::task::yield_now().await,
            // Running out of time is the other good end of a rest.
            Step::Idle => drop(timeout(self.nap, self.keeper.wait()).await),
            Step::Pause { after, .. } => drop(timeout(after, self.keeper.wait()).await),
        }
        Ok(())
    }

    /// Says whether there is a lane.
    fn say(&mut self, step: &Step) {
        self.held_up.note("requester", step);
        match (self.keeper.own(), step) {
            (Some(_), _) => self.readiness.met(LANE),
            (None, Step::Pause { obstacle: Obstacle::LeasedByAnother, .. }) => {
                self.readiness.unmet(LANE, "other requesters have all that there are");
            }
            (None, _) => self.readiness.unmet(LANE, "none yet"),
        }
    }
}

fn say_kept(why: &str) {
    tracing::info!(why, "could not give the leases back: they run out by themselves");
}
