//! Lines that peers can cause.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long one line stands for all that follow.
const EVERY: Duration = Duration::from_mins(1);

/// Lets a line into the log once a minute: peers must not be able to fill the log.
#[derive(Debug, Default)]
pub struct LogThrottle(Mutex<Option<Instant>>);

impl LogThrottle {
    /// Lets the first line through.
    #[must_use]
    pub const fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// Whether it is time to log the line.
    #[must_use]
    pub fn is_time(&self) -> bool {
        self.is_time_at(Instant::now())
    }

    pub(crate) fn is_time_at(&self, now: Instant) -> bool {
        let mut logged_at = self.logged_at();
        let is_time = logged_at.is_none_or(|at| EVERY <= now.saturating_duration_since(at));
        if is_time {
            *logged_at = Some(now);
        }
        is_time
    }

    /// When it is time for the next line, if one was logged.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.logged_at().map(|at| at + EVERY)
    }

    fn logged_at(&self) -> MutexGuard<'_, Option<Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_logged_once_a_minute() {
        let (throttle, now) = (LogThrottle::default(), Instant::now());
        assert!(throttle.is_time_at(now));
        assert!(!throttle.is_time_at(now + EVERY / 2));
        assert!(throttle.is_time_at(now + EVERY));
        assert!(!throttle.is_time_at(now + EVERY + EVERY / 2));
    }
}
