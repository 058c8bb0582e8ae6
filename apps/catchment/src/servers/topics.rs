//! The topics of requester and consumer on the brokers of the settings.

use std::num::NonZeroU16;

use anyhow::{Context as _, bail};
use catchment_bootstrap::service::kafka;
use catchment_bootstrap::settings::Settings;
use catchment_domain::{Lane, Lanes, Position};
use catchment_kafka::{Compared, Created, KafkaCluster, Reached, TopicPlan, Wanted};
use catchment_seaorm::LaneLog;

use crate::commands::topics::Plan;
use crate::stores::Stores;

/// The default number of partitions of topics of replies.
const REPLY_PARTITIONS: u16 = 4;

/// The result of making topics.
#[derive(Debug)]
pub(crate) struct Made {
    /// All topics, each with whether it is new.
    pub(crate) topics: Vec<(String, Created)>,
    /// An error if a topic cannot be used, or differs from what the operator wants.
    pub(crate) checked: anyhow::Result<()>,
}

/// Makes the missing topics, and checks all of them.
///
/// # Errors
///
/// When the brokers do not answer, or refuse.
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

/// Checks that requests and replies can be sent, and that no reader misses any.
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

/// Resumes a lane behind its last applied request, although its partition lost records. Returns the
/// position, and how many empty records had to be appended to reach it.
///
/// # Errors
///
/// When the brokers or the database do not answer, nothing of the lane was read in this topic, or
/// the lane works without a resume.
pub(crate) async fn resume(
    cluster: &KafkaCluster,
    stores: &Stores,
    lane: Lane,
) -> anyhow::Result<(Position, u64)> {
    let first = cluster.first_request(lane).await.context("could not look at the topic")?;
    let holds_the_last = holds_the_last(cluster, stores, lane).await?;
    let log = LaneLog { log: cluster.requests_identity(), first, holds_the_last };
    // If the process ends before the next step, the lane is still set aside, and the command can be
    // repeated.
    let next = stores.resume(lane, log).await?;
    let appended = cluster.lengthen(lane, next).await;
    Ok((next, appended.context("could not bring the topic to where the lane goes on")?))
}

/// Returns whether the partition of a lane holds the last applied request. Returns `false` if the
/// lane's row cannot be read, or the lane was never claimed.
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

/// Connects to a cluster, and waits for its answer.
///
/// # Errors
///
/// When a setting is wrong, or no broker answers.
pub(crate) async fn connect(settings: &Settings) -> anyhow::Result<KafkaCluster> {
    let adapter = kafka::adapter(&settings.kafka, settings.database.lanes, settings.drain);
    let cluster = KafkaCluster::connect(adapter).await;
    cluster.context("could not reach Kafka")
}
