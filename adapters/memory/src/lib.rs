//! Every port of the domain in one process.
//!
//! [`MemoryLog`] is the log of the embedded default: it is partitioned and bounded, and new with
//! each process. [`MemoryStore`] stores the same data as a database, for the simulator and every
//! fast test. It passes the same contract as the databases. [`ManualClock`] is the clock of tests.

mod clock;
mod log;
mod store;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use clock::ManualClock;
pub use log::MemoryLog;
pub use store::{LaneState, MemoryStore};

/// Locks a mutex, even if a thread panicked while it held the lock. The data are whole even then,
/// because changes are made only when nothing can fail any more.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
