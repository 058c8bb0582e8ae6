//! The topics of requester and consumer, on the brokers that the settings name.

use std::num::NonZeroU16;

use anyhow::{Context as _, bail};
use catchment_bootstrap::settings::Settings;
use catchment_domain::Lanes;
use catchment_kafka::{Created, KafkaCluster, TopicPlan};

/// How topics are to be made, besides that requests have a partition for each lane.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// How many partitions replies have.
    pub(crate) reply_partitions: NonZeroU16,
    /// How many replicas; the brokers' default where it is not said.
    pub(crate) replication: Option<NonZeroU16>,
}

/// Makes the topics that are missing, and checks all of them. Returns each with whether it is
/// new.
///
/// # Errors
///
/// When the brokers do not answer or refuse, or a topic that was there cannot be used.
pub(crate) async fn create(
    cluster: &KafkaCluster,
    lanes: Lanes,
    plan: Plan,
) -> anyhow::Result<Vec<(String, Created)>> {
    let plan = TopicPlan {
        lanes,
        reply_lanes: plan.reply_partitions.get(),
        replication: plan.replication.map(|factor| factor.get().into()),
    };
    let topics = cluster.create_topics(&plan).await.context("could not make the topics")?;
    check(cluster, lanes).await?;
    Ok(topics)
}

/// Checks that requests and replies can travel.
///
/// # Errors
///
/// When the brokers do not answer, or a topic is missing or cannot be used.
pub(crate) async fn check(cluster: &KafkaCluster, lanes: Lanes) -> anyhow::Result<()> {
    let problems = cluster.check_topics(lanes).await.context("could not look at the topics")?;
    let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
    if problems.is_empty() { Ok(()) } else { bail!("{}", problems.join("; ")) }
}

/// A cluster that answered.
///
/// # Errors
///
/// When a setting is wrong, or no broker answers.
pub(crate) async fn connect(settings: &Settings) -> anyhow::Result<KafkaCluster> {
    let cluster =
        KafkaCluster::connect(settings.kafka.adapter(settings.database.lanes, settings.drain))
            .await;
    cluster.context("could not reach Kafka")
}
