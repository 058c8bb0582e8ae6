//! The Kafka of a service: found, and looked at before anything is read or sent.

use std::time::Duration;

use catchment_kafka::{ClusterError, KafkaCluster, Reader, Sender};
use tokio::time::{Instant, sleep};

use crate::ending::ProcessError;
use crate::settings::{Settings, SettingsError};

/// How long to wait between two attempts.
const PAUSE: Duration = Duration::from_millis(200);
/// How long a sender may take to end: whoever used it has its acknowledgements already.
const TO_CLOSE: Duration = Duration::from_millis(500);

/// Finds the cluster, and sees that its topics are what the database was made for.
///
/// # Errors
///
/// When no broker answers within `kafka.connect_timeout`, or the topics are not as they must be.
pub async fn connect(settings: &Settings) -> Result<KafkaCluster, ProcessError> {
    let deadline = Instant::now() + settings.kafka.connect_timeout;
    loop {
        match attempt(settings).await {
            Ok(cluster) => return Ok(cluster),
            Err(ClusterError::Unavailable(_) | ClusterError::Unreadable(_))
                if Instant::now() + PAUSE < deadline =>
            {
                sleep(PAUSE).await;
            }
            Err(error) => return Err(refusal(&error)),
        }
    }
}

async fn attempt(settings: &Settings) -> Result<KafkaCluster, ClusterError> {
    let lanes = settings.database.lanes;
    let cluster = KafkaCluster::connect(settings.kafka.adapter(lanes, settings.drain)).await?;
    let problems = cluster.check_topics(lanes).await?;
    if problems.is_empty() {
        return Ok(cluster);
    }
    let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
    Err(ClusterError::Topics(said.join("; ")))
}

/// How the process ends for what the cluster says.
#[must_use]
pub fn refusal(error: &ClusterError) -> ProcessError {
    let what = format!("could not work with Kafka: {error}");
    match error {
        ClusterError::Unavailable(_) | ClusterError::Unreadable(_) => {
            ProcessError::Unavailable(what)
        }
        ClusterError::Settings(error) => SettingsError(error.to_string()).into(),
        ClusterError::Topics(_) => ProcessError::Misfit(what),
    }
}

/// How the process ends for a client that cannot be made, although its settings were checked.
#[must_use]
pub fn unusable(error: &catchment_kafka::SettingsError) -> ProcessError {
    ProcessError::Internal(format!("could not make a client of Kafka: {error}"))
}

/// Ends a sender.
pub async fn close(sender: &Sender) {
    if let Err(error) = sender.close(TO_CLOSE).await {
        tracing::warn!(%error, "could not close the sender");
    }
}

/// Ends a reader of whatever is read.
pub async fn close_reader<M: Clone + Send + Sync + 'static>(reader: &Reader<M>) {
    if let Err(error) = reader.close(TO_CLOSE).await {
        tracing::warn!(%error, "could not close the reader");
    }
}
