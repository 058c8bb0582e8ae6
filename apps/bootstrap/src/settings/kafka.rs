//! Section `kafka`.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

#[cfg(feature = "servers")]
use catchment_domain::Lanes;
#[cfg(feature = "servers")]
use catchment_kafka::{ClientSettings, KafkaSettings, Membership};

use super::SettingsError;
use super::keys::Keys;
use super::secrets::shown;
#[cfg(feature = "servers")]
use crate::one_line::without;

/// The tables whose keys are librdkafka's own.
pub(super) const PASSED_THROUGH: [&str; 3] =
    ["kafka.properties.", "kafka.producer.", "kafka.consumer."];

/// Section `kafka`.
#[derive(Clone, Debug)]
pub struct Kafka {
    /// The addresses of brokers, as `host:port`.
    pub bootstrap_servers: String,
    /// The topic of requests.
    pub requests_topic: String,
    /// The topic of our own replies.
    pub replies_topic: String,
    /// The group of the consumers.
    pub group_id: String,
    /// The name by which a consumer keeps its lanes over a restart.
    pub group_instance_id: Option<String>,
    /// The topics that are allowed for replies besides the usual ones.
    pub reply_topics_allowed: Vec<String>,
    /// The Java class with which replies to Spring are marked.
    pub spring_type_id: Option<String>,
    /// How long to try to connect at the start.
    pub connect_timeout: Duration,
    /// After how long without a sign of life a consumer loses its lanes.
    pub session_timeout: Duration,
    /// Properties of every librdkafka client.
    pub properties: Properties,
    /// Additional properties of producers.
    pub producer: Properties,
    /// Additional properties of consumers.
    pub consumer: Properties,
}

impl Kafka {
    pub(super) fn read(keys: &Keys) -> Result<Self, SettingsError> {
        const REPLIES: &str = "kafka.replies_topic";
        if keys.filled(REPLIES)? == keys.filled("kafka.requests_topic")? {
            return Err(keys.refuse(REPLIES, "it must not be `kafka.requests_topic`, too"));
        }
        Ok(Self {
            bootstrap_servers: keys.filled("kafka.bootstrap_servers")?.to_owned(),
            requests_topic: keys.filled("kafka.requests_topic")?.to_owned(),
            replies_topic: keys.filled(REPLIES)?.to_owned(),
            group_id: keys.filled("kafka.group_id")?.to_owned(),
            group_instance_id: keys.optional("kafka.group_instance_id")?,
            reply_topics_allowed: allowed_topics(keys)?,
            spring_type_id: keys.optional("kafka.spring_type_id")?,
            connect_timeout: keys.duration("kafka.connect_timeout")?,
            session_timeout: keys.duration("kafka.session_timeout")?,
            properties: Properties(keys.table("kafka.properties.")),
            producer: Properties(keys.table("kafka.producer.")),
            consumer: Properties(keys.table("kafka.consumer.")),
        })
    }

    /// Returns the longest pause between two polls of a consumer. If it is not set, this is
    /// librdkafka's default.
    pub(super) fn max_poll_interval(&self) -> Result<Duration, SettingsError> {
        const NAME: &str = "max.poll.interval.ms";
        const DEFAULT: Duration = Duration::from_mins(5);
        let text = self.consumer.0.get(NAME).or_else(|| self.properties.0.get(NAME));
        let Some(text) = text else { return Ok(DEFAULT) };
        text.parse().map(Duration::from_millis).map_err(|_| {
            let text = shown(NAME, text);
            SettingsError(format!("`{NAME}` is `{text}`: expected a whole number of milliseconds"))
        })
    }
}

#[cfg(feature = "servers")]
impl Kafka {
    /// Returns the settings of the Kafka adapter, for a database with this many lanes.
    pub(super) fn adapter(&self, lanes: Lanes, drain: Duration) -> KafkaSettings {
        let membership = match &self.group_instance_id {
            Some(name) => Membership::Static { instance_id: name.clone() },
            None => Membership::Cooperative,
        };
        let usual = ClientSettings::new(&self.bootstrap_servers, &self.group_id);
        let client = ClientSettings {
            membership,
            session_timeout: self.session_timeout,
            drain,
            request_timeout: usual.request_timeout.min(self.connect_timeout),
            coordinator_timeout: self.connect_timeout,
            lanes: lanes.count(),
            properties: self.properties.0.clone(),
            producer: self.producer.0.clone(),
            consumer: self.consumer.0.clone(),
            ..usual
        };
        KafkaSettings {
            requests_topic: self.requests_topic.clone(),
            replies_topic: self.replies_topic.clone(),
            reply_topics_allowed: self.reply_topics_allowed.clone(),
            spring_type_id: self.spring_type_id.clone(),
            ..KafkaSettings::new(client)
        }
    }

    /// Checks that librdkafka accepts the properties.
    pub(super) fn check(&self, lanes: Lanes, drain: Duration) -> Result<(), SettingsError> {
        let checked = self.adapter(lanes, drain).client.check();
        // The client's message may quote a value.
        let values = [&self.properties, &self.producer, &self.consumer];
        let values = values.into_iter().flat_map(|table| table.0.values().map(String::as_str));
        checked.map_err(|error| SettingsError(without(format!("section `kafka`: {error}"), values)))
    }
}

/// Reads the topics that are allowed for replies. A name that no topic can have would refuse replies
/// in silence.
fn allowed_topics(keys: &Keys) -> Result<Vec<String>, SettingsError> {
    const KEY: &str = "kafka.reply_topics_allowed";
    let topics = keys.list(KEY)?;
    let is_legal = |c: char| c.is_ascii_alphanumeric() || "._-*".contains(c);
    match topics.iter().find(|topic| !topic.chars().all(is_legal)) {
        Some(topic) => {
            let why = format!("no topic can be `{topic}`: expected names separated by commas");
            Err(keys.refuse(KEY, why))
        }
        None => Ok(topics),
    }
}

/// Properties of librdkafka by name. `Debug` hides the secret ones.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Properties(pub BTreeMap<String, String>);

impl fmt::Debug for Properties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.iter().map(|(name, text)| (name, shown(name, text)))).finish()
    }
}
