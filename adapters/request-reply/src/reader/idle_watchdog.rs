//! For how long a lane brings nothing, however often it is waited for in between.

use std::time::{Duration, Instant};

/// The longest that a lane may be silent, where it was often silent for good reason.
const LONGEST: Duration = Duration::from_mins(10);

/// The silence of a lane.
#[derive(Debug)]
pub(super) struct IdleWatchdog {
    since: Instant,
    patience: Duration,
    usual: Duration,
}

impl IdleWatchdog {
    /// A silence that begins, and may last for so long.
    pub(super) fn new(usual: Duration, now: Instant) -> Self {
        Self { since: now, patience: usual, usual }
    }

    /// It begins (anew).
    pub(super) fn begins(&mut self, now: Instant) {
        self.since = now;
    }

    /// A record has come.
    pub(super) fn ends(&mut self, now: Instant) {
        *self = Self::new(self.usual, now);
    }

    /// How much longer it may last; nothing, once it has lasted too long.
    pub(super) fn left(&self, now: Instant) -> Duration {
        (self.since + self.patience).saturating_duration_since(now)
    }

    /// It may last longer the next time.
    pub(super) fn last_longer(&mut self) {
        self.patience = (self.patience * 2).min(LONGEST.max(self.usual));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silence_goes_on_while_nobody_waits() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut silence = IdleWatchdog::new(Duration::from_secs(10), start);
        assert_eq!(silence.left(at(4)), Duration::from_secs(6));
        assert_eq!(silence.left(at(11)), Duration::ZERO, "overdue");
        silence.begins(at(11));
        assert_eq!(silence.left(at(11)), Duration::from_secs(10));
        silence.last_longer();
        assert_eq!(silence.left(at(11)), Duration::from_secs(20));
        silence.ends(at(12));
        assert_eq!(silence.left(at(12)), Duration::from_secs(10), "a record restores the usual");
    }

    #[test]
    fn a_silence_never_may_last_for_ever() {
        let start = Instant::now();
        let mut silence = IdleWatchdog::new(Duration::from_secs(10), start);
        for _ in 0..20 {
            silence.last_longer();
        }
        assert_eq!(silence.left(start), LONGEST);
    }
}
