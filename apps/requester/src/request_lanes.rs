//! The request lanes, seen from outside: whether anybody applies what was sent.
//!
//! How far a lane was applied stands in the database, and where it ends is asked of Kafka: one
//! statement and one question to each broker, every few seconds. So a lane is noticed that nobody
//! works on, or a stranger in the group of consumers has, and one whose consumer is stuck.

use std::collections::BTreeMap;
use std::time::Duration;

use catchment_bootstrap::{Readiness, chain, reasons};
use catchment_domain::ports::Acceptances as _;
use catchment_domain::{Lane, Lanes, Position};
use catchment_kafka::{ClusterError, KafkaLookout, Waiting};
use catchment_seaorm::SeaOrmStore;
use tokio::time::{Instant, sleep};

/// The name of what holds while every request lane with work moves.
pub(crate) const REQUEST_LANES: &str = "request lanes";

/// How often the lanes are looked at.
const LOOK: Duration = Duration::from_secs(5);
/// Of how many lanes that stand still it is asked why, at each look.
const ASKED: usize = 8;

/// Looks at the request lanes.
pub(crate) struct RequestLanes {
    store: SeaOrmStore,
    lookout: KafkaLookout,
    lanes: Lanes,
    stalled_after: Duration,
    watched: Watched,
}

impl RequestLanes {
    pub(crate) fn new(
        store: SeaOrmStore,
        lookout: KafkaLookout,
        lanes: Lanes,
        stalled_after: Duration,
    ) -> Self {
        Self { store, lookout, lanes, stalled_after, watched: Watched::default() }
    }

    /// Keeps telling whether every lane with work moves. While database or brokers do not
    /// answer, it says nothing: others do.
    pub(crate) async fn watch(mut self, readiness: Readiness) {
        loop {
            if self.look().await {
                match self.reason().await {
                    None => readiness.met(REQUEST_LANES),
                    Some(reason) => readiness.unmet(REQUEST_LANES, reason),
                }
            }
            sleep(LOOK.min(self.stalled_after)).await;
        }
    }

    /// Looks how far the lanes were applied and where they end. Says whether that is known.
    async fn look(&mut self) -> bool {
        let stored = match self.store.request_lanes().await {
            Ok(stored) => stored,
            Err(error) => return unknown(&error),
        };
        let ends = match self.lookout.ends(self.lanes).await {
            Ok(ends) => ends,
            Err(error) => return unknown(&error),
        };
        let now = Instant::now();
        for (lane, end) in ends {
            let place = stored.iter().find(|(stored, _)| *stored == lane);
            let place = place.and_then(|(_, row)| row.place_in(self.lookout.identity()));
            // One without a place in this log is named by the check of the topics.
            if let Some((_, next)) = place {
                self.watched.observe(lane, next, end, now);
            }
        }
        true
    }

    async fn reason(&mut self) -> Option<String> {
        let stalled = self.watched.stalled(Instant::now(), self.stalled_after);
        let (asked, rest) = stalled.split_at(stalled.len().min(ASKED));
        let mut said = Vec::new();
        for (lane, next) in asked {
            match self.lookout.waiting(*lane, *next).await {
                Ok(Waiting::Nothing) => self.watched.has_nothing(*lane),
                waiting => said.push(why(*lane, *next, waiting)),
            }
        }
        said.extend(rest.iter().map(|(lane, next)| format!("lane {lane} stands still at {next}")));
        reasons::join(said)
    }
}

/// What is not known is told of by whoever watches database and brokers.
fn unknown(error: &dyn std::error::Error) -> bool {
    tracing::debug!(error = chain(error), "the request lanes cannot be looked at");
    false
}

/// Why a lane stands still.
fn why(lane: Lane, next: Position, waiting: Result<Waiting, ClusterError>) -> String {
    let why = match waiting {
        Ok(Waiting::Records { holder: Some(member) }) => {
            format!("the consumers' group has given it to {member}, who applies nothing")
        }
        Ok(Waiting::Records { holder: None }) => {
            "no member of the consumers' group is known to have it".to_owned()
        }
        Ok(Waiting::OpenTransaction { from }) => {
            format!("a transaction that is open holds back the records from {from} on")
        }
        Ok(Waiting::Nothing) => "nothing waits there any more".to_owned(),
        Err(error) => error.to_string(),
    };
    format!("lane {lane} stands still at {next}: {why}")
}

/// What is known of the lanes.
#[derive(Debug, Default)]
struct Watched(BTreeMap<Lane, Standing>);

#[derive(Debug)]
struct Standing {
    /// How far it was applied.
    next: Position,
    /// One past its last record.
    end: Position,
    /// Below is nothing that would have to be applied.
    nothing_below: Position,
    /// Since when there was work and it did not move.
    since: Instant,
}

impl Standing {
    fn has_work(&self) -> bool {
        self.nothing_below < self.end
    }
}

impl Watched {
    /// Takes into account where a lane stands and ends.
    ///
    /// 1. A lane that was applied further has moved.
    /// 2. One that had no work until now begins to wait now.
    /// 3. Any other waits on.
    fn observe(&mut self, lane: Lane, next: Position, end: Position, now: Instant) {
        let new = Standing { next, end, nothing_below: next, since: now };
        let standing = self.0.entry(lane).or_insert(new);
        if standing.next != next {
            *standing = Standing { next, end, nothing_below: next, since: now };
        } else if !standing.has_work() {
            standing.since = now;
        }
        standing.end = end;
    }

    /// There is nothing in a lane that would have to be applied: the marks of transactions.
    fn has_nothing(&mut self, lane: Lane) {
        if let Some(standing) = self.0.get_mut(&lane) {
            standing.nothing_below = standing.end;
        }
    }

    /// The lanes that have work and have not moved for so long, with where they stand.
    fn stalled(&self, now: Instant, patience: Duration) -> Vec<(Lane, Position)> {
        let stalled = self.0.iter().filter(|(_, standing)| {
            standing.has_work() && patience <= now.saturating_duration_since(standing.since)
        });
        stalled.map(|(lane, standing)| (*lane, standing.next)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LANE: Lane = Lane(3);
    const PATIENCE: Duration = Duration::from_secs(30);

    /// A lane as it is seen at some seconds: how far it was applied, where it ends, and whether
    /// it stands still.
    fn check(seen: &[(u64, u64, u64, bool)]) {
        let (mut watched, start) = (Watched::default(), Instant::now());
        for (seconds, next, end, is_stalled) in seen {
            let now = start + Duration::from_secs(*seconds);
            watched.observe(LANE, Position(*next), Position(*end), now);
            let expected = if *is_stalled { vec![(LANE, Position(*next))] } else { Vec::new() };
            assert_eq!(watched.stalled(now, PATIENCE), expected, "after {seconds} s");
        }
    }

    #[test]
    fn a_lane_with_work_that_does_not_move_stands_still_after_a_while() {
        check(&[(0, 5, 9, false), (29, 5, 12, false), (30, 5, 12, true), (31, 6, 12, false)]);
    }

    #[test]
    fn a_lane_without_work_does_not_stand_still() {
        check(&[(0, 5, 5, false), (60, 5, 5, false), (120, 5, 6, false), (149, 5, 6, false)]);
        check(&[(0, 5, 5, false), (120, 5, 6, false), (150, 5, 6, true)]);
    }

    #[test]
    fn a_lane_that_moves_does_not_stand_still_however_far_it_is_behind() {
        check(&[(0, 5, 900, false), (20, 6, 900, false), (40, 7, 900, false), (69, 7, 900, false)]);
    }

    #[test]
    fn marks_of_transactions_are_no_work() {
        let (mut watched, start) = (Watched::default(), Instant::now());
        watched.observe(LANE, Position(5), Position(6), start);
        let late = start + PATIENCE;
        assert_eq!(watched.stalled(late, PATIENCE).len(), 1);
        watched.has_nothing(LANE);
        assert!(watched.stalled(late, PATIENCE).is_empty());
        watched.observe(LANE, Position(5), Position(7), late);
        assert!(watched.stalled(late, PATIENCE).is_empty(), "it waits from now on");
        assert_eq!(watched.stalled(late + PATIENCE, PATIENCE).len(), 1);
    }

    #[test]
    fn whoever_has_the_lane_is_named() {
        let why = |holder: Option<&str>| {
            let holder = holder.map(ToOwned::to_owned);
            why(LANE, Position(17), Ok(Waiting::Records { holder }))
        };
        assert_eq!(
            why(Some("`tool` at 10.0.0.7")),
            "lane 3 stands still at 17: the consumers' group has given it to `tool` at 10.0.0.7, \
             who applies nothing"
        );
        assert_eq!(
            why(None),
            "lane 3 stands still at 17: no member of the consumers' group is known to have it"
        );
    }
}
