//! A seeded simulator of the exactly-once and durable request-reply core: the services that
//! production runs, over the store and the log in memory.
//!
//! Every call of a port is a point before it and a point after it. At each of them the
//! scheduler goes on with any process, crashes it, freezes it, or lets the call fail, before
//! or after it was done. A witness beside the store sees what really took effect, and holds it
//! against the invariants I1 to I7 and I9 of the architecture. All chance comes from one seed.
//!
//! `CATCHMENT_SIM_SEED=n` runs one seed and prints what happened; `CATCHMENT_SIM_RUNS=n` runs
//! so many seeds.

pub(crate) mod dice;
mod params;
mod coverage;
mod gate;
mod wires;
mod world;
mod oracle;
mod witness;
mod truth;
mod gated;
mod actors;
mod process;
mod simulation;

use std::future::Future;
use std::pin::pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use coverage::Coverage;
use simulation::{Report, run};

/// How many seeds are run when nobody says otherwise.
const RUNS: u64 = 10_000;

/// How much of a trace is printed when a run fails.
const TAIL: usize = 120;

/// The answer of a call that never waits.
fn ready<F: Future>(call: F) -> F::Output {
    match pin!(call).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("this call never waits"),
    }
}

#[expect(clippy::disallowed_methods, reason = "the simulator's only settings, read once")]
fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().expect("a whole number"))
}

#[test]
fn the_invariants_hold_whatever_happens() {
    if let Some(seed) = setting("CATCHMENT_SIM_SEED") {
        let report = run(seed, true);
        print(&report.trace);
        return check(seed, &report);
    }
    let runs = setting("CATCHMENT_SIM_RUNS").unwrap_or(RUNS);
    let coverage = run_all(runs);
    print(&[coverage.to_string()]);
    if RUNS <= runs {
        assert_eq!(coverage.missing(), Vec::<&str>::new(), "never met");
    }
}

/// Runs the seeds on every core there is.
fn run_all(runs: u64) -> Coverage {
    let next = AtomicU64::new(0);
    let coverage = Mutex::new(Coverage::default());
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if runs <= seed {
                return;
            }
            let report = run(seed, false);
            if report.broken.is_some() {
                // The others stop; the same seed once more, now with its trace.
                next.store(runs, Ordering::Relaxed);
                check(seed, &run(seed, true));
            }
            coverage.lock().unwrap().merge(&report.coverage);
        }
    };
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    coverage.into_inner().unwrap()
}

fn check(seed: u64, report: &Report) {
    let Some(broken) = &report.broken else { return };
    print(&report.trace[report.trace.len().saturating_sub(TAIL)..]);
    panic!(
        "{} does not hold: {}\nseed {seed}, {}\nonce more: CATCHMENT_SIM_SEED={seed}",
        broken.invariant, broken.what, report.world
    );
}

#[expect(clippy::print_stdout, reason = "what a run did is what somebody asked for")]
fn print(lines: &[String]) {
    for line in lines {
        println!("{line}");
    }
}

#[test]
fn a_seed_repeats_its_run_exactly() {
    for seed in 0..20 {
        let (one, other) = (run(seed, false), run(seed, true));
        assert_eq!(one.digest, other.digest, "seed {seed}");
        assert_ne!(one.digest, run(seed + 1, false).digest, "seed {seed}");
    }
}
