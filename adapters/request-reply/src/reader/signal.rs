//! How the client's threads reach whoever reads a partition.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

/// What concerns one partition.
#[derive(Debug, Default)]
pub(super) struct Signal {
    /// There may be something to read, or a reason not to.
    pub(super) news: Notify,
    /// The next offset to be taken from the client.
    pub(super) next: AtomicI64,
    invalidated: AtomicBool,
}

impl Signal {
    /// What comes from the client next may not go on where it stopped: it must be sought.
    pub(super) fn invalidate(&self) {
        self.invalidated.store(true, Ordering::Release);
        self.news.notify_waiters();
    }

    pub(super) fn is_invalidated(&self) -> bool {
        self.invalidated.load(Ordering::Acquire)
    }

    pub(super) fn is_sought(&self) {
        self.invalidated.store(false, Ordering::Release);
    }
}

/// The signals of all partitions that were ever read or assigned: at most one for each.
#[derive(Debug, Default)]
pub(super) struct Signals(Mutex<HashMap<i32, Arc<Signal>>>);

impl Signals {
    pub(super) fn of(&self, partition: i32) -> Arc<Signal> {
        let mut signals = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(signals.entry(partition).or_default())
    }

    pub(super) fn invalidate(&self, partitions: &[i32]) {
        for partition in partitions {
            self.of(*partition).invalidate();
        }
    }

    pub(super) fn wake_all(&self) {
        let signals = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for signal in signals.values() {
            signal.news.notify_waiters();
        }
    }
}
