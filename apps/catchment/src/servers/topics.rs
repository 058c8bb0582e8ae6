//! The topics of requester and consumer on the brokers of the settings.

use std::num::NonZeroU16;

use anyhow::{Context as _, bail};
use catchment_bootstrap::service::kafka;
use catchment_bootstrap::settings::Settings;
use catchment_domain::Lanes;
use catchment_kafka::{Created, KafkaCluster, TopicPlan, Wanted};

use crate::commands::topics::Plan;

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

/// Connects to a cluster, and waits for its answer.
///
/// # Errors
///
/// When a setting is wrong, or no broker answers.
pub(crate) async fn connect(settings: &Settings) -> anyhow::Result<KafkaCluster> {
    let adapter = kafka::adapter(&settings.kafka, settings.database.lanes, settings.drain);
    let cluster = KafkaCluster::connect(kafka::named(adapter, "command")).await;
    cluster.context("could not reach Kafka")
}
