use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long one line stands for all that follow.
const EVERY: Duration = Duration::from_mins(1);

/// Lets a line into the log once a minute: peers must not be able to fill the log.
#[derive(Debug, Default)]
pub struct LogThrottle(Mutex<Option<Instant>>);

impl LogThrottle {
    /// Whether it is time to log the line.
    #[must_use]
    pub fn is_time(&self) -> bool {
        self.is_time_at(Instant::now())
    }

    fn is_time_at(&self, now: Instant) -> bool {
        let mut logged_at = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_time = logged_at.is_none_or(|at| EVERY <= now.saturating_duration_since(at));
        if is_time {
            *logged_at = Some(now);
        }
        is_time
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
