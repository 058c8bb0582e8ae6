//! The parts that use Kafka: single calls, topics and lanes.
//!
//! This module is built only with the feature `servers`; otherwise, `no_servers.rs` takes its
//! place.

mod calling;

use catchment_application::LaneError;
use catchment_bootstrap::service::kafka;
use catchment_bootstrap::settings::Settings;
use catchment_domain::Lanes;
use catchment_domain::ports::{Cluster, InspectionError};
use catchment_kafka::KafkaCluster;

pub(crate) use self::calling::call;

/// Does the work with the cluster of the settings, or with the reason why it cannot be reached.
///
/// # Errors
///
/// Never. A program without servers returns an error.
pub(crate) async fn with_cluster<T>(
    settings: &Settings,
    lanes: Lanes,
    work: impl AsyncFnOnce(Result<&dyn Cluster, LaneError>) -> T,
) -> anyhow::Result<T> {
    let lookout = reach(settings).await.and_then(|cluster| {
        let lookout = cluster.lookout(lanes);
        lookout.map_err(|error| not_reached(InspectionError::Settings(error.into())))
    });
    match lookout {
        Ok(lookout) => {
            let done = work(Ok(&lookout)).await;
            lookout.close().await;
            Ok(done)
        }
        Err(error) => Ok(work(Err(error)).await),
    }
}

/// Connects to the cluster of the settings, and waits for its answer.
///
/// # Errors
///
/// When a setting is wrong, or no broker answers.
async fn reach(settings: &Settings) -> Result<KafkaCluster, LaneError> {
    let adapter = kafka::named(settings.kafka_adapter(), "command");
    KafkaCluster::connect(adapter).await.map_err(not_reached)
}

fn not_reached(error: InspectionError) -> LaneError {
    LaneError::logs("could not reach Kafka")(error)
}
