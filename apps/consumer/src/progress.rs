//! The progress of this process's lanes, and its readiness condition.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use catchment_bootstrap::{Readiness, reasons};
use catchment_domain::Lane;
use tokio::time::{Instant, sleep};

/// The readiness condition that every lane with work moves.
pub(crate) const LANES: &str = "lanes";

/// How often to check the lanes.
const LOOK: Duration = Duration::from_secs(1);

/// The progress of this process's lanes. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Progress(Arc<Mutex<Standings>>);

#[derive(Debug, Default)]
struct Standings {
    lanes: BTreeMap<Lane, Standing>,
    /// Whether a lane has moved since the process began.
    has_moved: bool,
}

/// The progress of a lane.
#[derive(Clone, Debug)]
struct Standing {
    /// When the lane last moved or had nothing to do.
    moved_at: Instant,
    /// What has held the lane up since then, if it is known.
    held_up: Option<String>,
    /// Why the lane is set aside, until it moves again.
    set_aside: Option<String>,
}

impl Progress {
    /// Records that work on a lane begins. If the lane was set aside, it stays so until it moves.
    pub(crate) fn begin(&self, lane: Lane, now: Instant) {
        let mut standings = self.standings();
        let before = standings.lanes.remove(&lane);
        let set_aside = before.and_then(|before| before.set_aside);
        standings.lanes.insert(lane, Standing { moved_at: now, held_up: None, set_aside });
    }

    /// Records that a lane has moved, or has nothing to do.
    pub(crate) fn moved(&self, lane: Lane, now: Instant) {
        let mut standings = self.standings();
        standings.has_moved = true;
        if let Some(standing) = standings.lanes.get_mut(&lane) {
            *standing = Standing { moved_at: now, held_up: None, set_aside: None };
        }
    }

    /// Returns whether a lane has moved since the process began.
    pub(crate) fn has_moved(&self) -> bool {
        self.standings().has_moved
    }

    /// Records that a lane has been held up since `since`.
    pub(crate) fn held_up(&self, lane: Lane, cause: String, since: Instant) {
        if let Some(standing) = self.standings().lanes.get_mut(&lane) {
            standing.moved_at = standing.moved_at.min(since);
            standing.held_up = Some(cause);
        }
    }

    /// Records that a lane is set aside, because a human must look at it.
    pub(crate) fn set_aside(&self, lane: Lane, cause: String) {
        if let Some(standing) = self.standings().lanes.get_mut(&lane) {
            standing.set_aside = Some(cause);
        }
    }

    /// Forgets the lanes that no longer belong to this process.
    pub(crate) fn keep(&self, is_ours: impl Fn(Lane) -> bool) {
        self.standings().lanes.retain(|lane, _| is_ours(*lane));
    }

    /// Keeps the readiness condition up to date: each lane must move at least once within
    /// `stalled_after`.
    pub(crate) async fn watch(self, readiness: Readiness, stalled_after: Duration) {
        loop {
            match self.reason(Instant::now(), stalled_after) {
                None => readiness.met(LANES),
                Some(reason) => readiness.unmet(LANES, reason),
            }
            sleep(LOOK).await;
        }
    }

    /// Returns what is wrong, in words that stay the same as long as the problem.
    ///
    /// 1. A lane that is set aside is named at once.
    /// 2. A lane that has neither moved nor been without work for `stalled_after` is named.
    fn reason(&self, now: Instant, stalled_after: Duration) -> Option<String> {
        let standings = self.standings();
        let stalled = standings.lanes.iter().filter_map(|(lane, standing)| {
            let Standing { moved_at, held_up, set_aside } = standing;
            if let Some(cause) = set_aside {
                return Some(format!("lane {lane} is set aside, and a human must look: {cause}"));
            }
            if now.saturating_duration_since(*moved_at) < stalled_after {
                return None;
            }
            let cause = held_up.as_deref().unwrap_or("its transaction or its replies take long");
            Some(format!("lane {lane} does not move: {cause}"))
        });
        reasons::join(stalled)
    }

    fn standings(&self) -> MutexGuard<'_, Standings> {
        // Nothing panics while it holds the lock, and the data are whole at any time.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LANE: Lane = Lane(3);
    const PATIENCE: Duration = Duration::from_secs(30);

    struct Scene {
        progress: Progress,
        start: Instant,
    }

    impl Scene {
        fn new() -> Self {
            let (progress, start) = (Progress::default(), Instant::now());
            progress.begin(LANE, start);
            Self { progress, start }
        }

        fn at(&self, seconds: u64) -> Instant {
            self.start + Duration::from_secs(seconds)
        }

        fn check(&self, seconds: u64, expected: Option<&str>) {
            let reason = self.progress.reason(self.at(seconds), PATIENCE);
            assert_eq!(reason.as_deref(), expected, "after {seconds} s");
        }
    }

    #[test]
    fn a_lane_that_does_not_move_is_named_after_a_while_and_with_its_cause() {
        let scene = Scene::new();
        assert!(!scene.progress.has_moved());
        scene.progress.held_up(LANE, "the disk is full".to_owned(), scene.at(5));
        scene.check(29, None);
        scene.check(30, Some("lane 3 does not move: the disk is full"));
        scene.progress.moved(LANE, scene.at(40));
        scene.check(69, None);
        scene.check(70, Some("lane 3 does not move: its transaction or its replies take long"));
        assert!(scene.progress.has_moved());
        scene.progress.keep(|_| false);
        scene.check(70, None);
    }

    #[test]
    fn a_lane_is_held_up_since_the_cause_began() {
        let scene = Scene::new();
        scene.progress.moved(LANE, scene.at(10));
        scene.progress.held_up(LANE, "a transaction is open".to_owned(), scene.at(2));
        scene.check(31, None);
        scene.check(32, Some("lane 3 does not move: a transaction is open"));
    }

    #[test]
    fn a_lane_that_is_set_aside_is_named_at_once_until_it_moves() {
        let scene = Scene::new();
        scene.progress.set_aside(LANE, "records were lost".to_owned());
        let expected = "lane 3 is set aside, and a human must look: records were lost";
        scene.check(0, Some(expected));
        scene.progress.begin(LANE, scene.at(60));
        scene.progress.held_up(LANE, "the disk is full".to_owned(), scene.at(61));
        scene.check(61, Some(expected));
        scene.progress.moved(LANE, scene.at(62));
        scene.check(62, None);
    }

    #[test]
    fn a_lane_that_is_not_ours_is_not_noted() {
        let scene = Scene::new();
        scene.progress.keep(|lane| lane != LANE);
        scene.progress.held_up(LANE, "late".to_owned(), scene.start);
        scene.progress.set_aside(LANE, "late".to_owned());
        scene.check(100, None);
    }
}
