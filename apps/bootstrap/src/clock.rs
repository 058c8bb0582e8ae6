//! The clock of the operating system.

use std::time::{SystemTime, UNIX_EPOCH};

use catchment_domain::Timestamp;
use catchment_domain::ports::Clock;

/// The clock of the operating system. It paces the services, and is the clock of a database file.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the Clock that everybody else asks")]
    fn now(&self) -> Timestamp {
        // A clock that shows a time before 1970 was never set.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_clock_tells_the_time_in_milliseconds() {
        let year_2024 = Timestamp::from_millis(1_704_067_200_000);
        let year_2200 = Timestamp::from_millis(7_258_118_400_000);
        assert!((year_2024..year_2200).contains(&SystemClock.now()));
    }
}
