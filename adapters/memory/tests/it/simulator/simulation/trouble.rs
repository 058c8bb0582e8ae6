//! What goes wrong, and what more there is to do meanwhile.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Simulation;
use crate::simulator::actors;
use crate::simulator::coverage::Met;
use crate::simulator::params::Rates;
use crate::simulator::process::{Process, Role};
use crate::simulator::ready;

impl Simulation {
    /// Lets faults happen, and more work.
    pub(super) fn cause_trouble(&mut self) {
        let Rates { crash, freeze, clock, blackout, stop, truncate, .. } =
            self.world.params.rates.clone();
        let Rates { copies, clients, imports, .. } = self.world.params.rates.clone();
        let happens = |rate| self.world.dice.chance(rate);
        let [crash, freeze, clock, blackout, stop, truncate] =
            [crash, freeze, clock, blackout, stop, truncate].map(happens);
        let more = [
            (copies * 100, Role::Copier),
            (copies * 30, Role::Forger),
            (clients * 100, Role::Client),
            (imports * 30, Role::Importer),
            (clients * 10, Role::Auditor),
        ];
        let more = more.map(|(rate, role)| happens(rate).then_some(role));
        if crash {
            self.crash_one();
        }
        if freeze {
            self.freeze_one();
        }
        if clock {
            self.step_clock();
        }
        if blackout {
            self.black_out();
        }
        if stop {
            self.stop_one();
        }
        if truncate {
            ready(actors::lose_replies(&self.world));
        }
        more.into_iter().flatten().for_each(|role| self.spawn(role));
    }

    /// A service that is up.
    fn any_service(&self) -> Option<usize> {
        let is_up = |process: &Process| process.role.is_service() && process.is_up();
        let up: Vec<usize> =
            (0..self.processes.len()).filter(|i| is_up(&self.processes[*i])).collect();
        (!up.is_empty()).then(|| *self.world.dice.pick(&up))
    }

    fn crash_one(&mut self) {
        let Some(index) = self.any_service() else { return };
        let pause = Duration::from_millis(self.world.dice.below(1_500));
        let process = &mut self.processes[index];
        process.crash(self.now + pause);
        let mut witness = self.world.witness();
        witness.coverage.met(Met::Crash);
        witness.note(|| format!("{:?} crashes", process.role));
    }

    /// Stops a process in the midst of what it does. At times another takes its place before
    /// it goes on.
    fn freeze_one(&mut self) {
        let Some(index) = self.any_service() else { return };
        let pause = Duration::from_millis(*self.world.dice.pick(&[5, 50, 500, 3_000, 10_000]));
        let process = &mut self.processes[index];
        process.frozen = true;
        process.wakes_at = self.now + pause;
        let role = process.role;
        let consumers = self.processes.iter().filter(|process| process.role == role).count();
        let overlaps = matches!(role, Role::Consumer(_)) && consumers < 2;
        let mut witness = self.world.witness();
        witness.coverage.met(Met::Freeze);
        witness.note(|| format!("{role:?} freezes for {pause:?}"));
        if overlaps {
            witness.coverage.met(Met::Overlap);
            drop(witness);
            self.spawn(role);
        }
    }

    /// Steps a clock. After a step back old messages may come once more.
    fn step_clock(&mut self) {
        let dice = &self.world.dice;
        let step =
            Duration::from_millis(*dice.pick(&[20, 300, 3_000, 60_000, 4_000_000, 8_000_000]));
        let clocks = [&self.world.store_clock, &self.world.store_clock, &self.world.process_clock];
        let clock = dice.pick(&clocks);
        let back = dice.chance(5_000);
        if back {
            self.world.step_back(clock, step);
        } else {
            clock.advance(step);
        }
        let mut witness = self.world.witness();
        witness.coverage.met(if back { Met::ClockBack } else { Met::ClockForward });
        witness.note(|| format!("a clock steps {step:?}, back: {back}"));
        drop(witness);
        if back && 0 < self.world.params.rates.copies {
            self.spawn(Role::Copier);
            self.spawn(Role::Copier);
        }
    }

    /// Every process crashes at once, and with them a log in memory.
    fn black_out(&mut self) {
        self.world.witness().note(|| "everything crashes".into());
        self.world.witness().coverage.met(Met::Blackout);
        self.processes.retain(|process| process.role.is_service() || !process.role.needs_log());
        for process in self.processes.iter_mut().filter(|process| process.role.is_service()) {
            let pause = Duration::from_millis(self.world.dice.below(500));
            process.crash(self.now + pause);
        }
        if self.world.params.passing {
            self.world.begin_new_log();
        }
    }

    fn stop_one(&self) {
        let Some(index) = self.any_service() else { return };
        self.processes[index].gate.stop.store(true, Ordering::Relaxed);
        let mut witness = self.world.witness();
        witness.coverage.met(Met::OrderlyStop);
        witness.note(|| format!("{:?} is asked to stop", self.processes[index].role));
    }

    /// The faults stop: what is frozen goes on, and one consumer of each lane stays.
    pub(super) fn end_trouble(&mut self) {
        self.world.calm_down();
        for process in &mut self.processes {
            process.wakes_at = process.wakes_at.min(self.now);
        }
        for _ in 0..40 {
            if self.turn().is_err() {
                return;
            }
        }
        let mut seen = Vec::new();
        self.processes.retain(|process| {
            let extra = matches!(process.role, Role::Consumer(_)) && seen.contains(&process.role);
            seen.push(process.role);
            !extra
        });
        if self.world.params.one_stays_dead {
            // What it left open is somebody else's now.
            self.processes.retain(|process| process.role != Role::Requester(0));
        }
    }
}
