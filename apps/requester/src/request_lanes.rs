//! Watches the request lanes from outside, to see whether a consumer applies what was sent.
//!
//! The database knows how far a lane was applied, and Kafka knows where the lane ends. One
//! statement and one question to each broker, every few seconds, therefore find three kinds of
//! lanes: a lane without a consumer, a lane that a stranger in the group of consumers holds, and a
//! lane whose consumer is stuck.

use std::collections::BTreeMap;
use std::time::Duration;

use catchment_bootstrap::{Readiness, chain, reasons};
use catchment_domain::ports::{
    Acceptances as _, ConsumerGroup as _, InspectionError, LogInspection as _,
};
use catchment_domain::{AnyLane, Behind, Lane, Position};
use catchment_kafka::KafkaLookout;
use catchment_seaorm::SeaOrmStore;
use tokio::time::{Instant, sleep};

/// The readiness condition that every request lane with work moves.
pub(crate) const REQUEST_LANES: &str = "request lanes";

/// How often to check the lanes.
const LOOK: Duration = Duration::from_secs(5);
/// For how many lanes that stand still each check asks for the reason.
const ASKED: usize = 8;

/// Watches the request lanes.
pub(crate) struct RequestLanes {
    store: SeaOrmStore,
    lookout: KafkaLookout,
    stalled_after: Duration,
    watched: Watched,
}

impl RequestLanes {
    pub(crate) fn new(store: SeaOrmStore, lookout: KafkaLookout, stalled_after: Duration) -> Self {
        Self { store, lookout, stalled_after, watched: Watched::default() }
    }

    /// Keeps the readiness condition up to date. While the database or the brokers do not answer,
    /// the condition stays as it is: other conditions report that.
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

    /// Reads how far the lanes were applied and where they end. Returns whether both are known.
    async fn look(&mut self) -> bool {
        let known = async {
            let stored = self.store.request_lanes().await.map_err(|error| chain(&error))?;
            let ends = self.lookout.request_ends().await.map_err(|error| chain(&error))?;
            Ok::<_, String>((stored, ends))
        };
        let (stored, ends) = match known.await {
            Ok(known) => known,
            Err(error) => {
                // Conditions of their own report it.
                tracing::debug!(error, "the request lanes cannot be looked at");
                return false;
            }
        };
        let now = Instant::now();
        for (lane, end) in ends {
            let place = stored.iter().find(|(stored, _)| *stored == lane);
            let place = place.and_then(|(_, row)| row.place_in(self.lookout.identity()).ok());
            // The check of the topics names a lane that was not read in this log.
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
        // That the brokers do not say it is no reason to say nothing.
        let holders = match asked {
            [] => BTreeMap::new(),
            _ => self.lookout.holders().await.unwrap_or_default(),
        };
        for (lane, next) in asked {
            match self.lookout.behind(AnyLane::Requests(*lane), *next).await {
                Ok(Behind::Nothing) => self.watched.has_nothing(*lane),
                behind => said.push(why(*lane, *next, behind, holders.get(lane))),
            }
        }
        said.extend(rest.iter().map(|(lane, next)| format!("lane {lane} stands still at {next}")));
        reasons::join(said)
    }
}

/// Returns the reason why a lane stands still.
fn why(
    lane: Lane,
    next: Position,
    behind: Result<Behind, InspectionError>,
    holder: Option<&String>,
) -> String {
    let why = match (behind, holder) {
        (Ok(Behind::Records), Some(member)) => {
            format!("the consumers' group has given it to {member}, who applies nothing")
        }
        (Ok(Behind::Records), None) => {
            "no member of the consumers' group is known to have it".to_owned()
        }
        (Ok(Behind::OpenTransaction { from }), _) => {
            format!("a transaction that is open holds back the records from {from} on")
        }
        (Ok(Behind::Nothing), _) => "nothing waits there any more".to_owned(),
        (Err(error), _) => error.to_string(),
    };
    format!("lane {lane} stands still at {next}: {why}")
}

/// The state of each lane.
#[derive(Debug, Default)]
struct Watched(BTreeMap<Lane, Standing>);

#[derive(Debug)]
struct Standing {
    /// How far the lane was applied.
    next: Position,
    /// The position behind the lane's last record.
    end: Position,
    /// The position below which nothing has to be applied.
    nothing_below: Position,
    /// Since when the lane has had work and has not moved.
    since: Instant,
}

impl Standing {
    fn has_work(&self) -> bool {
        self.nothing_below < self.end
    }
}

impl Watched {
    /// Records where a lane stands and ends.
    ///
    /// 1. If the lane was applied further, it has moved.
    /// 2. If the lane had no work until now, it begins to wait now.
    /// 3. Otherwise the lane goes on waiting.
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

    /// Records that the lane holds nothing to apply, but only the marks of transactions.
    fn has_nothing(&mut self, lane: Lane) {
        if let Some(standing) = self.0.get_mut(&lane) {
            standing.nothing_below = standing.end;
        }
    }

    /// Returns the lanes that have had work and have not moved for `patience`, with their
    /// positions.
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

    /// Observes a lane at these seconds: how far it was applied, where it ends, and whether it must
    /// count as standing still.
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
            why(LANE, Position(17), Ok(Behind::Records), holder.as_ref())
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
