//! How long a requester has a reply lane.

use std::time::Duration;

use crate::time::Timestamp;

/// The longest lease that a requester may take.
pub const LONGEST_LEASE: Duration = Duration::from_mins(5);

/// How long a lease is still in force; `None` once it ran out.
///
/// 1. A lease whose end has come has run out.
/// 2. A lease with more time left than the longest one was given by a clock that was ahead. It has
///    run out, too: its requester may be gone, and would keep its campaigns from all others until the
///    clock gets there.
/// 3. Any other lease is in force until its end.
#[must_use]
pub fn lease_left(end: Timestamp, now: Timestamp) -> Option<Duration> {
    let left = end.saturating_since(now);
    (Duration::ZERO < left && left <= LONGEST_LEASE).then_some(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_in_force_until_its_end_and_never_for_longer_than_the_longest() {
        let longest = i64::try_from(LONGEST_LEASE.as_millis()).unwrap();
        let day = 86_400_000;
        for (end, now, expected) in [
            (1_000, 0, Some(1_000)),
            (1_000, 999, Some(1)),
            (1_000, 1_000, None),
            (1_000, 1_001, None),
            (longest, 0, Some(LONGEST_LEASE.as_millis())),
            (longest + 1, 0, None),
            (longest + 1, 1, Some(LONGEST_LEASE.as_millis())),
            (day, 0, None),
            (day, day - 5, Some(5)),
            (i64::MAX, i64::MIN, None),
            (i64::MIN, i64::MAX, None),
            (i64::MIN, i64::MIN, None),
        ] {
            let left = lease_left(Timestamp::from_millis(end), Timestamp::from_millis(now));
            assert_eq!(left.map(|left| left.as_millis()), expected, "{end} at {now}");
        }
    }
}
