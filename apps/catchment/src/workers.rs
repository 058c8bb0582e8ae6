//! Who does the work of campaigns that a command starts for itself.

use crate::cluster::Cluster;
use crate::engine::Engine;

/// Who applies and answers requests.
pub(crate) enum Workers {
    /// The engine of this process.
    Engine(Engine),
    /// Processes of their own, over Kafka.
    Cluster(Cluster),
}

impl Workers {
    /// Returns only when they cannot go on, with the reason.
    pub(crate) async fn failure(&mut self) -> anyhow::Error {
        match self {
            Self::Engine(engine) => engine.failure().await,
            Self::Cluster(cluster) => cluster.failure().await,
        }
    }

    /// Stops them after the work in hand.
    ///
    /// # Errors
    ///
    /// When a process ended badly.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        match self {
            Self::Engine(engine) => {
                engine.stop().await;
                Ok(())
            }
            Self::Cluster(cluster) => cluster.stop().await,
        }
    }
}
