//! The processes: consumers and requesters as production runs them, and those who make work.

mod clients;
mod forgers;
mod operators;
mod releases;

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use catchment_domain::ports::Holder;
use catchment_domain::service::{LaneConsumer, LaneKeeper, ServiceError, Step};
use catchment_domain::{Lane, WindowLimits};
use uuid::Uuid;

use crate::simulator::coverage::Met;
use crate::simulator::gate::Gate;
use crate::simulator::gated::Ports;
use crate::simulator::world::World;

pub(crate) use clients::{call, copy, deliver_everything_again, lose_replies};
pub(crate) use forgers::forge;
pub(crate) use operators::{
    delete_everything, end_everything, import, operate, release_again, start_over,
};
pub(crate) use releases::audit;

/// How long a process waits that has nothing to do.
const IDLE: Duration = Duration::from_millis(50);

/// Why a process ended by itself.
#[derive(Debug)]
pub(crate) enum Exit {
    Done,
    Fatal(ServiceError),
}

/// Sleeps as a step says; returns why to end instead.
async fn rest(gate: &Gate, step: Result<Step, ServiceError>) -> Result<(), Exit> {
    let pause = match step {
        Ok(Step::Worked) => Duration::ZERO,
        Ok(Step::Idle) => IDLE,
        Ok(Step::Pause { after, .. }) => after,
        Err(error) => return Err(Exit::Fatal(error)),
    };
    gate.sleep(pause).await;
    Ok(())
}

/// Lets a step end, or drops it on its way, as a deadline would.
async fn perhaps_dropped<S: Future>(world: &World, step: S) -> Option<S::Output> {
    if !world.is_troubled() || !world.dice.chance(world.params.rates.dropped) {
        return Some(step.await);
    }
    let (mut step, mut polls) = (pin!(step), world.dice.between(1, 12));
    poll_fn(|context| {
        let polled = step.as_mut().poll(context).map(Some);
        polls -= 1;
        if polled.is_pending() && polls == 0 {
            world.witness().coverage.met(Met::DroppedStep);
            return Poll::Ready(None);
        }
        polled
    })
    .await
}

pub(crate) async fn consume(world: Arc<World>, gate: Arc<Gate>, lane: Lane) -> Exit {
    let ports = Ports::new(&world, &gate).consumer();
    let mut consumer = LaneConsumer::new(lane, ports, Arc::clone(&world.rules));
    while !gate.stop.load(Ordering::Relaxed) {
        let Some(step) = perhaps_dropped(&world, consumer.step()).await else { continue };
        if let Err(exit) = rest(&gate, step).await {
            return exit;
        }
    }
    // What could not be stored is answered again.
    let _ = consumer.finish().await;
    Exit::Done
}

/// No more requests are under way than may be.
fn check_window(world: &World, keeper: &LaneKeeper) {
    let (leased, in_flight) = (keeper.leased().count(), keeper.in_flight());
    let WindowLimits { total, reserve, .. } = world.params.limits;
    let most = total * u32::try_from(leased).unwrap();
    let mut witness = world.witness();
    if 1 < leased {
        witness.coverage.met(Met::TwoReplyLanes);
    }
    if leased == 1 && total - reserve <= in_flight {
        witness.coverage.met(Met::FullWindow);
    }
    witness.check(in_flight <= most, "I8", || format!("{in_flight} requests are under way"));
}

pub(crate) async fn request(world: Arc<World>, gate: Arc<Gate>) -> Exit {
    let holder = Holder(Uuid::from_u128(world.dice.number128()));
    let ports = Ports::new(&world, &gate).requester(&world.process_clock);
    let mut keeper = LaneKeeper::new(holder, ports, world.requester_terms());
    loop {
        let Some(step) = perhaps_dropped(&world, keeper.step()).await else { continue };
        check_window(&world, &keeper);
        if let Err(exit) = rest(&gate, step).await {
            return exit;
        }
        if gate.stop.load(Ordering::Relaxed) {
            keeper.stop_sending();
            if keeper.in_flight() == 0 {
                // Whoever cannot be told waits until the lease runs out.
                let _ = keeper.surrender().await;
                return Exit::Done;
            }
        }
    }
}
