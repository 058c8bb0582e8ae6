//! Compares the lanes in the database with their logs: one look for services and commands.

use std::collections::BTreeMap;

use catchment_domain::ports::{Acceptances, Cluster, LogInspection, ShopLedger, StoreError};
use catchment_domain::{
    AcceptedLane, AnyLane, Committed, Comparison, Lane, LaneProblem, LogIdentity, Mismatch,
    Position, PositionRange, RequestLaneLog, StoredLane, StoredReplyLane, Unclear, UnclearLane,
    acceptance_of, compare_replies, compare_requests, is_whole_topic, outcomes_of,
};

use crate::lane_error::{LaneError, join};

/// A request lane.
#[derive(Clone, Debug)]
pub struct SeenLane {
    /// The lane.
    pub lane: Lane,
    /// What the database has.
    pub stored: StoredLane,
    /// What its log has; `None` where the cluster does not say so now.
    pub log: Option<RequestLaneLog>,
    /// Whether they fit each other.
    pub comparison: Comparison,
}

impl SeenLane {
    /// Returns how to accept the lane, or `None` if the lane works. `committed` is what the
    /// consumers have committed. `end` is one past the last record, including records of open
    /// transactions.
    ///
    /// # Errors
    ///
    /// When it is not known now whether, or where, the lane can go on.
    pub fn taken(
        &self,
        committed: Option<Committed>,
        end: Option<Position>,
    ) -> Result<Option<AcceptedLane>, Unclear> {
        match &self.comparison {
            Comparison::Unread | Comparison::Fits => return Ok(None),
            Comparison::Unclear(why) => return Err(*why),
            Comparison::Differs(_) => {}
        }
        let log = self.log.as_ref().ok_or(Unclear::Unseen)?;
        let Some(acceptance) = acceptance_of(&self.stored, log, committed) else {
            return Ok(None);
        };
        acceptance.check_end(end)?;
        let (lane, stored) = (self.lane, self.stored.clone());
        Ok(Some(AcceptedLane { lane, stored, committed, acceptance, last_id: None }))
    }
}

/// A reply lane.
#[derive(Clone, Debug)]
pub struct SeenReplyLane {
    /// What the database has.
    pub stored: StoredReplyLane,
    /// Whether it fits its log.
    pub comparison: Comparison,
}

impl SeenReplyLane {
    /// Compares a reply lane with a log that has so many lanes.
    pub(crate) fn new(stored: StoredReplyLane, log: (LogIdentity, u16)) -> Self {
        Self { comparison: compare_replies(&stored, log), stored }
    }
}

/// The lanes as they are seen at one time.
#[derive(Clone, Debug)]
pub struct SeenLanes {
    /// Every request lane, in order.
    pub requests: Vec<SeenLane>,
    /// The reply lanes that the database knows, in order.
    pub replies: Vec<SeenReplyLane>,
    /// Which log the replies are, and how many lanes it has.
    pub reply_log: (LogIdentity, u16),
}

/// How often to look until two looks in a row found the same. By then a requester that was sending
/// into a lane has sent what it may, and a partition without a leader may have one again.
const LOOKS: u32 = 5;

const ATTEMPT: &str = "could not look at the lanes";
const UNREAD: &str = "could not look at the lanes: could not read the database";

impl SeenLanes {
    /// Looks at all lanes. Only with the receipts is it known whether everything that was applied
    /// can be answered.
    ///
    /// # Errors
    ///
    /// When the logs or the database do not answer.
    pub async fn look(
        logs: &dyn LogInspection,
        lanes: &dyn Acceptances,
        receipts: Option<&dyn ShopLedger>,
    ) -> Result<Self, LaneError> {
        // Reads the database first. Logs only grow, so they still hold every record that the database
        // has read.
        let stored = lanes.request_lanes().await.map_err(unread)?;
        let replies = lanes.reply_lanes().await.map_err(unread)?;
        let log = logs.identity();
        let next = |stored: &StoredLane| stored.place_in(log).map_or(Position(0), |(_, next)| next);
        let places: Vec<_> = stored.iter().map(|(lane, row)| (*lane, next(row))).collect();
        let found = logs.request_logs(&places).await;
        let mut found = found.map_err(LaneError::logs(ATTEMPT))?;
        if let Some(receipts) = receipts {
            look_for_receipts((logs, receipts), &stored, &mut found).await?;
        }
        let seen = |(lane, stored): (Lane, StoredLane)| {
            let log = found.remove(&lane);
            let comparison = if let Some(log) = &log {
                compare_requests(&stored, log)
            } else {
                let unseen = Comparison::Unclear(Unclear::Unseen);
                stored.mismatch().map_or(unseen, Comparison::Differs)
            };
            SeenLane { lane, stored, log, comparison }
        };
        let requests = stored.into_iter().map(seen).collect();
        let reply_log = logs.reply_log().await.map_err(LaneError::logs(ATTEMPT))?;
        let replies = replies.into_iter().map(|stored| SeenReplyLane::new(stored, reply_log));
        Ok(Self { requests, replies: replies.collect(), reply_log })
    }

    /// Returns what two looks in a row found, and where each request lane ended before the second
    /// look. Looks again if the two looks found different problems.
    ///
    /// # Errors
    ///
    /// When the logs or the database do not answer.
    pub async fn look_twice(
        cluster: &dyn Cluster,
        lanes: &dyn Acceptances,
        receipts: &dyn ShopLedger,
    ) -> Result<(Self, BTreeMap<Lane, Position>), LaneError> {
        let mut before = Self::look(cluster, lanes, Some(receipts)).await?;
        let mut look = 2;
        loop {
            if !before.is_fine() {
                cluster.catch_up().await;
            }
            // Asked for before the look: if what may be read ends earlier even then, a transaction
            // is open.
            let ends = cluster.request_ends().await;
            let ends = ends.map_err(LaneError::logs("could not look at the request topic"))?;
            let now = Self::look(cluster, lanes, Some(receipts)).await?;
            let confirmed = now.clone().confirmed_by(&before);
            if look == LOOKS || confirmed.unclear().next().is_none() {
                return Ok((confirmed, ends));
            }
            (before, look) = (now, look + 1);
        }
    }

    /// Whether every lane can go on, by all that is known.
    #[must_use]
    pub fn is_fine(&self) -> bool {
        self.problems().next().is_none() && self.unclear().next().is_none()
    }

    /// Checks that every lane can go on.
    ///
    /// # Errors
    ///
    /// When a lane cannot, or it is not known whether it can.
    pub(crate) fn check(&self) -> Result<(), LaneError> {
        let problems = self.problems().map(|problem| problem.to_string());
        join(problems.chain(self.unclear().map(|unclear| unclear.to_string())))
    }

    /// Keeps only the problems that this look and the one before both found, by
    /// [`Comparison::confirmed_by`].
    #[must_use]
    pub fn confirmed_by(mut self, before: &Self) -> Self {
        for seen in &mut self.requests {
            let before = before.requests.iter().find(|before| before.lane == seen.lane);
            seen.comparison = confirmed(&seen.comparison, before.map(|seen| &seen.comparison));
        }
        for seen in &mut self.replies {
            let lane = seen.stored.lane;
            let before = before.replies.iter().find(|before| before.stored.lane == lane);
            seen.comparison = confirmed(&seen.comparison, before.map(|seen| &seen.comparison));
        }
        self
    }

    /// The lanes of which it is not known whether they can go on.
    pub fn unclear(&self) -> impl Iterator<Item = UnclearLane> + '_ {
        let requests = self.requests.iter().filter_map(|seen| {
            Some(UnclearLane {
                lane: AnyLane::Requests(seen.lane),
                why: seen.comparison.unclear()?,
            })
        });
        let replies = self.replies.iter().filter_map(|seen| {
            let (lane, why) = (AnyLane::Replies(seen.stored.lane), seen.comparison.unclear()?);
            Some(UnclearLane { lane, why })
        });
        requests.chain(replies)
    }

    /// The lanes that cannot go on as they are.
    pub fn problems(&self) -> impl Iterator<Item = LaneProblem> + '_ {
        let requests = self.requests.iter().filter_map(|seen| {
            Some(LaneProblem::of(seen.lane, seen.comparison.mismatch()?.clone()))
        });
        let replies = self.replies.iter().filter_map(|seen| {
            Some(LaneProblem::of_replies(seen.stored.lane, seen.comparison.mismatch()?.clone()))
        });
        requests.chain(replies)
    }

    /// What is wrong with whole topics: no lane can go on.
    #[must_use]
    pub fn whole_topics(&self) -> Vec<String> {
        let is_request = |problem: &LaneProblem| matches!(problem.lane, AnyLane::Requests(_));
        let requests = is_whole_topic(self.requests.iter().map(|seen| &seen.comparison));
        let replies = is_whole_topic(self.replies.iter().map(|seen| &seen.comparison));
        let of_topics = || self.problems().filter(|problem| problem.mismatch.is_of_topic());
        let whole = [
            requests.then(|| ("request", of_topics().find(is_request))),
            replies.then(|| ("reply", of_topics().find(|problem| !is_request(problem)))),
        ];
        let words = |(kind, problem): (&str, Option<LaneProblem>)| {
            let LaneProblem { lane, mismatch } = problem?;
            let advice = if mismatch == Mismatch::LeftLog {
                "name another topic in `kafka.requests_topic`"
            } else {
                "use the topics and the cluster that belong to this database"
            };
            Some(format!(
                "no {kind} lane can go on: {lane}: {mismatch}; {advice}, or take the lanes as they \
                 are by `catchment lanes accept --all`"
            ))
        };
        whole.into_iter().flatten().filter_map(words).collect()
    }
}

/// A lane that was not there before was not read.
fn confirmed(now: &Comparison, before: Option<&Comparison>) -> Comparison {
    now.clone().confirmed_by(before.unwrap_or(&Comparison::Unread))
}

/// Looks in each lane for the first request that was applied and not answered, and that has no receipt.
async fn look_for_receipts(
    (logs, receipts): (&dyn LogInspection, &dyn ShopLedger),
    stored: &[(Lane, StoredLane)],
    found: &mut BTreeMap<Lane, RequestLaneLog>,
) -> Result<(), LaneError> {
    let open = stored.iter().filter_map(|(lane, stored)| {
        let log = found.get(lane)?;
        let (replied, applied) = stored.place_in(log.log).ok()?;
        Some((*lane, PositionRange::of(replied.max(log.first), applied.min(log.end))?))
    });
    let open: Vec<(Lane, PositionRange)> = open.collect();
    let requests = logs.requests_between(&open).await;
    let mut requests = requests.map_err(LaneError::logs(ATTEMPT))?;
    for (lane, range) in open {
        let requests = requests.remove(&lane).unwrap_or_default();
        let without = match receipts.receipts(lane, range.from, range.to).await {
            Ok(receipts) => outcomes_of(requests, receipts).err(),
            Err(StoreError::BadData { .. }) => Some(range.from),
            Err(error) => return Err(unread(error)),
        };
        if let Some(log) = found.get_mut(&lane) {
            log.without_receipt = without;
        }
    }
    Ok(())
}

fn unread(source: StoreError) -> LaneError {
    LaneError::Database { attempt: UNREAD, source }
}

#[cfg(test)]
mod tests {
    use catchment_domain::{Epoch, LaneProgress, ReplyLane};

    use super::*;

    const LOG: LogIdentity = LogIdentity { id: 1, lasting: true };
    const OTHER: LogIdentity = LogIdentity { id: 2, lasting: true };

    /// A lane of which 9 records of a log were applied and answered, with records from `first` up to
    /// 12.
    fn lane(read: LogIdentity, first: u64) -> SeenLane {
        let (lane, next) = (Lane(2), Position(9));
        let (log, epoch, applied_next, replied_next) = (Some(read), Epoch(4), next, next);
        let progress = LaneProgress { lane, log, epoch, applied_next, replied_next };
        let stored = StoredLane::Known { progress, last_id: None, left: Vec::new() };
        let (first, end) = (Position(first), Position(12));
        let log = RequestLaneLog { log: LOG, first, end, before: None, without_receipt: None };
        let comparison = compare_requests(&stored, &log);
        SeenLane { lane, stored, log: Some(log), comparison }
    }

    #[test]
    fn a_lane_is_taken_where_it_is_known_that_it_cannot_go_on_and_where_it_can() {
        let unseen = |seen: SeenLane| SeenLane {
            log: None,
            comparison: Comparison::Unclear(Unclear::Unseen),
            ..seen
        };
        let (at_end, in_log) = (Ok(Some(Position(12))), Ok(Some(Position(10))));
        let held_back = Err(Unclear::OpenTransaction { from: Position(12) });
        for (seen, end, expected) in [
            (lane(LOG, 0), Some(12), Ok(None)),
            (lane(OTHER, 0), Some(12), at_end),
            (lane(OTHER, 0), Some(14), held_back),
            (lane(OTHER, 0), None, Err(Unclear::Unseen)),
            (lane(LOG, 10), Some(14), in_log),
            (lane(LOG, 10), None, in_log),
            (unseen(lane(OTHER, 0)), Some(12), Err(Unclear::Unseen)),
        ] {
            let taken = seen.taken(None, end.map(Position));
            let next = taken.map(|taken| taken.map(|lane| lane.acceptance.applied_next));
            assert_eq!(next, expected, "{seen:?} {end:?}");
        }
    }

    /// Lanes of requests and of replies, as they were compared.
    fn seen(requests: &[Comparison], replies: &[Comparison]) -> SeenLanes {
        let request = |(number, comparison): (u16, &Comparison)| SeenLane {
            lane: Lane(number),
            comparison: comparison.clone(),
            ..lane(LOG, 0)
        };
        let reply = |(lane, comparison): (u16, &Comparison)| SeenReplyLane {
            stored: StoredReplyLane { lane: ReplyLane(lane), row: None },
            comparison: comparison.clone(),
        };
        SeenLanes {
            requests: (0..).zip(requests).map(request).collect(),
            replies: (0..).zip(replies).map(reply).collect(),
            reply_log: (LogIdentity { id: 1, lasting: true }, 3),
        }
    }

    #[test]
    fn a_service_that_can_read_no_lane_says_what_to_do() {
        for (mismatch, advice) in [
            (
                Mismatch::OtherLog,
                "the database has read it in another topic or cluster; use the topics and the \
                 cluster that belong to this database",
            ),
            (
                Mismatch::LeftLog,
                "the database has left this topic by `catchment topics move`; name another topic in \
                 `kafka.requests_topic`",
            ),
        ] {
            let differs = Comparison::Differs(mismatch);
            let seen = seen(&[differs.clone(), differs], &[Comparison::Fits]);
            let line = format!(
                "no request lane can go on: lane 0: {advice}, or take the lanes as they are by \
                 `catchment lanes accept --all`"
            );
            assert_eq!(seen.whole_topics(), [line]);
        }
    }

    #[test]
    fn only_what_two_looks_found_counts_and_the_rest_is_unclear() {
        let differs = || Comparison::Differs(Mismatch::OtherLog);
        let unseen = || Comparison::Unclear(Unclear::Unseen);
        let before = seen(&[differs(), Comparison::Fits, differs(), unseen()], &[Comparison::Fits]);
        let now = seen(
            &[differs(), differs(), Comparison::Fits, differs()],
            &[Comparison::Fits, differs()],
        );
        let confirmed = now.confirmed_by(&before);
        let lanes: Vec<_> = confirmed.problems().map(|found| found.lane).collect();
        assert_eq!(lanes, [AnyLane::Requests(Lane(0))]);
        let unclear: Vec<_> = confirmed.unclear().map(|found| (found.lane, found.why)).collect();
        let expected = [
            (AnyLane::Requests(Lane(1)), Unclear::Unsteady),
            (AnyLane::Requests(Lane(3)), Unclear::Unseen),
            (AnyLane::Replies(ReplyLane(1)), Unclear::Unsteady),
        ];
        assert_eq!(unclear, expected);
    }
}
