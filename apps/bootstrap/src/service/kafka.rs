//! The Kafka cluster of a service: connects to it, and checks it before anything is read or sent.

use std::fmt::Display;
use std::time::Duration;

use catchment_domain::Lanes;
use catchment_domain::ports::InspectionError;
use catchment_kafka::{
    ClientSettings, ClusterError, KafkaCluster, KafkaLookout, KafkaSettings, Membership, Reader,
    Sender,
};
use tokio::time::{Instant, sleep};

use super::ending::ProcessError;
use super::readiness::Readiness;
use crate::one_line::without;
use crate::settings::{Kafka, Settings, SettingsError};

/// The readiness condition that a broker answers.
pub const KAFKA: &str = "kafka";

/// How often to check that a broker answers.
const LOOK: Duration = Duration::from_secs(1);
/// The pause between two attempts.
const PAUSE: Duration = Duration::from_millis(200);
/// How long a sender may take to end. Its user already has all acknowledgements.
const TO_CLOSE: Duration = Duration::from_millis(500);

/// Returns the settings of the Kafka adapter, for a database with this many lanes.
#[must_use]
pub fn adapter(kafka: &Kafka, lanes: Lanes, drain: Duration) -> KafkaSettings {
    let membership = match &kafka.group_instance_id {
        Some(name) => Membership::Static { instance_id: name.clone() },
        None => Membership::Cooperative,
    };
    let usual = ClientSettings::new(&kafka.bootstrap_servers, &kafka.group_id);
    let client = ClientSettings {
        membership,
        session_timeout: kafka.session_timeout,
        drain,
        request_timeout: usual.request_timeout.min(kafka.connect_timeout),
        coordinator_timeout: kafka.connect_timeout,
        lanes: lanes.count(),
        properties: kafka.properties.0.clone(),
        producer: kafka.producer.0.clone(),
        consumer: kafka.consumer.0.clone(),
        ..usual
    };
    KafkaSettings {
        requests_topic: kafka.requests_topic.clone(),
        replies_topic: kafka.replies_topic.clone(),
        reply_topics_allowed: kafka.reply_topics_allowed.clone(),
        spring_type_id: kafka.spring_type_id.clone(),
        ..KafkaSettings::new(client)
    }
}

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

/// Checks that librdkafka accepts the properties of section `kafka`.
///
/// # Errors
///
/// When librdkafka refuses a property, with its name and the reason.
pub fn check(kafka: &Kafka, lanes: Lanes, drain: Duration) -> Result<(), SettingsError> {
    let checked = adapter(kafka, lanes, drain).client.check();
    // The client's message may quote a value.
    let values = [&kafka.properties, &kafka.producer, &kafka.consumer];
    let values = values.into_iter().flat_map(|table| table.0.values().map(String::as_str));
    checked.map_err(|error| SettingsError(without(format!("section `kafka`: {error}"), values)))
}

/// Connects to the cluster as this program, and checks that its topics fit the database.
///
/// # Errors
///
/// When no broker answers within `kafka.connect_timeout`, or the topics do not fit.
pub async fn connect(settings: &Settings, program: &str) -> Result<KafkaCluster, ProcessError> {
    let deadline = Instant::now() + settings.kafka.connect_timeout;
    loop {
        match attempt(settings, program).await {
            Ok(cluster) => return Ok(cluster),
            Err(ClusterError::Unavailable(_) | ClusterError::Unreadable(_))
                if Instant::now() + PAUSE < deadline =>
            {
                sleep(PAUSE).await;
            }
            Err(error) => return Err(refusal(&error.into())),
        }
    }
}

async fn attempt(settings: &Settings, program: &str) -> Result<KafkaCluster, ClusterError> {
    let lanes = settings.database.lanes;
    let adapter = named(adapter(&settings.kafka, lanes, settings.drain), program);
    let cluster = KafkaCluster::connect(adapter).await?;
    let problems = cluster.check_topics(lanes).await?;
    if problems.is_empty() {
        return Ok(cluster);
    }
    let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
    Err(ClusterError::Topics(said.join("; ")))
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
fn tell(reached: &Result<(), ClusterError>, readiness: &Readiness, is_away: &mut bool) {
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

/// Closes the client that observes the request lanes.
pub async fn close_lookout(lookout: &KafkaLookout) {
    lookout.close(TO_CLOSE).await;
}

#[cfg(test)]
mod tests {
    use catchment_kafka::TopicsError;

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
            let reached = cause.map_or(Ok(()), |cause| {
                let (brokers, cause) = ("kafka:9092".to_owned(), cause.to_owned());
                Err(ClusterError::Unavailable(TopicsError::Unavailable { brokers, cause }))
            });
            tell(&reached, &readiness, &mut is_away);
            readiness.reasons()
        };
        assert!(reach(None).is_empty());
        for cause in ["Connection refused", "timed out"] {
            let expected = "kafka: the brokers `kafka:9092` did not answer: Connection refused";
            assert_eq!(reach(Some(cause)), [expected]);
        }
        assert!(reach(None).is_empty());
        assert_eq!(reach(Some("timed out")).len(), 1);
    }
}
