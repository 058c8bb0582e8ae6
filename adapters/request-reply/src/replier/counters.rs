//! What became of requests.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Failure;
use crate::reply::{LogThrottle, ReplyEvent, ReplyEvents};

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
    /// Their replies could not be sent: topic not allowed, missing or denied, or reply too large.
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
    counters: Mutex<ReplierCounters>,
    pub(super) oddities: LogThrottle,
    pub(super) attempts: LogThrottle,
}

impl Counts {
    pub(super) fn read(&self) -> ReplierCounters {
        *self.counters()
    }

    pub(super) fn note(&self, count: impl FnOnce(&mut ReplierCounters)) {
        count(&mut self.counters());
    }

    fn counters(&self) -> MutexGuard<'_, ReplierCounters> {
        self.counters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ReplyEvents for Counts {
    fn count(&self, event: ReplyEvent<'_>, times: usize) {
        let counters = &mut *self.counters();
        let count = match event {
            ReplyEvent::Misdirected => &mut counters.misdirected,
            ReplyEvent::Undeliverable(_) => &mut counters.refused,
            ReplyEvent::DeadLettered => &mut counters.dead_lettered,
            ReplyEvent::DeadLetterLost => &mut counters.lost,
            // It was counted as answered, and still is.
            ReplyEvent::Shortened => return,
        };
        *count += times as u64;
    }

    fn shorter(&self, _: &[u8]) -> Option<Vec<u8>> {
        let failure = Failure::rejected("too_large", "the reply is larger than the brokers take");
        Some(failure.to_json().into_bytes())
    }
}
