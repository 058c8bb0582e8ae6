//! What must be drained before the database is moved away from its topics.

use std::ops::Range;

use anyhow::{Context as _, bail};
use catchment_bootstrap::service::kafka::close_lookout;
use catchment_bootstrap::service::lanes::{SeenLane, SeenLanes, SeenReplyLane};
use catchment_domain::service::CampaignPages;
use catchment_domain::{
    AnyLane, BeforeMove, Behind, Lane, LaneBeforeMove, Lanes, Mismatch, Position, ReplyLane,
    ReplyLaneBeforeMove, StoredLane, Unclear, UnclearLane, compare_replies,
};
use catchment_kafka::{KafkaCluster, KafkaLookout, TopicProblem};

use crate::stores::Stores;

/// How far the request topic matters.
enum RequestTopic {
    /// Nothing: the database has left it, in these lanes.
    Left(Vec<(Lane, StoredLane)>),
    /// Every partition: one for each lane, and these beyond the lanes.
    Read {
        /// The partitions that have no lane.
        beyond: Range<u16>,
    },
}

/// Looks at everything that must be drained.
///
/// # Errors
///
/// When a topic is missing, the request topic has fewer partitions than there are lanes and was not
/// left, the database is older than the request log, Kafka does not say whether a lane fits its log, or
/// the brokers or the database do not answer.
pub(super) async fn look(cluster: &KafkaCluster, stores: &Stores) -> anyhow::Result<BeforeMove> {
    let lanes = stores.shops.lanes();
    let topic = request_topic(cluster, stores).await?;
    // What was read since the backup would be lost with the log.
    super::restored::check_age(cluster, stores).await?;
    let lookout = cluster.lookout(lanes)?;
    let looked = look_with((cluster, &lookout), stores, topic).await;
    close_lookout(&lookout).await;
    looked
}

/// Checks that the topics are there. Checks that the request topic has a partition for each lane,
/// unless the database has left it in every lane: then nothing in it is ever read.
async fn request_topic(cluster: &KafkaCluster, stores: &Stores) -> anyhow::Result<RequestTopic> {
    let lanes = stores.shops.lanes();
    let problems = cluster.check_topics(lanes).await.context("could not look at the topics")?;
    let (mut partitions, mut too_few) = (lanes.count(), None);
    for problem in problems {
        match problem {
            TopicProblem::OtherPartitions { found, expected, .. } if expected < found => {
                partitions = u16::try_from(found).unwrap_or(u16::MAX);
            }
            problem @ TopicProblem::OtherPartitions { .. } => too_few = Some(problem),
            // The database leaves the topic of dead letters, too.
            TopicProblem::FewerThanLanes { .. } => {}
            problem => bail!("{problem}"),
        }
    }
    let log = cluster.requests_identity();
    let known = stores.acceptances.request_lanes().await?;
    if known.iter().all(|(_, lane)| matches!(lane.place_in(log), Err(Mismatch::LeftLog))) {
        return Ok(RequestTopic::Left(known));
    }
    match too_few {
        Some(problem) => bail!("{problem}"),
        None => Ok(RequestTopic::Read { beyond: lanes.count()..partitions }),
    }
}

async fn look_with(
    (cluster, lookout): (&KafkaCluster, &KafkaLookout),
    stores: &Stores,
    topic: RequestTopic,
) -> anyhow::Result<BeforeMove> {
    // Asked first: once nobody is there, nothing moves any more.
    let members = lookout.members().await.context("could not look at the consumers' group")?;
    let campaigns = CampaignPages::new(&*stores.campaigns).all().await?;
    let (requests, beyond, seen_replies) = match topic {
        // Kafka is not asked: it may not even have a partition for each lane.
        RequestTopic::Left(known) => {
            let left = |(lane, stored)| {
                let (mismatch, behind) = (Some(Mismatch::LeftLog), Behind::Nothing);
                LaneBeforeMove { lane, stored, mismatch, behind }
            };
            let requests: Vec<_> = known.into_iter().map(left).collect();
            (requests, Vec::new(), see_replies(cluster, stores).await?)
        }
        RequestTopic::Read { beyond } => {
            let seen = see_lanes(cluster, stores).await?;
            let beyond = records_beyond((cluster, lookout), beyond).await?;
            let requests = requests(lookout, stores.shops.lanes(), seen.requests).await?;
            (requests, beyond, seen.replies)
        }
    };
    let replies = replies(cluster, seen_replies).await?;
    Ok(BeforeMove { members, requests, beyond, replies, campaigns })
}

/// Looks at all lanes. Fails if Kafka does not say of each lane whether it fits its log.
async fn see_lanes(cluster: &KafkaCluster, stores: &Stores) -> anyhow::Result<SeenLanes> {
    let seen = SeenLanes::look(cluster, &*stores.acceptances, Some(&*stores.ledger)).await;
    let seen = seen.context("could not look at the lanes")?;
    let unclear: Vec<String> = seen.unclear().map(|unclear| unclear.to_string()).collect();
    if !unclear.is_empty() {
        bail!("{}", unclear.join("; "));
    }
    Ok(seen)
}

/// Looks at the reply lanes alone.
async fn see_replies(
    cluster: &KafkaCluster,
    stores: &Stores,
) -> anyhow::Result<Vec<SeenReplyLane>> {
    let replies = stores.acceptances.reply_lanes().await?;
    let partitions =
        cluster.reply_partitions().await.context("could not look at the reply topic")?;
    let log = (cluster.replies_identity(), partitions);
    let seen = |stored| SeenReplyLane { comparison: compare_replies(&stored, log), stored };
    Ok(replies.into_iter().map(seen).collect())
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
