//! Remembers what has held up the work on reply lanes for long.

use std::time::Duration;

use tokio::time::Instant;

/// The longest pause of an obstacle that goes away by itself. Other lanes take their steps
/// meanwhile.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The cause that holds the work up, and since when. Other lanes may work while one is held up, so
/// a step without an obstacle does not end the standstill until a pause later.
#[derive(Debug, Default)]
pub(crate) struct Standstill(Option<HeldUp>);

#[derive(Debug)]
struct HeldUp {
    since: Instant,
    /// The standstill is over at this time, unless its cause is met again before.
    until: Instant,
    cause: String,
}

impl Standstill {
    /// Records an obstacle, which will be tried again after a pause.
    pub(crate) fn meets(&mut self, cause: String, pause: Duration, now: Instant) {
        self.ends(now);
        let since = self.0.as_ref().map_or(now, |held_up| held_up.since);
        let until = now + pause.max(LONGEST_PAUSE) + LONGEST_PAUSE;
        self.0 = Some(HeldUp { since, until, cause });
    }

    /// Returns the cause that has held the work up for `patience`.
    pub(crate) fn lasts(&mut self, patience: Duration, now: Instant) -> Option<&str> {
        self.ends(now);
        let held_up = self.0.as_ref()?;
        let lasts = patience <= now.saturating_duration_since(held_up.since);
        lasts.then_some(held_up.cause.as_str())
    }

    fn ends(&mut self, now: Instant) {
        self.0.take_if(|held_up| held_up.until <= now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    #[test]
    fn what_is_met_again_and_again_lasts() {
        let (mut standstill, start) = (Standstill::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(standstill.lasts(PATIENCE, at(0)), None);
        for seconds in (0..30).step_by(5) {
            let now = at(seconds);
            standstill.meets(format!("full since {seconds}"), Duration::ZERO, now);
            assert_eq!(standstill.lasts(PATIENCE, at(seconds)), None);
        }
        standstill.meets("full".to_owned(), Duration::ZERO, at(30));
        assert_eq!(standstill.lasts(PATIENCE, at(30)), Some("full"));
        assert_eq!(standstill.lasts(PATIENCE, at(39)), Some("full"));
        assert_eq!(standstill.lasts(PATIENCE, at(40)), None, "it was not met again");
    }

    #[test]
    fn what_is_met_now_and_then_does_not_last() {
        let (mut standstill, start) = (Standstill::default(), Instant::now());
        for seconds in (0..300).step_by(11) {
            let now = start + Duration::from_secs(seconds);
            standstill.meets("busy".to_owned(), Duration::ZERO, now);
            assert_eq!(standstill.lasts(PATIENCE, now), None);
        }
    }

    #[test]
    fn what_is_met_again_only_after_a_long_pause_lasts_over_it() {
        let (mut standstill, start) = (Standstill::default(), Instant::now());
        let minute = Duration::from_mins(1);
        standstill.meets("away".to_owned(), minute, start);
        for later in [start + PATIENCE, start + minute] {
            assert_eq!(standstill.lasts(PATIENCE, later), Some("away"));
        }
        assert_eq!(standstill.lasts(PATIENCE, start + minute + LONGEST_PAUSE * 2), None);
    }
}
