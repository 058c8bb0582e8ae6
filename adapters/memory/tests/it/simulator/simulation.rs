//! One run: a scheduler that goes on with any process it likes, and what goes wrong meanwhile.

mod standstill;
mod trouble;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use catchment_domain::Lane;

use crate::simulator::actors::{self, Exit};
use crate::simulator::coverage::{Coverage, Met};
use crate::simulator::gate::{Point, Verdict};
use crate::simulator::process::{Process, Role};
use crate::simulator::ready;
use crate::simulator::truth;
use crate::simulator::witness::Broken;
use crate::simulator::world::World;

/// The most polls until everything is at rest once the faults have stopped.
const PATIENCE: u64 = 40_000;

/// How a run ended.
pub(crate) struct Report {
    pub(crate) broken: Option<Broken>,
    pub(crate) coverage: Coverage,
    pub(crate) digest: u64,
    pub(crate) trace: Vec<String>,
    pub(crate) world: String,
}

/// Runs a seed to its end.
pub(crate) fn run(seed: u64, traced: bool) -> Report {
    let world = World::new(seed, traced);
    let mut simulation = Simulation::new(Arc::clone(&world));
    let ended = simulation.run();
    let mut witness = world.witness();
    let broken = witness.verdict().or(ended.err());
    witness.coverage.met(Met::Run);
    Report {
        broken,
        coverage: witness.coverage.clone(),
        digest: witness.digest(),
        trace: witness.trace(),
        world: format!("{:?}", world.params),
    }
}

struct Simulation {
    world: Arc<World>,
    processes: Vec<Process>,
    /// Since the beginning; never steps back.
    now: Duration,
}

impl Simulation {
    fn new(world: Arc<World>) -> Self {
        let consumers = world.lanes.iter().map(Role::Consumer);
        let requesters = (0..world.params.requesters).map(Role::Requester);
        let operators = (0..world.params.operators).map(|_| Role::Operator);
        let roles = consumers.chain(requesters).chain(operators);
        let processes = roles.map(|role| Process::new(role, Duration::ZERO)).collect();
        Self { world, processes, now: Duration::ZERO }
    }

    fn run(&mut self) -> Result<(), Broken> {
        for step in 0..self.world.params.steps {
            self.cause_trouble();
            self.turn()?;
            if step % 128 == 127 {
                truth::check_all(&self.world, false);
            }
        }
        self.end_trouble();
        self.come_to_rest("after the faults")?;
        if self.world.params.one_stands_still {
            self.let_one_stand_still()?;
            self.come_to_rest("after a lane stood still")?;
        }
        // What ends by itself ends, and so does everything else.
        self.let_pass(Duration::from_mins(1));
        self.come_to_rest("after the campaigns' own end")?;
        ready(actors::end_everything(&self.world));
        self.come_to_rest("after the end of everything")?;
        ready(actors::release_again(&self.world));
        self.come_to_rest("after the last releases")?;
        self.spawn(Role::Auditor);
        self.come_to_rest("after the release of stray causes")?;
        truth::check_end(&self.world);
        if self.world.dice.chance(3_000) {
            self.echo()?;
        }
        Ok(())
    }

    /// Sends every message again, at once or after all that was released may be forgotten, and the
    /// campaigns deleted.
    fn echo(&mut self) -> Result<(), Broken> {
        if self.world.dice.chance(5_000) {
            self.let_pass(Duration::from_hours(2));
            if self.world.dice.chance(5_000) {
                ready(actors::delete_everything(&self.world));
            }
        }
        self.world.witness().coverage.met(Met::Echo);
        self.spawn(Role::Echo);
        self.come_to_rest("after every message was sent again")?;
        truth::check_end(&self.world);
        self.world.witness().verdict().map_or(Ok(()), Err)
    }

    /// Goes on with a process that can, or lets time pass until one can.
    fn turn(&mut self) -> Result<(), Broken> {
        let awake = |process: &Process| process.wakes_at <= self.now;
        let able: Vec<usize> =
            (0..self.processes.len()).filter(|i| awake(&self.processes[*i])).collect();
        if able.is_empty() {
            let next = self.processes.iter().map(|process| process.wakes_at).min();
            self.let_pass(next.unwrap_or_default().saturating_sub(self.now));
            return Ok(());
        }
        self.let_pass(Duration::from_millis(self.world.dice.below(3)));
        let index = *self.world.dice.pick(&able);
        self.go_on(index);
        self.world.witness().verdict().map_or(Ok(()), Err)
    }

    fn go_on(&mut self, index: usize) {
        let process = &mut self.processes[index];
        self.world.witness().mix(&[1, index as u64]);
        if !process.is_up() {
            self.world.witness().note(|| format!("{:?} starts", process.role));
            process.start(&self.world);
        }
        if std::mem::take(&mut process.frozen) {
            process.gate.thawed.store(true, Ordering::Relaxed);
            self.world.witness().note(|| format!("{:?} thaws", process.role));
        }
        let verdict = verdict(&self.world, process);
        process.gate.decide(verdict);
        if let Some(exit) = process.poll(self.now) {
            self.ended(index, &exit);
        }
        self.world.witness().coverage.met(Met::Poll);
    }

    /// A process ended by itself. A service is started again; one that gave up although it is
    /// the newest owner has found something that a human would have to look at.
    fn ended(&mut self, index: usize, exit: &Exit) {
        let process = &mut self.processes[index];
        let mut witness = self.world.witness();
        witness.note(|| format!("{:?} ended: {exit:?}", process.role));
        if let Exit::Fatal(error) = exit {
            let newest = match process.role {
                Role::Consumer(Lane(lane)) => witness.lanes[usize::from(lane)].epoch,
                _ => process.gate.epoch(),
            };
            let stale = process.gate.epoch() < newest && process.gate.epoch().0 != 0;
            let role = process.role;
            witness.check(stale, "I9", || format!("{role:?} gave up: {error:?}"));
        }
        if process.role.is_service() {
            process.crash(self.now + Duration::from_millis(100));
        } else {
            self.processes.remove(index);
        }
    }

    fn spawn(&mut self, role: Role) {
        self.processes.push(Process::new(role, self.now));
    }

    fn let_pass(&mut self, duration: Duration) {
        self.now += duration;
        self.world.pass_time(duration);
    }
    /// Turns until nothing is left to be done, and then checks everything.
    fn come_to_rest(&mut self, when: &str) -> Result<(), Broken> {
        for turn in 1..=PATIENCE {
            self.turn()?;
            if turn % 16 == 0 && self.is_at_rest() {
                truth::check_all(&self.world, true);
                return self.world.witness().verdict().map_or(Ok(()), Err);
            }
            if turn % 1_000 == 0 && self.world.stepped_back() {
                // A lease that was taken before the clock stepped back runs out that much later.
                self.let_pass(Duration::from_hours(1));
            }
        }
        let what = truth::unrest(&self.world).unwrap_or_else(|| "its own processes".into());
        Err(Broken { invariant: "I9", what: format!("no rest {when}: {what}") })
    }

    fn is_at_rest(&self) -> bool {
        self.processes.iter().all(|process| process.role.is_service())
            && truth::unrest(&self.world).is_none()
    }
}

/// Whether the call at which a process stands fails.
fn verdict(world: &World, process: &Process) -> Verdict {
    let situation = match process.gate.at() {
        Some(Point::Before(_)) => Met::Unavailable,
        Some(Point::After(_)) => Met::LostAnswer,
        Some(Point::Turn(_)) | None => return Verdict::Pass,
    };
    let fails = world.is_troubled()
        && process.role.is_service()
        && world.dice.chance(world.params.rates.fail);
    let mut witness = world.witness();
    let at = process.gate.at();
    witness.note(|| format!("{:?} {at:?}{}", process.role, if fails { " FAILS" } else { "" }));
    if fails {
        witness.coverage.met(situation);
        return Verdict::Fail;
    }
    Verdict::Pass
}
