//! The work of a requester: it steps its reply lanes until the process has to stop.

use std::time::Duration;

use catchment_bootstrap::{
    HeldUp, ProcessError, Readiness, SaidDamage, Shutdown, Stepper, chain, drive, reasons,
};
use catchment_domain::service::{LaneKeeper, Obstacle, Step};
use catchment_kafka::KafkaReplyLog;
use tokio::time::{Instant, sleep_until, timeout};

use crate::standstill::Standstill;

/// The readiness condition that this process has a reply lane of its own.
pub(crate) const LANE: &str = "reply lane";
/// The readiness condition that the campaigns of this process's reply lanes are not held up.
pub(crate) const CAMPAIGNS: &str = "campaigns";

/// How often to update the readiness of the campaigns.
const LOOK: Duration = Duration::from_secs(1);

/// How long giving the leases back may take. Leases that stay run out by themselves.
const TO_SURRENDER: Duration = Duration::from_millis(300);

/// A requester at work.
pub(crate) struct Work {
    keeper: LaneKeeper,
    /// How long to wait for replies before looking for campaigns.
    nap: Duration,
    /// How long the campaigns may be held up.
    stalled_after: Duration,
    /// Knows what keeps a reply lane from being read.
    replies: KafkaReplyLog,
    readiness: Readiness,
    held_up: HeldUp,
    standstill: Standstill,
    damage: SaidDamage,
    told_at: Option<Instant>,
}

impl Work {
    pub(crate) fn new(
        (keeper, replies): (LaneKeeper, KafkaReplyLog),
        (nap, stalled_after): (Duration, Duration),
        readiness: Readiness,
    ) -> Self {
        Self {
            keeper,
            nap,
            stalled_after,
            replies,
            readiness,
            held_up: HeldUp::default(),
            standstill: Standstill::default(),
            damage: SaidDamage::default(),
            told_at: None,
        }
    }

    /// Works until the process has to stop. Then sends nothing more, records the replies that are
    /// under way, and gives the lanes back.
    pub(crate) async fn run(mut self, shutdown: Shutdown) -> Result<(), ProcessError> {
        let mut late = shutdown.clone();
        let worked = tokio::select! {
            worked = self.work(&shutdown) => Some(worked),
            () = async { sleep_until(late.asked().await).await } => None,
        };
        // The next requester of the campaign sends the requests again that have no reply at the
        // deadline.
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

    /// Works until the process has to stop and the replies that are under way are recorded.
    async fn work(&mut self, shutdown: &Shutdown) -> Result<(), ProcessError> {
        let (nap, mut deadline) = (self.nap, shutdown.signal());
        drive(self, (nap, &mut deadline), |work, deadline| {
            if deadline.is_some() {
                work.keeper.stop_sending();
            }
            deadline.is_none() || 0 < work.keeper.in_flight()
        })
        .await
    }

    /// Updates the readiness conditions.
    fn report(&mut self, step: &Step) {
        self.held_up.note("requester", step);
        self.damage.note(self.keeper.damaged());
        self.update_readiness(step, Instant::now());
        match (self.keeper.own(), step) {
            (Some(_), _) => self.readiness.met(LANE),
            (None, Step::Pause { obstacle: Obstacle::LeasedByAnother, .. }) => {
                self.readiness.unmet(LANE, "other requesters have all that there are");
            }
            (None, _) => self.readiness.unmet(LANE, "none yet"),
        }
    }

    fn update_readiness(&mut self, step: &Step, now: Instant) {
        if let Step::Pause { after, obstacle } = step {
            match obstacle {
                // This is normal if there are more requesters than lanes.
                Obstacle::LeasedByAnother
                // The lanes that are set aside are named below.
                | Obstacle::SetAside { .. }
                // This obstacle is already over.
                | Obstacle::RepliesLost { .. } => {}
                Obstacle::Fenced | Obstacle::Unavailable(_) | Obstacle::Unsent { .. } => {
                    self.standstill.meets(chain(obstacle), *after, now);
                }
            }
        }
        if self.told_at.is_some_and(|at| now < at + LOOK) {
            return;
        }
        self.told_at = Some(now);
        let held_up = self.standstill.lasts(self.stalled_after, now).map(ToOwned::to_owned);
        let set_aside = self.keeper.lanes_set_aside().map(|(lane, why)| {
            format!("reply lane {lane} is set aside, and a human must look: {}", chain(why))
        });
        let damaged = self.keeper.damaged().map(|damage| format!("left out: {damage}"));
        let reasons = held_up.into_iter().chain(self.unread(now)).chain(set_aside).chain(damaged);
        match reasons::join(reasons) {
            None => self.readiness.met(CAMPAIGNS),
            Some(reason) => self.readiness.unmet(CAMPAIGNS, reason),
        }
    }

    /// Returns what has kept this process's reply lanes from being read for too long.
    fn unread(&self, now: Instant) -> Vec<String> {
        let troubles = self.keeper.leased().filter_map(|lane| {
            let trouble = self.replies.reader().trouble(lane.0.into())?;
            let lasts = self.stalled_after <= now.saturating_duration_since(trouble.since.into());
            lasts.then(|| format!("reply lane {lane}: {}", trouble.cause))
        });
        troubles.collect()
    }
}

impl Stepper for Work {
    type Error = ProcessError;

    async fn step(&mut self) -> Result<Step, ProcessError> {
        let step = self.keeper.step().await?;
        self.report(&step);
        Ok(step)
    }

    async fn wait(&mut self) {
        self.keeper.wait().await;
    }

    /// What is being sent goes on in a pause, too.
    async fn wait_in_pause(&mut self) {
        self.keeper.wait().await;
    }
}

fn say_kept(why: &str) {
    tracing::info!(why, "could not give the leases back: they run out by themselves");
}
