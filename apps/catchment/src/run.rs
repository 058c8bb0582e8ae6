//! Runs a campaign to its goal. On an embedded database, the engine of this process runs the
//! campaign if this process gets the lock. Otherwise this process watches the one that has the
//! lock, ready to take over. On a server's database, requester and consumer are separate processes,
//! and a command only watches.

mod interrupts;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use catchment_application::{
    BoxFuture, CampaignProgress, Goal, Pace, ProgressHub, Runtime, Subscription, campaign_progress,
};
use catchment_bootstrap::engine::{Engine, EngineLock};
use catchment_bootstrap::stores::Stores;
use catchment_domain::{Revision, Timestamp};

pub(crate) use self::interrupts::Interrupts;
use crate::commands::Context;
use crate::report::Finished;
use crate::watch::{Bar, why_stalled};

/// How long requests under way may take after an interrupt. The next process that runs the campaign
/// sends unanswered requests again, for example after a full disk.
const DRAIN: Duration = Duration::from_secs(5);
/// How often the bar is drawn.
const DRAW: Duration = Duration::from_millis(200);

/// Reading a file costs next to nothing.
pub(crate) const FAST: Pace =
    Pace { look: Duration::from_millis(10), count: Duration::from_secs(1) };
/// Many processes may watch one server.
const SLOW: Pace = Pace { look: Duration::from_millis(500), count: Duration::from_secs(5) };

/// Why the wait for a campaign ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// The campaign has reached its goal.
    Through,
    /// The user interrupted the wait, and so stopped the campaign, which this process ran.
    Stopped,
    /// The user interrupted the wait. Other processes go on with the campaign.
    Left,
}

/// A command that has begun to change something, with its interrupts.
pub(crate) struct Begun {
    at: Instant,
    interrupts: Interrupts,
}

impl Begun {
    /// Starts the time, and takes interrupts from now on.
    ///
    /// # Errors
    ///
    /// When the operating system cannot deliver interrupts.
    pub(crate) fn now() -> anyhow::Result<Self> {
        let interrupts = Interrupts::listen().context("could not listen to interrupts")?;
        Ok(Self { at: Instant::now(), interrupts })
    }

    /// Returns how long ago that was.
    pub(crate) fn elapsed(&self) -> Duration {
        self.at.elapsed()
    }
}

/// Waits until a campaign has reached its goal. If this process runs the engine, it also finishes
/// what a killed process left open.
///
/// The first interrupt stops sending, and waits for the requests under way. The second one ends the
/// wait at once. If other processes do the work, the first interrupt ends the wait.
///
/// # Errors
///
/// When the engine or the database fails.
pub(crate) async fn drive(
    context: &Context,
    revision: Revision,
    goal: Goal,
    begun: Begun,
) -> anyhow::Result<Finished> {
    let stores = &context.stores;
    stores.rest().await;
    let pace = if stores.is_embedded() { FAST } else { SLOW };
    let progress = follow(stores, revision, pace);
    let (engine, bar) = (None, Bar::new());
    let mut drive =
        Drive { context, goal, look: pace.look, progress, engine, bar, drawn: None, told: None };
    let Begun { at, mut interrupts } = begun;
    let wait = drive.go_on(&mut interrupts).await?;
    let Drive { engine, bar, .. } = drive;
    drop(bar);
    if let Some(engine) = engine {
        tokio::select! {
            () = engine.stop() => {}
            () = interrupts.insisted() => {}
        }
    }
    let progress = campaign_progress(&*stores.campaigns, revision).await?;
    Ok(Finished { progress, waited: at.elapsed(), wait })
}

/// Follows a campaign.
pub(crate) fn follow(stores: &Stores, revision: Revision, pace: Pace) -> Subscription {
    let (campaigns, clock) = (Arc::clone(&stores.campaigns), Arc::clone(&stores.clock));
    ProgressHub::new(campaigns, clock, Arc::new(Tokio), pace).subscribe(revision)
}

/// The runtime of this process.
struct Tokio;

impl Runtime for Tokio {
    fn spawn(&self, poller: BoxFuture) {
        tokio::spawn(poller);
    }

    fn sleep(&self, time: Duration) -> BoxFuture {
        Box::pin(tokio::time::sleep(time))
    }
}

struct Drive<'a> {
    context: &'a Context,
    goal: Goal,
    look: Duration,
    progress: Subscription,
    engine: Option<Engine>,
    bar: Bar,
    /// When the bar was drawn.
    drawn: Option<Instant>,
    /// The stall that the user was told of.
    told: Option<Timestamp>,
}

impl Drive<'_> {
    /// Waits, and returns why the wait ended.
    async fn go_on(&mut self, interrupts: &mut Interrupts) -> anyhow::Result<Wait> {
        self.take_over()?;
        let mut progress = self.progress.changed().await?;
        loop {
            self.tell_stall(&progress)?;
            self.draw(&progress);
            let has_open = self.engine.as_ref().is_some_and(|engine| engine.status().has_open);
            if !has_open && progress.has_reached(self.goal) {
                return Ok(Wait::Through);
            }
            tokio::select! {
                changed = self.progress.changed() => progress = changed?,
                () = tokio::time::sleep(self.look) => {}
                () = interrupts.asked() => return self.drain(interrupts).await,
                error = failure(&mut self.engine) => return Err(error),
            }
            self.take_over()?;
        }
    }

    /// Takes the engine over if no process has it.
    fn take_over(&mut self) -> anyhow::Result<()> {
        let Context { settings, stores, .. } = self.context;
        if self.engine.is_none()
            && let Some(lock) = EngineLock::try_take(stores)?
        {
            self.engine = Some(Engine::start(settings, stores, lock));
        }
        Ok(())
    }

    /// Tells the user once that the campaign makes no progress.
    ///
    /// # Errors
    ///
    /// When a part of the campaign cannot be read, or a lane is set aside, because the campaign
    /// cannot finish then.
    fn tell_stall(&mut self, progress: &CampaignProgress) -> anyhow::Result<()> {
        if self.told == progress.stalled_since {
            return Ok(());
        }
        self.told = progress.stalled_since;
        if self.told.is_none() {
            return Ok(());
        }
        if let Some(damage) = progress.damaged.first() {
            return Err(anyhow!("{damage}; `catchment repair` mends what can be mended"));
        }
        if let Some((lane, cause)) = self.engine.as_ref().and_then(Engine::set_aside) {
            return Err(anyhow!("lane {lane} is set aside, and a human must look: {cause}"));
        }
        let is_embedded = self.context.stores.is_embedded();
        self.bar.say(why_stalled(progress.campaign.reply_lane, is_embedded));
        Ok(())
    }

    fn draw(&mut self, progress: &CampaignProgress) {
        let is_due = self.drawn.is_none_or(|drawn| DRAW <= drawn.elapsed());
        if self.bar.is_seen() && is_due {
            let in_flight = self.engine.as_ref().map(|engine| engine.status().in_flight);
            let now = self.context.stores.clock.now();
            self.bar.show(&progress.campaign, progress.tally(self.goal), in_flight, now);
            self.drawn = Some(Instant::now());
        }
    }

    /// Stops sending, and waits for the answers to the requests under way.
    async fn drain(&mut self, interrupts: &mut Interrupts) -> anyhow::Result<Wait> {
        let Some(engine) = &mut self.engine else { return Ok(Wait::Left) };
        let deadline = tokio::time::Instant::now() + DRAIN;
        engine.stop_sending();
        self.bar.say("stopping after what is under way; once more stops at once");
        while 0 < engine.status().in_flight {
            tokio::select! {
                () = tokio::time::sleep(self.look) => {}
                () = interrupts.insisted() => break,
                () = tokio::time::sleep_until(deadline) => break,
                error = engine.failure() => return Err(error),
            }
        }
        Ok(Wait::Stopped)
    }
}

/// Waits for the failure of the engine, or for ever if there is no engine.
pub(crate) async fn failure(engine: &mut Option<Engine>) -> anyhow::Error {
    match engine {
        Some(engine) => engine.failure().await,
        None => std::future::pending().await,
    }
}
