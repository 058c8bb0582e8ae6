//! What must be drained before the database is moved away from its topics.

use std::ops::Range;

use anyhow::{Context as _, bail};
use catchment_bootstrap::service::kafka::close_lookout;
use catchment_bootstrap::service::lanes::{SeenLane, SeenLanes, SeenReplyLane};
use catchment_domain::{
    AnyLane, BeforeMove, Behind, Lane, LaneBeforeMove, Lanes, Mismatch, Position, ReplyLane,
    ReplyLaneBeforeMove, Unclear, UnclearLane,
};
use catchment_kafka::{KafkaCluster, KafkaLookout, TopicProblem};

use crate::stores::Stores;

/// Looks at everything that must be drained.
///
/// # Errors
///
/// When a topic is missing, the request topic has fewer partitions than there are lanes, the
/// database is older than the request log, it is not known now whether a lane fits its log, or the
/// brokers or the database do not answer.
pub(super) async fn look(cluster: &KafkaCluster, stores: &Stores) -> anyhow::Result<BeforeMove> {
    let lanes = stores.shops.lanes();
    let beyond = partitions_beyond(cluster, lanes).await?;
    // What was read since the backup would be lost with the log.
    super::restored::check_age(cluster, stores).await?;
    let lookout = cluster.lookout(lanes)?;
    let looked = look_with((cluster, &lookout), stores, beyond).await;
    close_lookout(&lookout).await;
    looked
}

/// Checks that the topics are there, and that the request topic has a partition for each lane.
/// Returns the partitions that it has beyond the lanes.
async fn partitions_beyond(cluster: &KafkaCluster, lanes: Lanes) -> anyhow::Result<Range<u16>> {
    let problems = cluster.check_topics(lanes).await.context("could not look at the topics")?;
    let mut partitions = lanes.count();
    for problem in problems {
        match problem {
            TopicProblem::OtherPartitions { found, expected, .. } if expected < found => {
                partitions = u16::try_from(found).unwrap_or(u16::MAX);
            }
            // The database leaves the topic of dead letters, too.
            TopicProblem::FewerThanLanes { .. } => {}
            problem => bail!("{problem}"),
        }
    }
    Ok(lanes.count()..partitions)
}

async fn look_with(
    (cluster, lookout): (&KafkaCluster, &KafkaLookout),
    stores: &Stores,
    beyond: Range<u16>,
) -> anyhow::Result<BeforeMove> {
    // Asked first: once nobody is there, nothing moves any more.
    let members = lookout.members().await.context("could not look at the consumers' group")?;
    let campaigns = stores.campaigns.list().await?;
    let seen = SeenLanes::look(cluster, &*stores.acceptances, Some(&*stores.ledger)).await;
    let seen = seen.context("could not look at the lanes")?;
    let unclear: Vec<String> = seen.unclear().map(|unclear| unclear.to_string()).collect();
    if !unclear.is_empty() {
        bail!("{}", unclear.join("; "));
    }
    // Nothing in a log that was left is ever read.
    let is_left = |lane: &SeenLane| lane.comparison.mismatch() == Some(&Mismatch::LeftLog);
    let beyond = if seen.requests.iter().all(is_left) {
        Vec::new()
    } else {
        records_beyond((cluster, lookout), beyond).await?
    };
    let requests = requests(lookout, stores.shops.lanes(), seen.requests).await?;
    let replies = replies(cluster, seen.replies).await?;
    Ok(BeforeMove { members, requests, beyond, replies, campaigns })
}

/// The partitions among these that hold records, and the first record of each.
async fn records_beyond(
    (cluster, lookout): (&KafkaCluster, &KafkaLookout),
    partitions: Range<u16>,
) -> anyhow::Result<Vec<(Lane, Position)>> {
    if partitions.is_empty() {
        return Ok(Vec::new());
    }
    let from_start: Vec<_> = partitions.map(|number| (Lane(number), Position(0))).collect();
    let logs = cluster.request_logs(&from_start).await;
    let logs = logs.context("could not look at the request topic")?;
    let mut found = Vec::new();
    for (partition, _) in from_start {
        let Some(log) = logs.get(&partition) else {
            let lane = AnyLane::Requests(partition);
            bail!("{}", UnclearLane { lane, why: Unclear::Unseen });
        };
        let behind = lookout.behind(partition, log.first).await;
        match behind.with_context(|| format!("could not look at partition {partition}"))? {
            Behind::Nothing => {}
            Behind::Records => found.push((partition, log.first)),
            Behind::OpenTransaction { from } => found.push((partition, from)),
        }
    }
    Ok(found)
}

/// The request lanes, each with what stands behind the last request that was applied.
async fn requests(
    lookout: &KafkaLookout,
    lanes: Lanes,
    seen: Vec<SeenLane>,
) -> anyhow::Result<Vec<LaneBeforeMove>> {
    let ends = lookout.ends(lanes).await.context("could not look at the request topic")?;
    let mut requests = Vec::with_capacity(seen.len());
    for SeenLane { lane, stored, comparison, .. } in seen {
        let behind = match stored.place_in(lookout.identity()) {
            // Nothing stands there, not even in an open transaction.
            Ok((_, applied)) if ends.contains(&(lane, applied)) => Behind::Nothing,
            Ok((_, applied)) => {
                let behind = lookout.behind(lane, applied).await;
                behind.with_context(|| format!("could not look at lane {lane}"))?
            }
            Err(_) => Behind::Nothing,
        };
        let mismatch = comparison.mismatch().cloned();
        requests.push(LaneBeforeMove { lane, stored, mismatch, behind });
    }
    Ok(requests)
}

/// The reply lanes, each with what stands behind the last reply that was recorded.
async fn replies(
    cluster: &KafkaCluster,
    seen: Vec<SeenReplyLane>,
) -> anyhow::Result<Vec<ReplyLaneBeforeMove>> {
    let position = |SeenReplyLane { stored, comparison }: &SeenReplyLane| {
        let row = stored.row.as_ref()?.as_ref().ok()?;
        comparison.mismatch().is_none().then_some((stored.lane, row.position))
    };
    let (_, ends) = cluster.reply_ends().await.context("could not look at the reply topic")?;
    let is_at_end = |(lane, next): &(ReplyLane, Position)| ends.get(lane) == Some(next);
    let positions = seen.iter().filter_map(position);
    let positions: Vec<_> = positions.filter(|position| !is_at_end(position)).collect();
    let behind = cluster.replies_behind(&positions).await;
    let behind = behind.context("could not look at the reply topic")?;
    let reply = |SeenReplyLane { stored, comparison }: SeenReplyLane| {
        let behind = behind.get(&stored.lane).copied().unwrap_or(Behind::Nothing);
        let mismatch = comparison.mismatch().cloned();
        ReplyLaneBeforeMove { stored, mismatch, behind }
    };
    Ok(seen.into_iter().map(reply).collect())
}
