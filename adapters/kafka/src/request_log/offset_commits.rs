//! How far each lane is answered, told to the broker now and then.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use catchment_domain::{Committed, Lane};
use tokio::time::{Instant, sleep_until};

/// How often a lane's offset is committed at most.
const EVERY: Duration = Duration::from_secs(1);

/// What is to be committed for each lane. At most one waits for a lane.
#[derive(Debug, Default)]
pub(super) struct OffsetCommits(Mutex<BTreeMap<Lane, Hint>>);

#[derive(Debug, Default)]
struct Hint {
    waiting: Option<Committed>,
    committed_at: Option<Instant>,
}

impl Hint {
    /// When what waits may be committed, `now` at the earliest; `None` where nothing does.
    fn due(&self, now: Instant) -> Option<Instant> {
        self.waiting?;
        Some(self.committed_at.map_or(now, |at| now.max(at + EVERY)))
    }
}

impl OffsetCommits {
    /// Remembers how far a lane is answered.
    pub(super) fn put(&self, lane: Lane, committed: Committed) {
        self.with(lane, |hint| hint.waiting = Some(committed));
    }

    /// What is to be committed, whether it is time or not.
    pub(super) fn take(&self, lane: Lane) -> Option<Committed> {
        self.with(lane, |hint| hint.waiting.take())
    }

    /// What is to be committed now, where something is.
    pub(super) fn take_due(&self, lane: Lane) -> Option<Committed> {
        self.with(lane, |hint| {
            let now = Instant::now();
            let due = hint.due(now) == Some(now);
            if due {
                hint.committed_at = Some(now);
            }
            hint.waiting.take_if(|_| due)
        })
    }

    /// Returns once something is to be committed; never where nothing waits.
    pub(super) async fn due(&self, lane: Lane) {
        match self.with(lane, |hint| hint.due(Instant::now())) {
            Some(due) => sleep_until(due).await,
            None => std::future::pending().await,
        }
    }

    fn with<T>(&self, lane: Lane, then: impl FnOnce(&mut Hint) -> T) -> T {
        // A panic elsewhere leaves a hint as good as it was.
        let mut hints = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        then(hints.entry(lane).or_default())
    }
}

#[cfg(test)]
mod tests {
    use catchment_domain::{Epoch, Position};

    use super::*;

    const LANE: Lane = Lane(1);

    fn committed(next: u64) -> Committed {
        Committed { epoch: Epoch(4), next: Position(next) }
    }

    #[tokio::test(start_paused = true)]
    async fn a_lane_commits_the_newest_once_in_a_while() {
        let hints = OffsetCommits::default();
        assert_eq!(hints.take_due(LANE), None);
        hints.put(LANE, committed(1));
        assert_eq!(hints.take_due(LANE), Some(committed(1)));
        hints.put(LANE, committed(2));
        hints.put(LANE, committed(3));
        assert_eq!(hints.take_due(LANE), None, "too early");
        hints.put(Lane(2), committed(7));
        assert_eq!(hints.take_due(Lane(2)), Some(committed(7)), "lanes do not wait for each other");
        let before = Instant::now();
        hints.due(LANE).await;
        assert_eq!(before.elapsed(), EVERY);
        assert_eq!(hints.take_due(LANE), Some(committed(3)));
        assert_eq!(hints.take_due(LANE), None);
        hints.put(LANE, committed(4));
        assert_eq!(hints.take(LANE), Some(committed(4)), "it is given away");
        assert_eq!(hints.take(LANE), None);
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_to_commit_is_never_due() {
        let hints = OffsetCommits::default();
        let waited = tokio::time::timeout(EVERY * 10, hints.due(LANE)).await;
        assert!(waited.is_err());
    }
}
