//! A lane whose consumer stands still for long: everything in the other lanes is answered all the
//! same, and soon, and no more requests wait than may.

use std::time::Duration;

use catchment_domain::{Lane, Scope};

use super::{PATIENCE, Simulation};
use crate::simulator::actors;
use crate::simulator::coverage::Met;
use crate::simulator::process::Role;
use crate::simulator::ready;
use crate::simulator::truth;
use crate::simulator::witness::Broken;

/// How long the lane stands still at most.
const STANDSTILL: Duration = Duration::from_hours(1);

/// How long it may take until everything in the other lanes is answered: less than until anything
/// is sent again.
const SOON: Duration = Duration::from_secs(8);

impl Simulation {
    /// Lets a lane stand still, starts campaigns that ask more of it than may be under way, and
    /// then one in the other lanes.
    pub(super) fn let_one_stand_still(&mut self) -> Result<(), Broken> {
        let lanes: Vec<Lane> = self.world.lanes.iter().collect();
        let lane = *self.world.dice.pick(&lanes);
        self.world.witness().coverage.met(Met::StandsStill);
        self.world.witness().note(|| format!("lane {lane} stands still"));
        self.wake_consumers(lane, self.now + STANDSTILL);
        for _ in 0..self.world.dice.between(2, 4) {
            ready(actors::start_over(&self.world, Scope::everything()));
        }
        for _ in 0..self.world.dice.below(400) {
            self.turn_beside(lane)?;
        }
        ready(actors::start_over(&self.world, self.elsewhere(lane)));
        self.finish_elsewhere(lane)?;
        self.world.witness().note(|| format!("lane {lane} goes on"));
        self.wake_consumers(lane, self.now);
        Ok(())
    }

    fn wake_consumers(&mut self, lane: Lane, at: Duration) {
        for process in self.processes.iter_mut().filter(|p| p.role == Role::Consumer(lane)) {
            process.wakes_at = at;
            process.frozen = true;
        }
    }

    /// The shops of the other lanes.
    fn elsewhere(&self, lane: Lane) -> Scope {
        let shops = self.world.shops.iter().filter(|shop| self.world.lanes.lane_of(shop) != lane);
        Scope { ids: Some(shops.cloned().collect()), ..Scope::everything() }
    }

    fn turn_beside(&mut self, lane: Lane) -> Result<(), Broken> {
        self.turn()?;
        truth::check_waiting(&self.world, lane);
        self.world.witness().verdict().map_or(Ok(()), Err)
    }

    /// Turns until everything in the other lanes is answered.
    fn finish_elsewhere(&mut self, lane: Lane) -> Result<(), Broken> {
        let started = self.now;
        let mut turns = 0;
        while let Some(open) = truth::open_elsewhere(&self.world, lane) {
            self.turn_beside(lane)?;
            turns += 1;
            let took = self.now.saturating_sub(started);
            if SOON < took || PATIENCE < turns {
                let what = format!("lane {lane} stands still, and after {took:?} {open}");
                return Err(Broken { invariant: "I9", what });
            }
        }
        Ok(())
    }
}
