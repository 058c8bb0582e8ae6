//! What became of requests.

use std::sync::atomic::{AtomicU64, Ordering};

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
    pub(super) answered: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) unreadable: AtomicU64,
    pub(super) unanswered: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) misdirected: AtomicU64,
    pub(super) odd: AtomicU64,
    pub(super) dead_lettered: AtomicU64,
    pub(super) lost: AtomicU64,
    pub(super) oddities: LogThrottle,
    pub(super) attempts: LogThrottle,
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
}

impl ReplyEvents for Counts {
    fn count(&self, event: ReplyEvent<'_>, times: usize) {
        let count = match event {
            ReplyEvent::Misdirected => &self.misdirected,
            ReplyEvent::Undeliverable(_) => &self.refused,
            ReplyEvent::DeadLettered => &self.dead_lettered,
            ReplyEvent::DeadLetterLost => &self.lost,
            // It was counted as answered, and still is.
            ReplyEvent::Shortened => return,
        };
        some_more(count, times);
    }

    fn shorter(&self, _: &[u8]) -> Option<Vec<u8>> {
        let failure = Failure::rejected("too_large", "the reply is larger than the brokers take");
        Some(failure.to_json().into_bytes())
    }
}

pub(super) fn one_more(count: &AtomicU64) {
    some_more(count, 1);
}

fn some_more(count: &AtomicU64, more: usize) {
    count.fetch_add(u64::try_from(more).unwrap_or(u64::MAX), Ordering::Relaxed);
}
