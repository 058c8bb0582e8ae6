//! Every port of the domain in one process.
//!
//! [`MemoryLog`] is the log of the embedded default: partitioned, bounded, new with each
//! process. [`MemoryStore`] keeps what a database keeps, for the simulator and every fast
//! test; it passes the same contract as the databases do. [`ManualClock`] is the clock
//! of tests.

mod clock;
mod log;
mod store;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use clock::ManualClock;
pub use log::MemoryLog;
pub use store::{LaneState, MemoryStore};

/// Locks; what a thread that panicked left behind is whole, since changes are made only once
/// nothing can fail any more.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
