//! The in-flight window: how many requests a requester may have under way.

use std::time::Duration;

use crate::time::Timestamp;

/// How long a request should wait for its answer while a campaign runs.
const TARGET: Duration = Duration::from_millis(250);
/// How long answers are counted before the window is steered.
const MEASURED: Duration = Duration::from_millis(100);

/// Steers the number of requests under way so that each waits about 250 ms: by Little's law,
/// the answers per second times the wait. So a second campaign or a single call does not
/// queue behind 300,000 others, and memory is bounded.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    size: u32,
    answered: u32,
    since: Timestamp,
}

impl Window {
    /// The fewest requests under way: enough to find out how fast the answers come.
    pub const MIN: u32 = 8_000;
    /// The most requests under way, and with that a bound on memory.
    pub const MAX: u32 = 64_000;

    /// A window at its smallest, measured from `now` on.
    #[must_use]
    pub const fn new(now: Timestamp) -> Self {
        Self { size: Self::MIN, answered: 0, since: now }
    }

    /// How many requests may be under way.
    #[must_use]
    pub const fn size(&self) -> u32 {
        self.size
    }

    /// Counts answers, and steers when it counted long enough. A clock that steps back
    /// begins a new count.
    pub fn answered(&mut self, count: u32, now: Timestamp) {
        self.answered = self.answered.saturating_add(count);
        if now < self.since {
            *self = Self { answered: 0, since: now, ..*self };
        }
        let elapsed = now.saturating_since(self.since);
        if elapsed < MEASURED {
            return;
        }
        let waiting = u128::from(self.answered) * TARGET.as_millis() / elapsed.as_millis();
        let size = u32::try_from(waiting).unwrap_or(Self::MAX);
        // Half way towards the measured size, so that one odd pause does not swing it.
        let size = u32::midpoint(self.size, size.clamp(Self::MIN, Self::MAX));
        *self = Self { size, answered: 0, since: now };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_follows_the_answers_within_its_bounds() {
        for (per_second, expected) in
            [(0, Window::MIN), (100_000, 25_000), (200_000, 50_000), (10_000_000, Window::MAX)]
        {
            let mut window = Window::new(Timestamp::from_millis(0));
            for tick in 1..=50 {
                window.answered(per_second / 10, Timestamp::from_millis(tick * 100));
            }
            assert!(window.size().abs_diff(expected) <= expected / 100, "{per_second}/s");
        }
    }

    #[test]
    fn a_clock_that_steps_back_does_not_stop_the_steering() {
        let mut window = Window::new(Timestamp::from_millis(1_000_000));
        for tick in 0..50 {
            window.answered(10_000, Timestamp::from_millis(tick * 100));
        }
        assert!(20_000 < window.size());
    }
}
