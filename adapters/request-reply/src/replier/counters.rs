//! What became of requests.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How often a complaint of one kind is logged.
const INTERVAL: Duration = Duration::from_mins(1);

/// What became of requests so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReplierCounters {
    /// Answered with a value.
    pub answered: u64,
    /// Answered with a failure, by the handler or because of it.
    pub failed: u64,
    /// Could not be read.
    pub unreadable: u64,
    /// Ask for no reply.
    pub unanswered: u64,
    /// Ask for a reply where none may go.
    pub refused: u64,
    /// Ask for a partition that the reply topic does not have: their key chose another.
    pub misdirected: u64,
    /// Have a reply header twice, or a header that suggests a reply and that no kind of peer uses.
    pub odd: u64,
    /// Went to the dead-letter topic.
    pub dead_lettered: u64,
    /// Should have gone to the dead-letter topic, but could not.
    pub lost: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) answered: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) unreadable: AtomicU64,
    pub(super) unanswered: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) misdirected: AtomicU64,
    pub(super) odd: AtomicU64,
    pub(super) dead_lettered: AtomicU64,
    pub(super) lost: AtomicU64,
    complained: Mutex<Option<Instant>>,
}

impl Counts {
    pub(super) fn read(&self) -> ReplierCounters {
        let value = |count: &AtomicU64| count.load(Ordering::Relaxed);
        ReplierCounters {
            answered: value(&self.answered),
            failed: value(&self.failed),
            unreadable: value(&self.unreadable),
            unanswered: value(&self.unanswered),
            refused: value(&self.refused),
            misdirected: value(&self.misdirected),
            odd: value(&self.odd),
            dead_lettered: value(&self.dead_lettered),
            lost: value(&self.lost),
        }
    }

    /// Whether it is time to log a complaint again: peers must not be able to fill the log.
    pub(super) fn may_complain(&self) -> bool {
        let mut complained =
            self.complained.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let is_time = complained.is_none_or(|last| INTERVAL <= last.elapsed());
        if is_time {
            *complained = Some(Instant::now());
        }
        is_time
    }
}

pub(super) fn one_more(count: &AtomicU64) {
    some_more(count, 1);
}

pub(super) fn some_more(count: &AtomicU64, more: usize) {
    count.fetch_add(u64::try_from(more).unwrap_or(u64::MAX), Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaints_are_counted_more_often_than_they_are_logged() {
        let counts = Counts::default();
        assert!(counts.may_complain());
        assert!(!counts.may_complain());
        one_more(&counts.refused);
        one_more(&counts.refused);
        assert_eq!(counts.read(), ReplierCounters { refused: 2, ..ReplierCounters::default() });
    }
}
