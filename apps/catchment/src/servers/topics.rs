//! The topics of requester and consumer, on the brokers that the settings name.

use std::num::NonZeroU16;

use anyhow::{Context as _, bail};
use catchment_bootstrap::service::kafka;
use catchment_bootstrap::settings::Settings;
use catchment_domain::{Lane, Lanes, Position};
use catchment_kafka::{Compared, Created, KafkaCluster, Reached, TopicPlan, Wanted};
use catchment_seaorm::LaneLog;

use crate::commands::topics::Plan;
use crate::stores::Stores;

/// How many partitions topics of replies get by default.
const REPLY_PARTITIONS: u16 = 4;

/// Topics that are there now.
#[derive(Debug)]
pub(crate) struct Made {
    /// Each, and whether it is new.
    pub(crate) topics: Vec<(String, Created)>,
    /// Fails where a topic cannot be used, or differs from what the operator wants.
    pub(crate) checked: anyhow::Result<()>,
}

/// Makes the topics that are missing, and checks all of them.
///
/// # Errors
///
/// When the brokers do not answer or refuse.
pub(crate) async fn create(
    cluster: &KafkaCluster,
    lanes: Lanes,
    plan: Plan,
) -> anyhow::Result<Made> {
    let wanted = Wanted {
        reply_lanes: plan.reply_partitions.map(NonZeroU16::get),
        replication: plan.replication.map(|factor| factor.get().into()),
    };
    let reply_lanes = wanted.reply_lanes.unwrap_or(REPLY_PARTITIONS);
    let plan = TopicPlan { lanes, reply_lanes, replication: wanted.replication };
    let topics = cluster.create_topics(&plan).await.context("could not make the topics")?;
    Ok(Made { topics, checked: inspect(cluster, lanes, wanted).await })
}

/// Checks that requests and replies can travel, and that no reader misses any.
///
/// # Errors
///
/// When the brokers do not answer, or a topic is missing or cannot be used.
pub(crate) async fn check(cluster: &KafkaCluster, lanes: Lanes) -> anyhow::Result<()> {
    inspect(cluster, lanes, Wanted::default()).await
}

async fn inspect(cluster: &KafkaCluster, lanes: Lanes, wanted: Wanted) -> anyhow::Result<()> {
    let problems = cluster.inspect_topics(lanes, wanted).await;
    let problems = problems.context("could not look at the topics")?;
    let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
    if problems.is_empty() { Ok(()) } else { bail!("{}", problems.join("; ")) }
}

/// Lets a lane go on behind what was applied, although its partition lost records. Returns where
/// it goes on, and how many empty records it took to get there.
///
/// # Errors
///
/// When the brokers or the database do not answer, nothing of the lane was read in this topic, or the
/// lane works.
pub(crate) async fn resume(
    cluster: &KafkaCluster,
    stores: &Stores,
    lane: Lane,
) -> anyhow::Result<(Position, u64)> {
    // The new owner's number would hide that a backup was put back.
    super::restored::check_age(cluster, stores).await?;
    let first = cluster.first_request(lane).await.context("could not look at the topic")?;
    let holds_the_last = holds_the_last(cluster, stores, lane).await?;
    let log = LaneLog { log: cluster.requests_identity(), first, holds_the_last };
    // Should this end in between, the lane is set aside as before, and this is repeated.
    let next = stores.resume(lane, log).await?;
    let appended = cluster.lengthen(lane, next).await;
    Ok((next, appended.context("could not bring the topic to where the lane goes on")?))
}

/// Whether the partition of a lane holds the request that was applied last. Of a lane whose row
/// cannot be read, that is not known.
async fn holds_the_last(
    cluster: &KafkaCluster,
    stores: &Stores,
    lane: Lane,
) -> anyhow::Result<bool> {
    let reached = stores.requests_reached().await?;
    let Some(reached) = reached.found.iter().find(|reached| reached.lane == lane.0) else {
        return Ok(false);
    };
    let partition = lane.0;
    let reached =
        Reached { log: reached.log, partition, next: reached.next, last_id: reached.last_id };
    let compared = cluster.check_reached(&[reached], &[]).await;
    Ok(compared.context("could not look at the topic")? == Compared::default())
}

/// A cluster that answered.
///
/// # Errors
///
/// When a setting is wrong, or no broker answers.
pub(crate) async fn connect(settings: &Settings) -> anyhow::Result<KafkaCluster> {
    let adapter = kafka::adapter(&settings.kafka, settings.database.lanes, settings.drain);
    let cluster = KafkaCluster::connect(adapter).await;
    cluster.context("could not reach Kafka")
}
