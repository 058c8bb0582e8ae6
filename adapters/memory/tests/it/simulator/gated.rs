//! The ports as a process of the simulator sees them: each call is a point before it and a
//! point after it, and the witness sees what was really done.

mod campaign_ledger;
mod channels;
mod logs;
mod reply_lanes;
mod restores;
mod shop_ledger;

pub(crate) use channels::deliver;

use std::sync::Arc;

use catchment_domain::service::{ConsumerPorts, RequesterPorts};
use catchment_memory::{ManualClock, MemoryStore};

use crate::simulator::gate::Gate;
use crate::simulator::wires::Wires;
use crate::simulator::world::World;

/// A port behind the gate of one process.
pub(crate) struct Gated<T> {
    inner: Arc<T>,
    gate: Arc<Gate>,
    world: Arc<World>,
}

/// The ports of one process.
#[derive(Clone)]
pub(crate) struct Ports {
    pub(crate) store: Arc<Gated<MemoryStore>>,
    pub(crate) wires: Arc<Gated<Wires>>,
}

impl Ports {
    pub(crate) fn new(world: &Arc<World>, gate: &Arc<Gate>) -> Self {
        let (gate, world) = (|| Arc::clone(gate), || Arc::clone(world));
        let store = Arc::clone(&world().store);
        let wires = world().wires();
        Self {
            store: Arc::new(Gated { inner: store, gate: gate(), world: world() }),
            wires: Arc::new(Gated { inner: wires, gate: gate(), world: world() }),
        }
    }

    pub(crate) fn consumer(&self) -> ConsumerPorts {
        let Self { store, wires } = self.clone();
        ConsumerPorts { ledger: store, log: Arc::<Gated<Wires>>::clone(&wires), replies: wires }
    }

    pub(crate) fn requester(&self, clock: &Arc<ManualClock>) -> RequesterPorts {
        let Self { store, wires } = self.clone();
        RequesterPorts {
            reply_lanes: Arc::<Gated<MemoryStore>>::clone(&store),
            lanes: Arc::<Gated<MemoryStore>>::clone(&store),
            ledger: store,
            commits: Arc::<Gated<Wires>>::clone(&wires),
            requests: Arc::<Gated<Wires>>::clone(&wires),
            replies: wires,
            clock: Arc::<ManualClock>::clone(clock),
        }
    }
}

impl<T> Gated<T> {
    /// Tells the witness that this process tried to write, and was fenced.
    fn note_fence(&self, fenced: bool) {
        if fenced {
            self.world.witness().fenced(&self.gate);
        }
    }
}
