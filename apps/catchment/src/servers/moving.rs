//! What must be drained before the database is moved away from its topics.

use std::time::Duration;

use anyhow::{Context as _, bail};
use catchment_bootstrap::service::lanes::{SeenLane, SeenLanes, SeenReplyLane};
use catchment_domain::{
    BeforeMove, Behind, LaneBeforeMove, Position, ReplyLane, ReplyLaneBeforeMove,
};
use catchment_kafka::{KafkaCluster, KafkaLookout, TopicProblem, Waiting};

use crate::stores::Stores;

/// How long an idle client may take to end.
const TO_CLOSE: Duration = Duration::from_millis(500);

/// Looks at everything that must be drained.
///
/// # Errors
///
/// When the database is older than the request log, a topic is missing, or the brokers or the
/// database do not answer.
pub(super) async fn look(cluster: &KafkaCluster, stores: &Stores) -> anyhow::Result<BeforeMove> {
    // What was read since the backup would be lost with the log.
    super::restored::check_age(cluster, stores).await?;
    let problems = cluster.check_topics(stores.shops.lanes()).await;
    let problems = problems.context("could not look at the topics")?;
    // The number of partitions does not matter to what is left.
    let missing = |problem: &&TopicProblem| matches!(problem, TopicProblem::Missing { .. });
    if let Some(missing) = problems.iter().find(missing) {
        bail!("{missing}");
    }
    let lookout = cluster.lookout(stores.shops.lanes())?;
    let looked = look_with((cluster, &lookout), stores).await;
    lookout.close(TO_CLOSE).await;
    looked
}

async fn look_with(
    (cluster, lookout): (&KafkaCluster, &KafkaLookout),
    stores: &Stores,
) -> anyhow::Result<BeforeMove> {
    // Asked first: once nobody is there, nothing moves any more.
    let members = lookout.members().await.context("could not look at the consumers' group")?;
    let campaigns = stores.campaigns.list().await?;
    let seen = SeenLanes::look(cluster, &*stores.acceptances, Some(&*stores.ledger)).await;
    let seen = seen.context("could not look at the lanes")?;
    let ends = lookout.ends(stores.shops.lanes()).await;
    let ends = ends.context("could not look at the request topic")?;
    let mut requests = Vec::with_capacity(seen.requests.len());
    for SeenLane { lane, stored, comparison, .. } in seen.requests {
        let behind = match stored.place_in(lookout.identity()) {
            // Nothing stands there, not even in an open transaction.
            Ok((_, applied)) if ends.contains(&(lane, applied)) => Behind::Nothing,
            Ok((_, applied)) => {
                let waiting = lookout.waiting(lane, applied).await;
                behind(&waiting.with_context(|| format!("could not look at lane {lane}"))?)
            }
            Err(_) => Behind::Nothing,
        };
        let mismatch = comparison.mismatch().cloned();
        requests.push(LaneBeforeMove { lane, stored, mismatch, behind });
    }
    let position = |SeenReplyLane { stored, comparison }: &SeenReplyLane| {
        let row = stored.row.as_ref()?.as_ref().ok()?;
        comparison.mismatch().is_none().then_some((stored.lane, row.position))
    };
    let (_, ends) = cluster.reply_ends().await.context("could not look at the reply topic")?;
    let is_at_end = |(lane, next): &(ReplyLane, Position)| ends.get(lane) == Some(next);
    let positions = seen.replies.iter().filter_map(position);
    let positions: Vec<_> = positions.filter(|position| !is_at_end(position)).collect();
    let waiting = cluster.waiting_replies(&positions).await;
    let waiting = waiting.context("could not look at the reply topic")?;
    let replies = seen.replies.into_iter().map(|SeenReplyLane { stored, comparison }| {
        let behind = waiting.get(&stored.lane).map_or(Behind::Nothing, behind);
        let mismatch = comparison.mismatch().cloned();
        ReplyLaneBeforeMove { stored, mismatch, behind }
    });
    let replies = replies.collect();
    Ok(BeforeMove { members, requests, replies, campaigns })
}

const fn behind(waiting: &Waiting) -> Behind {
    match waiting {
        Waiting::Nothing => Behind::Nothing,
        Waiting::Records { .. } => Behind::Records,
        Waiting::OpenTransaction { from } => Behind::OpenTransaction { from: *from },
    }
}
