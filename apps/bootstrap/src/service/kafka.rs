//! The Kafka cluster of a service: connects to it, and checks it before anything is read or sent.

use std::fmt::Display;
use std::time::Duration;

use catchment_domain::ports::InspectionError;
use catchment_kafka::{KafkaCluster, KafkaSettings, Membership, Reader, Sender};
use tokio::time::{Instant, sleep};

use super::ending::ProcessError;
use super::readiness::Readiness;
use crate::settings::{Settings, SettingsError};

/// The readiness condition that a broker answers.
pub const KAFKA: &str = "kafka";

/// How often to check that a broker answers.
const LOOK: Duration = Duration::from_secs(1);
/// The pause between two attempts.
const PAUSE: Duration = Duration::from_millis(200);
/// How long a sender may take to end. Its user already has all acknowledgements.
const TO_CLOSE: Duration = Duration::from_millis(500);

/// Gives the clients a `client.id` if the settings have none: the program, and the name of a member
/// of the group or the number of the process. By it an operator tells processes apart.
#[must_use]
pub fn named(mut adapter: KafkaSettings, program: &str) -> KafkaSettings {
    let process = match &adapter.client.membership {
        Membership::Static { instance_id } => instance_id.clone(),
        Membership::Cooperative => std::process::id().to_string(),
    };
    let name = || format!("catchment-{program}-{process}");
    adapter.client.properties.entry("client.id".to_owned()).or_insert_with(name);
    adapter
}

/// Connects to the cluster as this program.
///
/// # Errors
///
/// When no broker answers within `kafka.connect_timeout`.
pub async fn connect(settings: &Settings, program: &str) -> Result<KafkaCluster, ProcessError> {
    let deadline = Instant::now() + settings.kafka.connect_timeout;
    loop {
        match KafkaCluster::connect(named(settings.kafka_adapter(), program)).await {
            Ok(cluster) => return Ok(cluster),
            Err(InspectionError::Unavailable(_)) if Instant::now() + PAUSE < deadline => {
                sleep(PAUSE).await;
            }
            Err(error) => return Err(refusal(&error)),
        }
    }
}

/// Keeps the readiness condition up to date.
pub async fn watch(cluster: KafkaCluster, readiness: Readiness) {
    let mut is_away = false;
    loop {
        tell(&cluster.reach().await, &readiness, &mut is_away);
        sleep(LOOK).await;
    }
}

/// Sets the readiness condition. While no broker answers, the first cause stays, because each
/// broker has its own cause.
fn tell(reached: &Result<(), InspectionError>, readiness: &Readiness, is_away: &mut bool) {
    match reached {
        Ok(()) => readiness.met(KAFKA),
        Err(error) if !*is_away => readiness.unmet(KAFKA, error.to_string()),
        Err(_) => {}
    }
    *is_away = reached.is_err();
}

/// Returns how the process ends after an error of the cluster.
#[must_use]
pub fn refusal(error: &InspectionError) -> ProcessError {
    match error {
        InspectionError::Unavailable(_) | InspectionError::Unreadable(_) => {
            ProcessError::Unavailable(could_not_work(error))
        }
        InspectionError::Settings(error) => SettingsError(error.to_string()).into(),
        InspectionError::Refused(_) => misfit(error),
    }
}

/// Returns how the process ends if the topics do not fit.
pub(crate) fn misfit(what: &impl Display) -> ProcessError {
    ProcessError::Misfit(could_not_work(what))
}

fn could_not_work(why: &impl Display) -> String {
    format!("could not work with Kafka: {why}")
}

/// Returns how the process ends if a client cannot be made, although its settings were checked.
#[must_use]
pub fn unusable(error: &catchment_kafka::SettingsError) -> ProcessError {
    ProcessError::Internal(format!("could not make a client of Kafka: {error}"))
}

/// Closes a sender.
pub async fn close(sender: &Sender) {
    if let Err(error) = sender.close(TO_CLOSE).await {
        tracing::warn!(%error, "could not close the sender");
    }
}

/// Closes a reader.
pub async fn close_reader<M: Clone + Send + Sync + 'static>(reader: &Reader<M>) {
    if let Err(error) = reader.close(TO_CLOSE).await {
        tracing::warn!(%error, "could not close the reader");
    }
}

#[cfg(test)]
mod tests {
    use catchment_kafka::ClientSettings;

    use super::*;

    #[test]
    fn processes_are_told_apart_by_their_client_ids() {
        let name = |instance_id: Option<&str>, client_id: Option<&str>| {
            let mut client = ClientSettings::new("localhost:9092", "group");
            if let Some(name) = instance_id {
                client.membership = Membership::Static { instance_id: name.to_owned() };
            }
            if let Some(client_id) = client_id {
                client.properties.insert("client.id".to_owned(), client_id.to_owned());
            }
            let named = named(KafkaSettings::new(client), "consumer");
            named.client.properties["client.id"].clone()
        };
        assert_eq!(name(None, None), format!("catchment-consumer-{}", std::process::id()));
        assert_eq!(name(Some("south"), None), "catchment-consumer-south");
        assert_eq!(name(Some("south"), Some("shops")), "shops");
    }

    #[test]
    fn a_service_is_ready_while_a_broker_answers() {
        let readiness = Readiness::new(&[KAFKA]);
        let mut is_away = false;
        let mut reach = |cause: Option<&str>| {
            let reached =
                cause.map_or(Ok(()), |cause| Err(InspectionError::Unavailable(cause.into())));
            tell(&reached, &readiness, &mut is_away);
            readiness.reasons()
        };
        assert!(reach(None).is_empty());
        for cause in ["Connection refused", "timed out"] {
            assert_eq!(reach(Some(cause)), ["kafka: Connection refused"]);
        }
        assert!(reach(None).is_empty());
        assert_eq!(reach(Some("timed out")).len(), 1);
    }
}
