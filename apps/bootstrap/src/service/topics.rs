//! The topics of a service: what the database was made for, and has read so far.

use std::time::Duration;

use catchment_domain::Lanes;
use catchment_domain::ports::StoreError;
use catchment_kafka::{ClusterError, KafkaCluster, Reached, TopicProblem};
use catchment_seaorm::{Reached as Stored, SeaOrmStore};
use tokio::time::sleep;

use super::ending::ProcessError;
use super::kafka::refusal;
use crate::one_line::chain;

/// How often the topics are looked at while they are worked with.
const LOOK: Duration = Duration::from_secs(20);

/// Sees that the topics are what the database was made for, and what it has read so far.
///
/// # Errors
///
/// When they are not, or broker or database do not answer.
pub async fn check(
    cluster: &KafkaCluster,
    lanes: Lanes,
    store: &SeaOrmStore,
) -> Result<(), ProcessError> {
    // Before the topics: they only grow, and so no record that was read is missed in them.
    let requests = store.requests_reached().await.map_err(|error| unreadable(&error))?;
    let replies = store.replies_reached().await.map_err(|error| unreadable(&error))?;
    let problems = problems(cluster, lanes, (&requests, &replies)).await;
    let problems = problems.map_err(|error| refusal(&error))?;
    if problems.is_empty() {
        return Ok(());
    }
    let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
    Err(refusal(&ClusterError::Topics(said.join("; "))))
}

/// Keeps looking at the topics that are worked with, and returns once they are not as they must
/// be any more. What is seen once may be a broker that is behind the others.
pub async fn watch(cluster: &KafkaCluster, lanes: Lanes, store: &SeaOrmStore) -> ProcessError {
    let mut is_suspect = false;
    loop {
        sleep(LOOK).await;
        match check(cluster, lanes, store).await {
            Ok(()) => is_suspect = false,
            Err(error @ ProcessError::Misfit(_)) if is_suspect => return error,
            Err(ProcessError::Misfit(what)) => {
                tracing::warn!(what, "the topics are looked at again");
                is_suspect = true;
            }
            Err(error) => tracing::debug!(%error, "the topics could not be looked at"),
        }
    }
}

async fn problems(
    cluster: &KafkaCluster,
    lanes: Lanes,
    (requests, replies): (&[Stored], &[Stored]),
) -> Result<Vec<TopicProblem>, ClusterError> {
    let problems = cluster.check_topics(lanes).await?;
    if !problems.is_empty() {
        return Ok(problems);
    }
    cluster.check_reached(&in_topic(requests), &in_topic(replies)).await
}

/// A lane is a partition.
fn in_topic(lanes: &[Stored]) -> Vec<Reached> {
    let of_lane = |stored: &Stored| {
        let Stored { log, lane: partition, next, last_id } = *stored;
        Reached { log, partition, next, last_id }
    };
    lanes.iter().map(of_lane).collect()
}

/// How the process ends for a database that does not say how far it has read.
fn unreadable(error: &StoreError) -> ProcessError {
    let what = format!("could not read the database: {}", chain(error));
    match error {
        StoreError::Refused { .. } | StoreError::BadData { .. } => ProcessError::Misfit(what),
        _ => ProcessError::Unavailable(what),
    }
}
