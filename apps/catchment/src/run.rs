//! Runs a campaign to its goal. On an embedded database, the engine of this process runs the
//! campaign if this process gets the lock. Otherwise this process watches the one that has the
//! lock, ready to take over. On a server's database, requester and consumer are separate processes,
//! and a command only watches.

mod interrupts;
pub(crate) mod stall;

use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use catchment_domain::ports::{OutcomeFilter, Tallies};
use catchment_domain::{Campaign, CampaignError, Phase, Revision, Slot, Status};

pub(crate) use self::interrupts::Interrupts;
use self::stall::Stall;
use crate::commands::Context;
use crate::engine::{Engine, EngineLock};
use crate::report::{Finished, Wait};
use crate::watch::{Bar, Goal, Standing, is_over};

/// How long requests under way may take after an interrupt. The next process that runs the campaign
/// sends unanswered requests again, for example after a full disk.
const DRAIN: Duration = Duration::from_secs(5);
/// How often a campaign's state is read.
#[derive(Clone, Copy, Debug)]
struct Pace {
    /// The time between two reads of its state.
    look: Duration,
    /// After how many reads the bar is drawn.
    looks_a_draw: u32,
    /// After how many reads its outcomes are counted, which reads all of them.
    looks_a_count: u32,
}

impl Pace {
    /// Reading a file costs next to nothing.
    const EMBEDDED: Self =
        Self { look: Duration::from_millis(10), looks_a_draw: 20, looks_a_count: 20 };
    /// Many processes may watch one server.
    const SERVER: Self =
        Self { look: Duration::from_millis(500), looks_a_draw: 1, looks_a_count: 10 };
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

    /// Returns how many seconds have passed since then.
    pub(crate) fn seconds(&self) -> f64 {
        self.at.elapsed().as_secs_f64()
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
    context.stores.rest().await;
    let pace = if context.stores.is_embedded() { Pace::EMBEDDED } else { Pace::SERVER };
    let (engine, tallies, bar) = (None, None, Bar::new());
    let mut drive = Drive { context, revision, goal, pace, engine, tallies, bar };
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
    let standing = Standing::read(&*context.stores.campaigns, revision).await?;
    let campaigns = &*context.stores.campaigns;
    let unknown_alone = standing.misses_unknown_shops_alone(campaigns, goal).await?;
    Ok(Finished { standing, seconds: at.elapsed().as_secs_f64(), wait, unknown_alone })
}

struct Drive<'a> {
    context: &'a Context,
    revision: Revision,
    goal: Goal,
    pace: Pace,
    engine: Option<Engine>,
    /// Its outcomes as they were counted last.
    tallies: Option<Tallies>,
    bar: Bar,
}

impl Drive<'_> {
    /// Waits, and returns why the wait ended.
    async fn go_on(&mut self, interrupts: &mut Interrupts) -> anyhow::Result<Wait> {
        let mut stall = Stall::new(Instant::now());
        for look in 0_u32.. {
            let campaign = self.look(look).await?;
            if stall.is_noticed(campaign.state.open(), Instant::now()) {
                self.check_damage().await?;
                self.check_lanes()?;
                self.bar.say(stall::why(campaign.reply_lane, self.context.stores.is_embedded()));
            }
            if self.is_done(&campaign).await? {
                break;
            }
            tokio::select! {
                () = tokio::time::sleep(self.pace.look) => {}
                () = interrupts.asked() => return self.drain(interrupts).await,
                error = failure(&mut self.engine) => return Err(error),
            }
        }
        Ok(Wait::Through)
    }

    /// Takes the engine over if no process has it, and reads the state of the campaign.
    async fn look(&mut self, look: u32) -> anyhow::Result<Campaign> {
        let Context { settings, stores, .. } = self.context;
        if self.engine.is_none()
            && let Some(lock) = EngineLock::try_take(stores)?
        {
            self.engine = Some(Engine::start(settings, stores, lock));
        }
        let campaign = stores.campaigns.get(self.revision).await?;
        let campaign = campaign.ok_or(CampaignError::Unknown(self.revision))?;
        if self.bar.is_seen() && look.is_multiple_of(self.pace.looks_a_draw) {
            let tallies = match self.tallies {
                Some(tallies) if !look.is_multiple_of(self.pace.looks_a_count) => tallies,
                _ => stores.campaigns.tallies(self.revision).await?.found,
            };
            self.tallies = Some(tallies);
            let in_flight = self.engine.as_ref().map(|engine| engine.status().in_flight);
            let tally = self.goal.tally(&tallies);
            self.bar.show(&campaign, tally, in_flight, stores.clock.now());
        }
        Ok(campaign)
    }

    /// Fails if a part of the campaign cannot be read, because such a campaign cannot finish.
    async fn check_damage(&self) -> anyhow::Result<()> {
        // The filter makes this read every chunk, but hardly any shop has this outcome.
        let filter =
            OutcomeFilter { phase: Phase::Activation, status: Some(Slot::Closed(Status::Failed)) };
        let campaigns = &self.context.stores.campaigns;
        let outcomes = campaigns.outcomes(self.revision, filter, 0, usize::MAX).await?;
        match outcomes.damaged.first() {
            None => Ok(()),
            Some(damage) => Err(anyhow!("{damage}; `catchment repair` mends what can be mended")),
        }
    }

    /// Fails if a lane is set aside, because its shops cannot finish.
    fn check_lanes(&self) -> anyhow::Result<()> {
        match self.engine.as_ref().and_then(Engine::set_aside) {
            None => Ok(()),
            Some((lane, cause)) => {
                Err(anyhow!("lane {lane} is set aside, and a human must look: {cause}"))
            }
        }
    }

    async fn is_done(&self, campaign: &Campaign) -> anyhow::Result<bool> {
        let has_open = self.engine.as_ref().is_some_and(|engine| engine.status().has_open);
        if has_open || !is_over(campaign, self.goal) {
            return Ok(false);
        }
        // A replaced campaign ends only after this one, because it may have shops that this one
        // does not.
        let Some(replaced) = campaign.replaces else { return Ok(true) };
        let replaced = self.context.stores.campaigns.get(replaced.campaign.revision).await?;
        Ok(replaced.is_none_or(|replaced| is_over(&replaced, Goal::Ended)))
    }

    /// Stops sending, and waits for the answers to the requests under way.
    async fn drain(&mut self, interrupts: &mut Interrupts) -> anyhow::Result<Wait> {
        let Some(engine) = &mut self.engine else { return Ok(Wait::Left) };
        let deadline = tokio::time::Instant::now() + DRAIN;
        engine.stop_sending();
        self.bar.say("stopping after what is under way; once more stops at once");
        while 0 < engine.status().in_flight {
            tokio::select! {
                () = tokio::time::sleep(self.pace.look) => {}
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
