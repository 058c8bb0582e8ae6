//! The engine: consumers and a requester over an in-memory log, in this process.
//!
//! Only one process at a time runs the engine on a database: the process that holds the operating
//! system's lock on a file beside the database. When that process ends, in whatever way, the lock
//! is free at once.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use catchment_domain::ports::{Deletions, Holder};
use catchment_domain::service::{
    ConsumerPorts, LaneConsumer, LaneRequester, RequesterPorts, RequesterTerms, Rules, SET_ASIDE,
    ServiceError, Step,
};
use catchment_domain::{Lane, Lanes, LogIdentity, ReplyLane, WindowLimits};
use catchment_memory::MemoryLog;
use catchment_seaorm::{engine_lock_of, irregular_file};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use uuid::Uuid;

use crate::database::keep_deleting;
use crate::drive::{Stepper, drive};
use crate::one_line::chain;
use crate::random;
use crate::said_damage::SaidDamage;
use crate::settings::Settings;
use crate::stores::Stores;

/// The embedded engine's only reply lane.
const REPLY_LANE: ReplyLane = ReplyLane(0);

/// The holder name of the embedded engine. Only one process at a time has the lock, so the next
/// process takes over the lease of a killed one without waiting until it runs out.
const HOLDER: Holder = Holder(Uuid::nil());

/// How long a task waits for a notice of the log before it checks by itself.
const NAP: Duration = Duration::from_millis(50);

/// How many lanes are applied in parallel: one prepares while the transaction of another runs. More
/// lanes would only wait for `SQLite`'s one writer, and the requester would wait behind them.
const WORKERS: usize = 2;

/// The right to run the engine on a database.
#[derive(Debug)]
pub struct EngineLock(#[expect(dead_code, reason = "held, never read")] File);

impl EngineLock {
    /// Takes the lock, if no other process has it and the database is an embedded one.
    ///
    /// # Errors
    ///
    /// When the file beside the database cannot be made or locked.
    pub fn try_take(stores: &Stores) -> anyhow::Result<Option<Self>> {
        let Some(database) = stores.file() else { return Ok(None) };
        let path = engine_lock_of(database)?;
        let attempt = || format!("could not lock {}", path.display());
        let file = Self::open(&path, true).with_context(attempt)?;
        Self::lock(file).with_context(attempt)
    }

    /// Takes the lock of a database that is to be replaced. If there is no lock file, no engine
    /// runs, and no lock file is made. The database itself may be missing: an engine goes on when
    /// its database is renamed.
    ///
    /// # Errors
    ///
    /// When an engine runs on the database, or the file beside it cannot be opened or locked.
    pub fn take_to_replace(database: &Path) -> anyhow::Result<Option<Self>> {
        let path = engine_lock_of(database)
            .with_context(|| format!("could not find `{}`", database.display()))?;
        let attempt = || format!("could not lock {}", path.display());
        let file = match Self::open(&path, false) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(attempt),
        };
        let Some(lock) = Self::lock(file).with_context(attempt)? else {
            bail!("`{}` is in use by another process; stop it first", database.display());
        };
        Ok(Some(lock))
    }

    /// Opens the lock file, which is empty. A pipe is refused, because opening one would wait for
    /// ever.
    fn open(path: &Path, creates: bool) -> io::Result<File> {
        if let Some(what) = irregular_file(path) {
            return Err(io::Error::other(format!("it is {what}, where a regular file must be")));
        }
        File::options().create(creates).truncate(false).write(true).open(path)
    }

    fn lock(file: File) -> io::Result<Option<Self>> {
        match file.try_lock() {
            Ok(()) => Ok(Some(Self(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

/// The status of the engine's requester.
#[derive(Clone, Copy, Debug)]
pub struct EngineStatus {
    /// The number of requests without an answer.
    pub in_flight: u32,
    /// Whether any campaign has open slots that are not damaged.
    pub has_open: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Running,
    /// Nothing more is sent, but replies that are under way are recorded.
    Draining,
    Stopped,
}

/// The lanes that a human must look at, with the causes. Clones share them.
#[derive(Clone, Debug)]
struct SetAside {
    lanes: Lanes,
    causes: watch::Sender<BTreeMap<Lane, String>>,
}

impl SetAside {
    fn new(lanes: Lanes) -> Self {
        Self { lanes, causes: watch::Sender::default() }
    }

    /// Sets a lane aside because it cannot be worked on.
    ///
    /// # Errors
    ///
    /// When no lane can be worked on, or the lane is not the cause.
    fn meet(&self, lane: Lane, why: ServiceError) -> Result<(), ServiceError> {
        let cause = chain(&why);
        self.causes.send_modify(|causes| drop(causes.insert(lane, cause.clone())));
        let is_last = self.causes.borrow().len() == usize::from(self.lanes.count());
        if is_last || matches!(why, ServiceError::Closed) {
            return Err(why);
        }
        tracing::error!(
            lane = lane.0,
            cause,
            again_in_s = SET_ASIDE.as_secs(),
            "a human must look at a lane: it is set aside, and the others go on"
        );
        Ok(())
    }

    /// Records that a lane is worked on again.
    fn over(&self, lane: Lane) {
        self.causes.send_if_modified(|causes| causes.remove(&lane).is_some());
    }

    /// Returns a lane that is set aside, and why.
    fn first(&self) -> Option<(Lane, String)> {
        self.causes.borrow().first_key_value().map(|(lane, cause)| (*lane, cause.clone()))
    }
}

/// A running engine: consumers and a requester.
#[derive(Debug)]
pub struct Engine {
    phase: watch::Sender<Phase>,
    status: watch::Receiver<EngineStatus>,
    set_aside: SetAside,
    tasks: JoinSet<Result<(), ServiceError>>,
    _lock: EngineLock,
}

impl Engine {
    /// Starts the engine. When the engine stops, the lock is released.
    #[must_use]
    pub fn start(settings: &Settings, stores: &Stores, lock: EngineLock) -> Self {
        let lanes = stores.shops.lanes();
        let identity = LogIdentity { id: random::log_id(), lasting: false };
        // Requests under way in a lane are limited, so only requests that were sent again can fill
        // it.
        let limits = WindowLimits::new(lanes);
        let log = Arc::new(MemoryLog::new(lanes, 1, limits.lane as usize, identity));
        let (phase, phases) = watch::channel(Phase::Running);
        let mut tasks = JoinSet::new();

        let ports = ConsumerPorts {
            ledger: Arc::clone(&stores.ledger),
            log: Arc::<MemoryLog>::clone(&log),
            replies: Arc::<MemoryLog>::clone(&log),
        };
        let Settings { policy, engine, .. } = settings;
        let rules = Arc::new(Rules { policy: policy.clone(), lanes, batch: engine.batch });
        let turns = Arc::new(Semaphore::new(WORKERS));
        let set_aside = SetAside::new(lanes);
        for lane in lanes.iter() {
            let consumer = LaneConsumer::new(lane, ports.clone(), Arc::clone(&rules));
            let (turns, set_aside) = (Arc::clone(&turns), set_aside.clone());
            let work = LaneWork { lane, consumer, turns, set_aside, is_claimed: false };
            tasks.spawn(consume(work, phases.clone()));
        }

        let ports = RequesterPorts {
            reply_lanes: Arc::clone(&stores.reply_lanes),
            ledger: Arc::clone(&stores.campaign_ledger),
            lanes: Arc::clone(&stores.restores),
            commits: Arc::<MemoryLog>::clone(&log),
            requests: Arc::<MemoryLog>::clone(&log),
            replies: log,
            clock: Arc::clone(&stores.clock),
        };
        let terms = RequesterTerms {
            lease: engine.lease,
            look: engine.look,
            resend: engine.resend,
            limits,
        };
        let requester = LaneRequester::new(REPLY_LANE, HOLDER, ports, terms);
        let (report, status) = watch::channel(EngineStatus { in_flight: 0, has_open: true });
        let kept = settings.database.campaigns_kept;
        tasks.spawn(delete_old(Arc::clone(&stores.deletions), kept, phases.clone()));
        let requesting = Requesting { requester, report, said: SaidDamage::default() };
        tasks.spawn(request(requesting, phases));
        Self { phase, status, set_aside, tasks, _lock: lock }
    }

    /// Returns the status of the requester.
    #[must_use]
    pub fn status(&self) -> EngineStatus {
        *self.status.borrow()
    }

    /// Returns a lane that a human must look at, and why.
    #[must_use]
    pub fn set_aside(&self) -> Option<(Lane, String)> {
        self.set_aside.first()
    }

    /// Stops sending. Replies that are under way are still recorded.
    pub fn stop_sending(&self) {
        self.phase.send_replace(Phase::Draining);
    }

    /// Waits until the engine cannot go on, and returns the reason.
    pub async fn failure(&mut self) -> anyhow::Error {
        loop {
            match self.tasks.join_next().await {
                Some(Ok(Ok(()))) => {}
                Some(Ok(Err(error))) => return error.into(),
                Some(Err(error)) => return error.into(),
                None => std::future::pending().await,
            }
        }
    }

    /// Stops the engine after its current steps.
    pub async fn stop(mut self) {
        self.phase.send_replace(Phase::Stopped);
        while self.tasks.join_next().await.is_some() {}
    }
}

/// The work on one lane.
struct LaneWork {
    lane: Lane,
    consumer: LaneConsumer,
    turns: Arc<Semaphore>,
    set_aside: SetAside,
    is_claimed: bool,
}

impl Stepper for LaneWork {
    type Error = ServiceError;

    async fn step(&mut self) -> Result<Step, ServiceError> {
        let turn = self.turns.acquire().await;
        let step = self.consumer.step().await?;
        drop(turn);
        // A claim alone is no success: the next step may fail as before.
        if self.is_claimed {
            self.set_aside.over(self.lane);
        }
        self.is_claimed = true;
        say_pause(&step);
        Ok(step)
    }

    async fn wait(&mut self) {
        self.consumer.wait().await;
    }
}

/// Steps a consumer until the engine stops.
async fn consume(
    mut work: LaneWork,
    mut phase: watch::Receiver<Phase>,
) -> Result<(), ServiceError> {
    let goes_on = |_: &mut LaneWork, phase: &Phase| *phase != Phase::Stopped;
    while let Err(error) = drive(&mut work, (NAP, &mut phase), goes_on).await {
        work.set_aside.meet(work.lane, error)?;
        work.is_claimed = false;
        // A timeout is fine: the lane is tried again.
        let _ = timeout(SET_ASIDE, phase.changed()).await;
    }
    if let Err(error) = work.consumer.finish().await {
        tracing::warn!(error = chain(&error), "the last replies will be sent again");
    }
    Ok(())
}

/// The work of the requester.
struct Requesting {
    requester: LaneRequester,
    report: watch::Sender<EngineStatus>,
    said: SaidDamage,
}

impl Stepper for Requesting {
    type Error = ServiceError;

    async fn step(&mut self) -> Result<Step, ServiceError> {
        let step = self.requester.step().await?;
        self.said.note(self.requester.damaged());
        let (in_flight, has_open) = (self.requester.in_flight(), self.requester.has_open());
        self.report.send_replace(EngineStatus { in_flight, has_open });
        say_pause(&step);
        Ok(step)
    }

    async fn wait(&mut self) {
        self.requester.wait().await;
    }
}

/// Steps the requester until the engine stops.
async fn request(
    mut work: Requesting,
    mut phase: watch::Receiver<Phase>,
) -> Result<(), ServiceError> {
    let goes_on = |work: &mut Requesting, phase: &Phase| {
        if *phase == Phase::Draining {
            work.requester.stop_sending();
        }
        *phase != Phase::Stopped
    };
    drive(&mut work, (NAP, &mut phase), goes_on).await?;
    if let Err(error) = work.requester.surrender().await {
        tracing::warn!(error = chain(&error), "the lease is kept until it runs out");
    }
    Ok(())
}

fn say_pause(step: &Step) {
    if let Step::Pause { obstacle, .. } = step {
        tracing::warn!(error = chain(obstacle), "the engine pauses");
    }
}

/// Deletes the campaigns whose retention has passed, until the engine stops.
async fn delete_old(
    deletions: Arc<dyn Deletions>,
    kept: Option<Duration>,
    mut phase: watch::Receiver<Phase>,
) -> Result<(), ServiceError> {
    tokio::select! {
        () = keep_deleting(deletions, kept) => {}
        _ = phase.wait_for(|phase| *phase == Phase::Stopped) => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU16;

    use catchment_domain::ports::ShopLedger;
    use catchment_domain::{Policy, Radius};
    use catchment_memory::MemoryStore;

    use super::*;
    use crate::clock::SystemClock;

    const LANE: Lane = Lane(0);

    /// Works on this many lanes, of which the first belongs to another log. Returns how the work
    /// ends, and the lane that is shown as set aside meanwhile.
    async fn worked(lanes: u16) -> (Result<(), ServiceError>, Option<(Lane, String)>) {
        let lanes = Lanes(NonZeroU16::new(lanes).unwrap());
        let hour = Duration::from_hours(1);
        let store = Arc::new(MemoryStore::new(lanes, Arc::new(SystemClock), hour));
        let identity = |id, lasting| LogIdentity { id, lasting };
        store.claim(LANE, identity(1, true), None).await.unwrap();
        let log = Arc::new(MemoryLog::new(lanes, 1, 100, identity(2, false)));
        let replies = Arc::<MemoryLog>::clone(&log);
        let ports = ConsumerPorts { ledger: store, log, replies };
        let policy = Policy { floor: Radius::CLOSED, triggers: BTreeMap::new() };
        let consumer = LaneConsumer::new(LANE, ports, Arc::new(Rules { policy, lanes, batch: 10 }));
        let (phase, phases) = watch::channel(Phase::Running);
        let set_aside = SetAside::new(lanes);
        let mut causes = set_aside.causes.subscribe();
        let (turns, met) = (Arc::new(Semaphore::new(1)), set_aside.clone());
        let work = LaneWork { lane: LANE, consumer, turns, set_aside: met, is_claimed: false };
        let work = tokio::spawn(consume(work, phases));
        causes.changed().await.unwrap();
        let first = set_aside.first();
        phase.send_replace(Phase::Stopped);
        (work.await.unwrap(), first)
    }

    #[tokio::test]
    async fn a_lane_at_which_a_human_must_look_is_set_aside_unless_there_is_no_other() {
        let (ended, set_aside) = worked(2).await;
        assert!(ended.is_ok(), "{ended:?}");
        assert_eq!(set_aside.map(|(lane, _)| lane), Some(LANE));
        let (ended, _) = worked(1).await;
        assert!(matches!(ended, Err(ServiceError::Refused { .. })), "{ended:?}");
    }
}
