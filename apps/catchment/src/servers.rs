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
use catchment_kafka::{KafkaCluster, KafkaLookout};

pub(crate) use self::calling::call;

/// The cluster of the settings, as the use cases look at it.
pub(crate) struct Connected(KafkaLookout);

impl Connected {
    pub(crate) fn cluster(&self) -> &dyn Cluster {
        &self.0
    }

    pub(crate) async fn close(self) {
        self.0.close().await;
    }
}

/// Connects to the cluster of the settings, and waits for its answer. The inner error says that the
/// cluster could not be reached.
///
/// # Errors
///
/// Never. A program without servers returns an error.
pub(crate) async fn connect(
    settings: &Settings,
    lanes: Lanes,
) -> anyhow::Result<Result<Connected, LaneError>> {
    Ok(match reach(settings).await {
        Ok(cluster) => {
            let lookout = cluster.lookout(lanes).map(Connected);
            lookout.map_err(|error| not_reached(InspectionError::Settings(error.into())))
        }
        Err(error) => Err(error),
    })
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
