//! Looks at topics, makes and deletes them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::admin::{
    AdminClient, AdminOptions, NewTopic as ClientTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::client::{Client, ClientContext};
use rdkafka::config::{ClientConfig, FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::metadata::MetadataTopic;
use rdkafka::producer::{BaseProducer, DeliveryResult, Producer, ProducerContext};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList, TopicPartitionListElem};
use tokio::time::Instant;

use crate::client_log;
use crate::error::{SettingsError, TopicsError};
use crate::rights;
use crate::sender::{ask_about, ask_partitions};
use crate::settings::Settings;

/// How often to look whether a topic that was made can be used.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// A topic to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTopic {
    /// Its name.
    pub name: String,
    /// How many partitions.
    pub partitions: i32,
    /// How many replicas; `None` takes the broker's default.
    pub replication: Option<i32>,
    /// Its properties, in Kafka's words.
    pub properties: Vec<(String, String)>,
}

/// Whether a topic was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    /// It was.
    New,
    /// It was there; nothing was changed.
    AlreadyThere,
}

/// The description of a topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicDescription {
    /// How many partitions it has.
    pub partitions: i32,
    /// How many replicas each partition has, or the smallest number if they differ.
    pub replicas: i32,
    /// Its properties by Kafka's names: its own, and otherwise the brokers' defaults.
    pub properties: BTreeMap<String, String>,
}

/// How long the lines and errors that a question has caused are taken from its client.
const LISTEN: Duration = Duration::from_millis(5);

/// Looks at topics, makes and deletes them. Clones share their clients.
#[derive(Clone)]
pub struct Topics {
    /// What is asked. It says why there is no answer, which the other one keeps to itself.
    asked: Arc<BaseProducer<Quiet>>,
    /// What makes and deletes, once that is wanted.
    admin: Arc<Mutex<Option<Arc<AdminClient<Quiet>>>>>,
    config: ClientConfig,
    brokers: Arc<str>,
    within: Duration,
}

impl Topics {
    /// A client for topics.
    ///
    /// # Errors
    ///
    /// When the client refuses a setting.
    pub fn new(settings: &Settings) -> Result<Self, SettingsError> {
        let config = settings.producer_config()?;
        Ok(Self {
            asked: Arc::new(BaseProducer::from_config_and_context(&config, Quiet)?),
            admin: Arc::default(),
            config,
            brokers: settings.bootstrap_servers.as_str().into(),
            within: settings.request_timeout,
        })
    }

    /// The cluster's id.
    ///
    /// # Errors
    ///
    /// When no broker answers in time.
    pub async fn cluster_id(&self) -> Result<String, TopicsError> {
        let within = self.within;
        self.ask(None, move |client| {
            client
                .fetch_cluster_id(within)
                .ok_or(KafkaError::Global(RDKafkaErrorCode::OperationTimedOut))
        })
        .await
    }

    /// How many partitions a topic has, `None` where there is no such topic.
    ///
    /// # Errors
    ///
    /// When no broker answers in time, or they do not let this client see the topic.
    pub async fn partitions(&self, topic: &str) -> Result<Option<i32>, TopicsError> {
        let (name, within) = (topic.to_owned(), self.within);
        self.ask(Some(topic), move |client| ask_partitions(client, &name, within)).await
    }

    /// The description of a topic; `None` if there is no such topic.
    ///
    /// # Errors
    ///
    /// When the brokers do not answer in time, or do not let this client see the properties.
    pub async fn describe(&self, topic: &str) -> Result<Option<TopicDescription>, TopicsError> {
        let (name, within) = (topic.to_owned(), self.within);
        let ask = move |client: &Client<Quiet>| ask_about(client, &name, within, sizes);
        let asked = self.ask(Some(topic), ask).await?;
        let Some((partitions, replicas)) = asked else { return Ok(None) };
        let specifier = ResourceSpecifier::Topic(topic);
        let results = self.admin()?.describe_configs([&specifier], &self.options()).await;
        let described = self.only(topic, results)?;
        let described = described.map_err(|code| refused_for(topic, code, "DescribeConfigs"))?;
        let entries = described.entries.into_iter();
        let properties = entries.filter_map(|entry| Some((entry.name, entry.value?))).collect();
        Ok(Some(TopicDescription { partitions, replicas, properties }))
    }

    /// Makes a topic that is not there, and returns once it can be used.
    ///
    /// # Errors
    ///
    /// When the brokers refuse it or do not answer in time.
    pub async fn create(&self, topic: &NewTopic) -> Result<Created, TopicsError> {
        let replication = TopicReplication::Fixed(topic.replication.unwrap_or(-1));
        let wanted = ClientTopic {
            name: &topic.name,
            num_partitions: topic.partitions,
            replication,
            config: topic.properties.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect(),
        };
        let results = self.admin()?.create_topics([&wanted], &self.options()).await;
        match self.only(&topic.name, results)? {
            Ok(_) => {
                self.wait_for(&topic.name, Some(topic.partitions)).await?;
                Ok(Created::New)
            }
            Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => Ok(Created::AlreadyThere),
            Err((_, code)) => Err(refused_for(&topic.name, code, "Create")),
        }
    }

    /// Deletes a topic, and returns once it is gone. One that is not there is no error.
    ///
    /// # Errors
    ///
    /// When the brokers refuse it or do not answer in time.
    pub async fn delete(&self, topic: &str) -> Result<(), TopicsError> {
        let results = self.admin()?.delete_topics(&[topic], &self.options()).await;
        match self.only(topic, results)? {
            Ok(_) | Err((_, RDKafkaErrorCode::UnknownTopicOrPartition)) => {
                self.wait_for(topic, None).await
            }
            Err((_, code)) => Err(refused_for(topic, code, "Delete")),
        }
    }

    /// Deletes the records of a partition below `before`.
    ///
    /// # Errors
    ///
    /// When the brokers refuse it or do not answer in time.
    pub async fn delete_records(
        &self,
        topic: &str,
        partition: i32,
        before: i64,
    ) -> Result<(), TopicsError> {
        let mut list = TopicPartitionList::new();
        let added = list.add_partition_offset(topic, partition, Offset::Offset(before));
        added.map_err(|error| refused(topic, error))?;
        let deleted = self.admin()?.delete_records(&list, &self.options()).await;
        let deleted = deleted.map_err(|error| self.unavailable(error.to_string()))?;
        deleted.elements().iter().try_for_each(TopicPartitionListElem::error).map_err(|error| {
            refused(topic, rights::missing(&error, "Delete").unwrap_or(error.to_string()))
        })
    }

    /// Waits until a topic has so many partitions, or is gone: every broker knows it a little
    /// after the controller does.
    async fn wait_for(&self, topic: &str, partitions: Option<i32>) -> Result<(), TopicsError> {
        let deadline = Instant::now() + self.within;
        while self.partitions(topic).await? != partitions {
            if deadline < Instant::now() {
                let change = if partitions.is_some() { "usable" } else { "gone" };
                let cause = format!("topic `{topic}` was not {change} within {:?}", self.within);
                return Err(self.unavailable(cause));
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Ok(())
    }

    fn options(&self) -> AdminOptions {
        AdminOptions::new().request_timeout(Some(self.within)).operation_timeout(Some(self.within))
    }

    /// The result for the one topic that was asked about.
    fn only<T>(&self, topic: &str, results: Result<Vec<T>, KafkaError>) -> Result<T, TopicsError> {
        match results {
            Ok(results) => {
                results.into_iter().next().ok_or_else(|| refused(topic, "no result came back"))
            }
            Err(KafkaError::AdminOpCreation(cause)) => Err(refused(topic, cause)),
            Err(error) => Err(self.unavailable(error.to_string())),
        }
    }

    fn admin(&self) -> Result<Arc<AdminClient<Quiet>>, TopicsError> {
        let mut admin = self.admin.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(admin) = &*admin {
            return Ok(Arc::clone(admin));
        }
        let made = AdminClient::from_config_and_context(&self.config, Quiet);
        let made = Arc::new(made.map_err(|error| self.unavailable(error.to_string()))?);
        Ok(Arc::clone(admin.insert(made)))
    }

    /// The client asks brokers only while its caller waits, which a task must not. Why there is
    /// no answer is what the client says meanwhile.
    async fn ask<T: Send + 'static>(
        &self,
        topic: Option<&str>,
        ask: impl FnOnce(&Client<Quiet>) -> KafkaResult<T> + Send + 'static,
    ) -> Result<T, TopicsError> {
        let client = Arc::clone(&self.asked);
        let asked = tokio::task::spawn_blocking(move || {
            let answer = ask(client.client());
            let _ = client_log::take_reason();
            client.poll(LISTEN);
            let reason = client_log::take_reason();
            answer.map_err(|error| {
                let reason = reason.filter(|_| client_log::is_of_a_connection(&error));
                let reason = reason.unwrap_or_else(|| error.to_string());
                (reason, rights::missing(&error, "Describe"))
            })
        });
        let answer = asked.await.unwrap_or_else(|error| Err((error.to_string(), None)));
        answer.map_err(|(reason, missing)| match (topic, missing) {
            (Some(topic), Some(missing)) => refused(topic, missing),
            (_, missing) => self.unavailable(missing.unwrap_or(reason)),
        })
    }

    fn unavailable(&self, cause: String) -> TopicsError {
        TopicsError::Unavailable { brokers: self.brokers.to_string(), cause }
    }
}

impl std::fmt::Debug for Topics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Topics").field("brokers", &self.brokers).finish_non_exhaustive()
    }
}

/// How many partitions a topic has, and the smallest number of replicas of a partition.
fn sizes(topic: &MetadataTopic) -> (i32, i32) {
    let number = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
    let replicas = topic.partitions().iter().map(|partition| partition.replicas().len()).min();
    (number(topic.partitions().len()), number(replicas.unwrap_or_default()))
}

/// What brokers refuse; the operation is what an ACL would grant.
fn refused_for(topic: &str, code: RDKafkaErrorCode, operation: &str) -> TopicsError {
    refused(topic, rights::missing_by(code, operation).unwrap_or_else(|| code.to_string()))
}

fn refused(topic: &str, cause: impl std::fmt::Display) -> TopicsError {
    TopicsError::Refused { topic: topic.to_owned(), cause: cause.to_string() }
}

/// A client whose answers say what went wrong, so that its log lines are for debugging.
struct Quiet;

impl ClientContext for Quiet {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, message: &str) {
        client_log::line(RDKafkaLogLevel::Debug, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        client_log::is_fatal(&error, reason);
    }
}

impl ProducerContext for Quiet {
    type DeliveryOpaque = ();

    fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {}
}
