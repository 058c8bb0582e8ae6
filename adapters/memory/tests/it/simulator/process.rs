//! One process, as the scheduler sees it: something to poll.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use catchment_domain::Lane;

use crate::simulator::actors::{self, Exit};
use crate::simulator::gate::{Gate, Point};
use crate::simulator::world::World;

/// What a process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Applies and answers a lane.
    Consumer(Lane),
    /// Sends and records for reply lanes: one of its own, and those that it adopts.
    Requester(u64),
    Operator,
    Importer,
    Auditor,
    Client,
    Copier,
    Forger,
    /// Sends everything once more.
    Echo,
}

impl Role {
    /// Whether production runs it, and starts it again.
    pub(crate) const fn is_service(self) -> bool {
        matches!(self, Self::Consumer(_) | Self::Requester(_))
    }

    /// Whether it lives in the process that a log in memory goes with.
    pub(crate) const fn needs_log(self) -> bool {
        !matches!(self, Self::Operator | Self::Importer | Self::Auditor)
    }
}

type Life = Pin<Box<dyn Future<Output = Exit> + Send>>;

pub(crate) struct Process {
    pub(crate) role: Role,
    pub(crate) gate: Arc<Gate>,
    /// None while it is down.
    life: Option<Life>,
    /// When it goes on.
    pub(crate) wakes_at: Duration,
    pub(crate) frozen: bool,
}

impl Process {
    /// A process that is down until it is time.
    pub(crate) fn new(role: Role, starts_at: Duration) -> Self {
        let gate = Arc::default();
        Self { role, gate, life: None, wakes_at: starts_at, frozen: false }
    }

    pub(crate) const fn is_up(&self) -> bool {
        self.life.is_some()
    }

    /// Kills it: what it was about to do is not done.
    pub(crate) fn crash(&mut self, starts_at: Duration) {
        *self = Self::new(self.role, starts_at);
    }

    pub(crate) fn start(&mut self, world: &Arc<World>) {
        let (world, gate) = (Arc::clone(world), Arc::clone(&self.gate));
        self.life = Some(match self.role {
            Role::Consumer(lane) => Box::pin(actors::consume(world, gate, lane)),
            Role::Requester(_) => Box::pin(actors::request(world, gate)),
            Role::Operator => Box::pin(actors::operate(world, gate)),
            Role::Importer => Box::pin(actors::import(world, gate)),
            Role::Auditor => Box::pin(actors::audit(world, gate)),
            Role::Client => Box::pin(actors::call(world, gate)),
            Role::Copier => Box::pin(actors::copy(world, gate)),
            Role::Forger => Box::pin(actors::forge(world, gate)),
            Role::Echo => Box::pin(actors::deliver_everything_again(world, gate)),
        });
    }

    /// Lets it run to its next point. Returns why it ended, if it did.
    pub(crate) fn poll(&mut self, now: Duration) -> Option<Exit> {
        let life = self.life.as_mut()?;
        match life.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(exit) => {
                self.life = None;
                Some(exit)
            }
            Poll::Pending => {
                self.wakes_at = now
                    + match self.gate.at() {
                        Some(Point::Turn(pause)) => pause,
                        Some(Point::Before(_) | Point::After(_)) => Duration::ZERO,
                        // It waits for room in a lane.
                        None => Duration::from_millis(1),
                    };
                None
            }
        }
    }
}
