//! The work of a requester: its reply lanes, turned until the process is to stop.

use std::time::Duration;

use catchment_bootstrap::{HeldUp, ProcessError, Readiness, Shutdown, chain};
use catchment_domain::service::{LaneKeeper, Obstacle, Step};
use tokio::time::{sleep_until, timeout};

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
    pub(crate) async fn run(mut self, shutdown: Shutdown) -> Result<(), ProcessError> {
        let mut late = shutdown.clone();
        let worked = tokio::select! {
            worked = self.work(shutdown) => Some(worked),
            () = async { sleep_until(late.asked().await).await } => None,
        };
        // What has no reply at the deadline is sent again by whoever goes on with the campaign.
        let worked = worked.unwrap_or_else(|| {
            let open = self.keeper.in_flight();
            tracing::info!(open, "left open: whoever goes on sends them again");
            Ok(())
        });
        match timeout(TO_SURRENDER, self.keeper.surrender()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => say_kept(&chain(&error)),
            Err(_) => say_kept("the database did not answer in time"),
        }
        worked
    }

    /// Works until the process is to stop and the replies that are under way are recorded. Only
    /// a rest is broken off: nobody would know what became of a step.
    async fn work(&mut self, mut shutdown: Shutdown) -> Result<(), ProcessError> {
        while shutdown.deadline().is_none() {
            let step = self.step().await?;
            shutdown.unless_asked(self.rest(step)).await;
        }
        self.keeper.stop_sending();
        while 0 < self.keeper.in_flight() {
            let step = self.step().await?;
            self.rest(step).await;
        }
        Ok(())
    }

    async fn step(&mut self) -> Result<Step, ProcessError> {
        let step = self.keeper.step().await?;
        self.say(&step);
        Ok(step)
    }

    /// What comes between two steps.
    async fn rest(&mut self, step: Step) {
        // Running out of time is the other good end of a rest.
        match step {
            Step::Worked => tokio::task::yield_now().await,
            Step::Idle => drop(timeout(self.nap, self.keeper.wait()).await),
            Step::Pause { after, .. } => drop(timeout(after, self.keeper.wait()).await),
        }
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
