//! What becomes of a step that did not succeed, and when it is time for the next.

use std::time::Duration;

use crate::lane::ReplyLane;
use crate::mismatch::{AnyLane, LaneProblem, Mismatch};
use crate::ports::{BoxError, ChannelError, LogError, StoreError};
use crate::service::{Obstacle, ServiceError, Step};
use crate::time::Timestamp;

/// Why a step did not succeed, by how to go on.
pub(crate) enum Trouble {
    /// Forget what is held, and claim or lease again.
    Fenced,
    /// Try again.
    Unavailable(BoxError),
    /// Go on: what has no outcome is sent again.
    RepliesLost(ReplyLane, LogError),
    /// Leave out what carries it.
    BadData(String),
    /// A human must look.
    Fatal(ServiceError),
}

impl Trouble {
    /// What could not be read of a lane.
    pub(crate) fn of_log(lane: AnyLane, source: LogError) -> Self {
        let mismatch = match source {
            LogError::Unavailable(_) => return Self::Unavailable(source.into()),
            LogError::Closed => return Self::Fatal(ServiceError::Closed),
            LogError::Truncated { from, first } => Mismatch::RecordsGone { from, first },
            LogError::Beyond { from, end } => Mismatch::EndsEarly { end, next: from },
        };
        Self::Fatal(ServiceError::Lane(LaneProblem { lane, mismatch }))
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Fenced => Self::Fenced,
            StoreError::Unavailable(_) => Self::Unavailable(error.into()),
            StoreError::BadData { what } => Self::BadData(what),
            StoreError::Refused { what } => Self::Fatal(ServiceError::Refused { what }),
            StoreError::Older(older) => Self::Fatal(ServiceError::Older(older)),
            StoreError::OtherLanes(other) => Self::Fatal(ServiceError::OtherLanes(other)),
        }
    }
}

impl From<ChannelError> for Trouble {
    fn from(error: ChannelError) -> Self {
        match error {
            ChannelError::Unknown(_) => Self::Unavailable(error.into()),
            ChannelError::Closed => Self::Fatal(ServiceError::Closed),
        }
    }
}

/// Counts failures in a row, so that the pauses grow.
#[derive(Debug, Default)]
pub(crate) struct Failures(u32);

impl Failures {
    /// Something went well that failed before: the next pause is short again.
    pub(crate) const fn forget(&mut self) {
        self.0 = 0;
    }

    /// How to go on after a failure.
    pub(crate) fn next_step(&mut self, trouble: Trouble) -> Result<Step, ServiceError> {
        let obstacle = match trouble {
            Trouble::Fenced => Obstacle::Fenced,
            Trouble::Unavailable(error) => Obstacle::Unavailable(error),
            Trouble::RepliesLost(lane, source) => Obstacle::RepliesLost { lane, source },
            Trouble::BadData(what) => return Err(ServiceError::Refused { what }),
            Trouble::Fatal(error) => return Err(error),
        };
        Ok(Step::Pause { after: self.pause(), obstacle })
    }

    /// How long to pause after one more failure.
    pub(crate) fn pause(&mut self) -> Duration {
        self.0 = self.0.saturating_add(1);
        pause_after(self.0)
    }
}

/// A pause that began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pause {
    since: Timestamp,
    length: Duration,
}

impl Pause {
    pub(crate) const fn new(since: Timestamp, length: Duration) -> Self {
        Self { since, length }
    }

    /// Whether a pause, where there is one, is over.
    pub(crate) fn is_over(pause: Option<Self>, now: Timestamp) -> bool {
        pause.is_none_or(|pause| is_due(Some(pause.since), pause.length, now))
    }
}

/// Whether it is time for what was done `at`, every so often. A clock that stepped back makes
/// everything due.
pub(crate) fn is_due(at: Option<Timestamp>, every: Duration, now: Timestamp) -> bool {
    at.is_none_or(|at| now < at || every <= now.saturating_since(at))
}

/// The pause after so many failures in a row: 50 ms, doubled each time, at most 5 s.
fn pause_after(failures: u32) -> Duration {
    let factor = 1 << failures.saturating_sub(1).min(7);
    (Duration::from_millis(50) * factor).min(Duration::from_secs(5))
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;
    use crate::lane::Lane;

    const LANE: AnyLane = AnyLane::Requests(Lane(3));

    fn pause(failures: &mut Failures, trouble: Trouble) -> (Duration, Obstacle) {
        match failures.next_step(trouble) {
            Ok(Step::Pause { after, obstacle }) => (after, obstacle),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn pauses_grow_until_something_went_well() {
        let mut failures = Failures::default();
        let mut next = || pause(&mut failures, Trouble::Fenced).0.as_millis();
        let pauses: Vec<u128> = (0..9).map(|_| next()).collect();
        assert_eq!(pauses, [50, 100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
        failures.forget();
        assert_eq!(pause(&mut failures, Trouble::Fenced).0, Duration::from_millis(50));
    }

    #[test]
    fn a_closed_log_ends_the_service() {
        let trouble = Trouble::of_log(LANE, LogError::Closed);
        let step = Failures::default().next_step(trouble);
        assert!(matches!(step, Err(ServiceError::Closed)), "{step:?}");
    }

    #[test]
    fn an_obstacle_says_everything_that_the_failure_said() {
        let store = StoreError::Unavailable("the disk is full".into());
        let (_, obstacle) = pause(&mut Failures::default(), store.into());
        assert_eq!(obstacle.to_string(), "the disk is full");
        let log = LogError::Unavailable("connection refused".into());
        let (_, obstacle) = pause(&mut Failures::default(), Trouble::of_log(LANE, log));
        assert_eq!(obstacle.to_string(), "the log is unavailable");
        let source = obstacle.source().map(ToString::to_string);
        assert_eq!(source.as_deref(), Some("connection refused"));
    }
}
