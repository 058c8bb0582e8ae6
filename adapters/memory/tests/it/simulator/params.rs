//! What kind of run a seed makes: how large its world is, and which faults happen how often.
//!
//! Each run leaves some kinds of faults out, so that others meet in ways that they would not
//! if everything went wrong all the time.

use std::num::NonZeroU16;
use std::time::Duration;

use catchment_domain::{Lanes, WindowLimits};

use crate::simulator::dice::Dice;

/// The shape of a run.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is drawn by itself")]
pub(crate) struct Params {
    pub(crate) lanes: Lanes,
    pub(crate) reply_lanes: u16,
    /// At times more than there are reply lanes.
    pub(crate) requesters: u64,
    /// One of the requesters is gone for good when the faults stop.
    pub(crate) one_stays_dead: bool,
    pub(crate) shops: u64,
    /// The most requests of a batch.
    pub(crate) batch: usize,
    /// How many requests may be under way: often fewer than are open.
    pub(crate) limits: WindowLimits,
    /// The silence after which open requests are sent again.
    pub(crate) resend: Duration,
    /// When the faults have stopped, a lane stands still for long.
    pub(crate) one_stands_still: bool,
    /// Positions of the log rise by this.
    pub(crate) gap: u64,
    /// The log goes with its processes: the embedded default.
    pub(crate) passing: bool,
    /// What was answered is forgotten by the log.
    pub(crate) forgetful: bool,
    /// Polls until the faults stop.
    pub(crate) steps: u64,
    /// Operators, and how much each of them does.
    pub(crate) operators: u64,
    pub(crate) actions: u64,
    pub(crate) rates: Rates,
}

/// How often what happens, in ten thousand.
#[derive(Clone, Debug)]
pub(crate) struct Rates {
    /// Per poll: a process crashes.
    pub(crate) crash: u64,
    /// Per poll: a process freezes.
    pub(crate) freeze: u64,
    /// Per call: it fails, before or after it was done.
    pub(crate) fail: u64,
    /// Per poll: a clock steps.
    pub(crate) clock: u64,
    /// Per poll: every process crashes at once.
    pub(crate) blackout: u64,
    /// Per poll: a process is stopped in an orderly way.
    pub(crate) stop: u64,
    /// Per step of a service: it is dropped on its way.
    pub(crate) dropped: u64,
    /// Per poll: the replies that stand in a lane are lost.
    pub(crate) truncate: u64,
    /// Per request: its record cannot be processed.
    pub(crate) bad: u64,
    /// Copies of older requests and replies are sent.
    pub(crate) copies: u64,
    /// Clients without a campaign, and forgers.
    pub(crate) clients: u64,
    /// Imports.
    pub(crate) imports: u64,
}

impl Params {
    pub(crate) fn draw(dice: &Dice) -> Self {
        let some = |high: u64| if dice.chance(3_500) { 0 } else { dice.between(1, high) };
        let passing = dice.chance(4_000);
        let one_stands_still = dice.chance(3_000);
        let lanes = Lanes(NonZeroU16::new(u16::try_from(dice.between(2, 3)).unwrap()).unwrap());
        let few = one_stands_still || dice.chance(4_000);
        Self {
            lanes,
            reply_lanes: u16::try_from(dice.between(2, 3)).unwrap(),
            requesters: dice.between(2, 3),
            one_stays_dead: dice.chance(5_000),
            shops: dice.between(6, 12),
            batch: usize::try_from(dice.between(1, 8)).unwrap(),
            limits: if few { few_requests(lanes, dice) } else { WindowLimits::new(lanes) },
            // While a lane stands still, the others must be done before anything is sent again.
            resend: Duration::from_secs(if one_stands_still { 10 } else { 1 }),
            one_stands_still,
            gap: dice.between(1, 3),
            passing,
            forgetful: passing || dice.chance(3_000),
            steps: dice.between(200, 1_500),
            operators: dice.between(1, 2),
            actions: dice.between(2, 12),
            rates: Rates {
                crash: some(120),
                freeze: some(120),
                fail: some(400),
                // A lease may stay in force for as long as a clock steps back.
                clock: if one_stands_still { 0 } else { some(80) },
                blackout: some(25),
                stop: some(30),
                dropped: some(300),
                truncate: if passing { 0 } else { some(25) },
                bad: some(400),
                copies: some(3),
                clients: some(2),
                imports: some(2),
            },
        }
    }
}

/// Limits that allow fewer requests than a campaign has, and one lane all that is not reserved.
fn few_requests(lanes: Lanes, dice: &Dice) -> WindowLimits {
    let reserve = u32::from(lanes.count());
    let lane = u32::try_from(dice.between(1, 6)).unwrap();
    WindowLimits { lanes, total: reserve + lane, lane, reserve }
}
