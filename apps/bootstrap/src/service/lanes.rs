//! The lanes as database and Kafka show them: one look for services and commands.

use std::collections::BTreeMap;

use catchment_domain::ports::{Acceptances, ShopLedger, StoreError};
use catchment_domain::{
    AnyLane, Comparison, Lane, LaneProblem, LogIdentity, Position, PositionRange, RequestLaneLog,
    StoredLane, StoredReplyLane, compare_replies, compare_requests, is_whole_topic, outcomes_of,
};
use catchment_kafka::{ClusterError, KafkaCluster};
use thiserror::Error;

/// A request lane.
#[derive(Clone, Debug)]
pub struct SeenLane {
    /// The lane.
    pub lane: Lane,
    /// What the database has.
    pub stored: StoredLane,
    /// What Kafka has; `None` where it does not say so just now.
    pub log: Option<RequestLaneLog>,
    /// Whether they fit each other.
    pub comparison: Comparison,
}

/// A reply lane.
#[derive(Clone, Debug)]
pub struct SeenReplyLane {
    /// What the database has.
    pub stored: StoredReplyLane,
    /// Whether it fits the topic.
    pub comparison: Comparison,
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

/// Why lanes could not be looked at.
#[derive(Debug, Error)]
pub enum LookError {
    /// The database does not answer.
    #[error("could not read the database")]
    Store(#[from] StoreError),
    /// The brokers do not answer.
    #[error(transparent)]
    Kafka(#[from] ClusterError),
}

impl SeenLanes {
    /// Looks at all lanes. Only with the receipts is it known whether everything that was applied
    /// can be answered.
    ///
    /// # Errors
    ///
    /// When brokers or database do not answer.
    pub async fn look(
        cluster: &KafkaCluster,
        lanes: &dyn Acceptances,
        receipts: Option<&dyn ShopLedger>,
    ) -> Result<Self, LookError> {
        // Before the topics: they only grow, and so no record that was read is missed in them.
        let stored = lanes.request_lanes().await?;
        let replies = lanes.reply_lanes().await?;
        let log = cluster.requests_identity();
        let next = |stored: &StoredLane| stored.place_in(log).map_or(Position(0), |(_, next)| next);
        let places: Vec<_> = stored.iter().map(|(lane, row)| (*lane, next(row))).collect();
        let mut logs = cluster.request_logs(&places).await?;
        if let Some(receipts) = receipts {
            look_for_receipts((cluster, receipts), &stored, &mut logs).await?;
        }
        let seen = |(lane, stored): (Lane, StoredLane)| {
            let log = logs.remove(&lane);
            let comparison = match &log {
                Some(log) => compare_requests(&stored, log),
                None => stored.mismatch().map_or(Comparison::Unread, Comparison::Differs),
            };
            SeenLane { lane, stored, log, comparison }
        };
        let requests = stored.into_iter().map(seen).collect();
        let reply_log = (cluster.replies_identity(), cluster.reply_partitions().await?);
        let seen =
            |stored| SeenReplyLane { comparison: compare_replies(&stored, reply_log), stored };
        Ok(Self { requests, replies: replies.into_iter().map(seen).collect(), reply_log })
    }

    /// What both looks found. A broker that is behind can cause a problem that one look finds.
    #[must_use]
    pub fn confirmed_by(mut self, before: &Self) -> Self {
        for seen in &mut self.requests {
            let before = before.requests.iter().find(|before| before.lane == seen.lane);
            was_fine(before.map(|before| &before.comparison), &mut seen.comparison);
        }
        for seen in &mut self.replies {
            let lane = seen.stored.lane;
            let before = before.replies.iter().find(|before| before.stored.lane == lane);
            was_fine(before.map(|before| &before.comparison), &mut seen.comparison);
        }
        self
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
            Some(format!(
                "no {kind} lane can go on: {lane}: {mismatch}; use the topics and the cluster that \
                 belong to this database, or take the lanes as they are by \
                 `catchment lanes accept --all`"
            ))
        };
        whole.into_iter().flatten().filter_map(words).collect()
    }
}

/// What was fine before, or not there, is not taken for wrong.
fn was_fine(before: Option<&Comparison>, now: &mut Comparison) {
    let before = before.unwrap_or(&Comparison::Unread);
    if before.mismatch().is_none() {
        now.clone_from(before);
    }
}

/// Looks in each lane for the first request that was applied and not answered, and that has no receipt.
async fn look_for_receipts(
    (cluster, receipts): (&KafkaCluster, &dyn ShopLedger),
    stored: &[(Lane, StoredLane)],
    logs: &mut BTreeMap<Lane, RequestLaneLog>,
) -> Result<(), LookError> {
    let open = stored.iter().filter_map(|(lane, stored)| {
        let log = logs.get(lane)?;
        let (replied, applied) = stored.place_in(log.log).ok()?;
        Some((*lane, PositionRange::of(replied.max(log.first), applied.min(log.end))?))
    });
    let open: Vec<(Lane, PositionRange)> = open.collect();
    let mut requests = cluster.requests_between(&open).await?;
    for (lane, range) in open {
        let requests = requests.remove(&lane).unwrap_or_default();
        let without = match receipts.receipts(lane, range.from, range.to).await {
            Ok(receipts) => outcomes_of(requests, receipts).err(),
            Err(StoreError::BadData { .. }) => Some(range.from),
            Err(error) => return Err(error.into()),
        };
        if let Some(log) = logs.get_mut(&lane) {
            log.without_receipt = without;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use catchment_domain::{Epoch, LaneRemains, Mismatch, ReplyLane};

    use super::*;

    /// Lanes of requests and of replies, by whether each differs.
    fn seen(requests: &[bool], replies: &[bool]) -> SeenLanes {
        let comparison = |differs: bool| {
            if differs { Comparison::Differs(Mismatch::OtherLog) } else { Comparison::Fits }
        };
        let request = |(lane, differs): (u16, &bool)| SeenLane {
            lane: Lane(lane),
            stored: StoredLane::Lost {
                unreadable: None,
                remains: LaneRemains { epoch: Epoch(0), read: None },
            },
            log: None,
            comparison: comparison(*differs),
        };
        let reply = |(lane, differs): (u16, &bool)| SeenReplyLane {
            stored: StoredReplyLane { lane: ReplyLane(lane), row: None },
            comparison: comparison(*differs),
        };
        SeenLanes {
            requests: (0..).zip(requests).map(request).collect(),
            replies: (0..).zip(replies).map(reply).collect(),
            reply_log: (LogIdentity { id: 1, lasting: true }, 3),
        }
    }

    #[test]
    fn only_what_two_looks_found_counts() {
        let before = seen(&[true, false, true], &[false]);
        let now = seen(&[true, true, false], &[true, true]);
        let lanes: Vec<_> = now.confirmed_by(&before).problems().map(|found| found.lane).collect();
        assert_eq!(lanes, [AnyLane::Requests(Lane(0))]);
    }
}
