//! What outlives every process: the database, its clock, and what the witness saw.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use catchment_domain::ports::ShopRepository;
use catchment_domain::service::{RequesterTerms, Rules};
use catchment_domain::{
    ImportBatch, ImportOrder, ImportTerms, Lanes, Limit, Location, Policy, Profile, Radius, Rank,
    ShopId, ShopImport, Timestamp, TriggerKind, TriggerRule,
};
use catchment_memory::{ManualClock, MemoryStore};

use crate::simulator::dice::Dice;
use crate::simulator::params::Params;
use crate::simulator::ready;
use crate::simulator::wires::Wires;
use crate::simulator::witness::Witness;

/// The trigger kinds of every run, with their ranks.
pub(crate) const KINDS: [(&str, u8); 4] =
    [("bad_weather", 1), ("manual", 2), ("rider_shortage", 1), ("system_failure", 1)];

/// No cause but a closing one narrows a shop below this.
pub(crate) const FLOOR: u32 = 400;

/// Where time begins: far enough from zero for a clock that steps back.
const START: i64 = 1_000_000_000;

pub(crate) struct World {
    pub(crate) params: Params,
    pub(crate) dice: Dice,
    pub(crate) lanes: Lanes,
    pub(crate) store: Arc<MemoryStore>,
    /// The database's clock.
    pub(crate) store_clock: Arc<ManualClock>,
    /// The clock of the processes.
    pub(crate) process_clock: Arc<ManualClock>,
    pub(crate) rules: Arc<Rules>,
    /// Every shop that there is or may come.
    pub(crate) shops: Vec<ShopId>,
    /// The faults have stopped.
    calm: AtomicBool,
    stepped_back: AtomicBool,
    wires: Mutex<Arc<Wires>>,
    witness: Mutex<Witness>,
}

impl World {
    pub(crate) fn new(seed: u64, traced: bool) -> Arc<Self> {
        let dice = Dice::new(seed);
        let params = Params::draw(&dice);
        let lanes = params.lanes;
        let clock = || Arc::new(ManualClock::new(Timestamp::from_millis(START)));
        let (store_clock, process_clock) = (clock(), clock());
        let for_ever = Duration::from_secs(1 << 32);
        let store = MemoryStore::new(lanes, Arc::<ManualClock>::clone(&store_clock), for_ever);
        let shops: Vec<ShopId> =
            (0..params.shops + 2).map(|n| format!("shop-{n}").parse().unwrap()).collect();
        let wires = Arc::new(Wires::new((lanes, &shops), &params, &dice, 0));
        let world = Arc::new(Self {
            rules: Arc::new(Rules { policy: policy(), lanes, batch: params.batch }),
            shops,
            calm: AtomicBool::new(false),
            stepped_back: AtomicBool::new(false),
            witness: Mutex::new(Witness::new(lanes, &params, traced)),
            wires: Mutex::new(wires),
            store: Arc::new(store),
            store_clock,
            process_clock,
            params,
            dice,
            lanes,
        });
        world.found();
        world
    }

    /// Brings the first shops in: all but the last two, which may come later.
    fn found(&self) {
        let known = self.shops.len() - 2;
        let rows: Vec<ShopImport> =
            self.shops[..known].iter().map(|id| self.row(id, Some(5_000))).collect();
        let revision = ready(self.store.take_revision()).unwrap();
        self.witness().given_out(revision);
        for batch in ImportBatch::split(rows, self.lanes) {
            let order = ImportOrder::Taken(revision);
            let receipt = ready(self.store.import(&batch, terms(order))).unwrap();
            self.witness().imported((batch.rows(), order), &receipt, &self.store.shops());
        }
    }

    /// What a file of shops would say of a shop.
    pub(crate) fn row(&self, id: &ShopId, base: Option<u32>) -> ShopImport {
        let place = self.shops.iter().position(|shop| shop == id).unwrap();
        let profile = Profile {
            name: id.to_string(),
            category: ["cafe", "bakery"][place % 2].into(),
            region: ["north", "east", "south"][place % 3].into(),
            location: Location::new(50.0, 0.01 * f64::from(u32::try_from(place).unwrap())).unwrap(),
        };
        let base = base.map(|metres| Radius::try_from(metres).unwrap());
        ShopImport { id: id.clone(), profile, base }
    }

    pub(crate) fn wires(&self) -> Arc<Wires> {
        Arc::clone(&self.wires.lock().unwrap())
    }

    /// Begins with another log, as a process does whose log is in memory.
    pub(crate) fn begin_new_log(&self) {
        let number = self.wires().number + 1;
        let wires = Wires::new((self.lanes, &self.shops), &self.params, &self.dice, number);
        *self.wires.lock().unwrap() = Arc::new(wires);
        self.witness().log_begins_anew();
    }

    /// How requesters pace themselves.
    pub(crate) const fn requester_terms(&self) -> RequesterTerms {
        let Params { limits, resend, .. } = self.params;
        let (lease, look) = (Duration::from_secs(2), Duration::from_millis(100));
        RequesterTerms { lease, look, resend, limits }
    }

    pub(crate) fn witness(&self) -> MutexGuard<'_, Witness> {
        self.witness.lock().unwrap()
    }

    /// Whether things go wrong.
    pub(crate) fn is_troubled(&self) -> bool {
        !self.calm.load(Ordering::Relaxed)
    }

    /// From now on nothing goes wrong any more.
    pub(crate) fn calm_down(&self) {
        self.calm.store(true, Ordering::Relaxed);
    }

    /// Steps one of the clocks back.
    pub(crate) fn step_back(&self, clock: &ManualClock, step: Duration) {
        clock.step_back(step);
        self.stepped_back.store(true, Ordering::Relaxed);
    }

    /// Whether a clock ever stepped back.
    pub(crate) fn stepped_back(&self) -> bool {
        self.stepped_back.load(Ordering::Relaxed)
    }

    /// Lets time pass for everybody.
    pub(crate) fn pass_time(&self, duration: Duration) {
        self.store_clock.advance(duration);
        self.process_clock.advance(duration);
    }
}

pub(crate) fn terms(order: ImportOrder) -> ImportTerms {
    ImportTerms { order, default_base: Radius::try_from(4_000_u32).unwrap(), floor: floor() }
}

pub(crate) fn floor() -> Radius {
    Radius::try_from(FLOOR).unwrap()
}

pub(crate) fn kind(name: &str) -> TriggerKind {
    name.parse().unwrap()
}

pub(crate) fn limit(text: &str) -> Limit {
    text.parse().unwrap()
}

fn policy() -> Policy {
    let rule = |rank| TriggerRule { rank: Rank(rank), default_limit: None };
    Policy {
        floor: floor(),
        triggers: KINDS.iter().map(|(name, rank)| (kind(name), rule(*rank))).collect(),
    }
}
