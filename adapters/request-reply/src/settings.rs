//! What the clients are told, and what nobody may tell them.
//!
//! Properties of librdkafka are passed through as they are. A few are not the user's, because a
//! promise of this crate depends on them: setting one is refused with the reason.

mod brokers;
mod properties;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaConfRes;

use crate::error::SettingsError;
use brokers::are_brokers;
use properties::{CONSUMER, PRODUCER, reason_to_refuse};

pub use properties::is_secret;

/// Memory for records that were read ahead and not taken yet, over all lanes.
const READ_AHEAD_KILOBYTES: u32 = 64 * 1024;

/// How a member takes part in its group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Membership {
    /// Partitions move one by one, and those that stay are read on (`cooperative-sticky`).
    #[default]
    Cooperative,
    /// A member of this name keeps its partitions over a restart within the session time-out
    /// (`range` with `group.instance.id`). When any partition moves, all are given back first.
    Static {
        /// Unique within the group.
        instance_id: String,
    },
}

/// What the clients are told.
#[derive(Clone)]
pub struct Settings {
    /// `bootstrap.servers`.
    pub bootstrap_servers: String,
    /// `group.id`.
    pub group_id: String,
    /// How a member takes part in its group.
    pub membership: Membership,
    /// `session.timeout.ms`.
    pub session_timeout: Duration,
    /// How long lanes may take to finish what they have at hand when partitions move.
    pub drain: Duration,
    /// How long a member may be outside of its group while the group's coordinator answers other
    /// clients. Then its client has failed.
    pub rejoin: Duration,
    /// How long a broker may take to answer a question.
    pub request_timeout: Duration,
    /// How long the group's coordinator is asked again while there is none, as on a new cluster.
    pub coordinator_timeout: Duration,
    /// How long a partition may bring nothing before its end is looked at.
    pub silence: Duration,
    /// Over how many partitions the memory for records read ahead is divided.
    pub lanes: u16,
    /// Properties of librdkafka for every client.
    pub properties: BTreeMap<String, String>,
    /// Properties of librdkafka for senders.
    pub producer: BTreeMap<String, String>,
    /// Properties of librdkafka for readers.
    pub consumer: BTreeMap<String, String>,
}

impl Settings {
    /// The usual settings.
    #[must_use]
    pub fn new(bootstrap_servers: impl Into<String>, group_id: impl Into<String>) -> Self {
        Self {
            bootstrap_servers: bootstrap_servers.into(),
            group_id: group_id.into(),
            membership: Membership::default(),
            session_timeout: Duration::from_secs(10),
            drain: Duration::from_secs(5),
            rejoin: Duration::from_mins(2),
            request_timeout: Duration::from_secs(5),
            coordinator_timeout: Duration::from_secs(10),
            silence: Duration::from_secs(10),
            lanes: 12,
            properties: BTreeMap::new(),
            producer: BTreeMap::new(),
            consumer: BTreeMap::new(),
        }
    }

    /// Says whether clients can be made from these; no broker is asked.
    ///
    /// # Errors
    ///
    /// When the brokers are not hosts and ports; when a property is unknown, has a value that the
    /// client refuses, or must not be set by the user; and when lanes could not drain before the
    /// group gives their member up.
    pub fn check(&self) -> Result<(), SettingsError> {
        natively(&self.producer_config()?)?;
        let consumer = natively(&self.consumer_config()?)?;
        let limit = |key: &str| consumer.get(key).ok().and_then(|ms| ms.parse().ok());
        for key in ["session.timeout.ms", "max.poll.interval.ms"] {
            let limit = Duration::from_millis(limit(key).unwrap_or(u64::MAX));
            if limit <= self.drain {
                let drain = self.drain;
                let what =
                    format!("lanes drain in {drain:?}, which must be below `{key}` {limit:?}");
                return Err(SettingsError::Contradiction { what });
            }
        }
        Ok(())
    }

    /// The most bytes that a sender puts into one batch of messages.
    ///
    /// # Errors
    ///
    /// When a property must not be set by the user.
    pub fn batch_size(&self) -> Result<u64, SettingsError> {
        let config = self.producer_config()?;
        Ok(config.get("batch.size").and_then(|bytes| bytes.parse().ok()).unwrap_or_default())
    }

    /// What a sender's client is told.
    pub(crate) fn producer_config(&self) -> Result<ClientConfig, SettingsError> {
        self.config(&PRODUCER, &[], &self.producer)
    }

    /// What a reader's client is told.
    pub(crate) fn consumer_config(&self) -> Result<ClientConfig, SettingsError> {
        let session = self.session_timeout.as_millis().to_string();
        let read_ahead = (READ_AHEAD_KILOBYTES / u32::from(self.lanes.max(1))).max(1).to_string();
        let mut ours = vec![
            ("group.id", self.group_id.as_str()),
            ("session.timeout.ms", &session),
            ("queued.max.messages.kbytes", &read_ahead),
        ];
        match &self.membership {
            Membership::Cooperative => {
                ours.push(("partition.assignment.strategy", "cooperative-sticky"));
            }
            Membership::Static { instance_id } => {
                ours.push(("partition.assignment.strategy", "range"));
                ours.push(("group.instance.id", instance_id));
            }
        }
        self.config(&CONSUMER, &ours, &self.consumer)
    }

    /// Ours first, then the user's, of which none may be one that is reserved.
    fn config(
        &self,
        fixed: &[(&str, &str)],
        ours: &[(&str, &str)],
        theirs: &BTreeMap<String, String>,
    ) -> Result<ClientConfig, SettingsError> {
        if !are_brokers(&self.bootstrap_servers) {
            return Err(SettingsError::Brokers);
        }
        let mut config = ClientConfig::new();
        config.set_log_level(RDKafkaLogLevel::Info);
        config.set("bootstrap.servers", &self.bootstrap_servers);
        for (key, value) in fixed.iter().chain(ours) {
            config.set(*key, *value);
        }
        for (key, value) in self.properties.iter().chain(theirs) {
            if let Some(reason) = reason_to_refuse(key) {
                return Err(SettingsError::Reserved { key: key.clone(), reason });
            }
            config.set(key, value);
        }
        Ok(config)
    }
}

impl Settings {
    fn shown_brokers(&self) -> &str {
        if are_brokers(&self.bootstrap_servers) { &self.bootstrap_servers } else { HIDDEN }
    }
}

/// Secrets are left out.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("bootstrap_servers", &self.shown_brokers())
            .field("group_id", &self.group_id)
            .field("membership", &self.membership)
            .field("session_timeout", &self.session_timeout)
            .field("drain", &self.drain)
            .field("rejoin", &self.rejoin)
            .field("request_timeout", &self.request_timeout)
            .field("coordinator_timeout", &self.coordinator_timeout)
            .field("silence", &self.silence)
            .field("lanes", &self.lanes)
            .field("properties", &Redacted(&self.properties))
            .field("producer", &Redacted(&self.producer))
            .field("consumer", &Redacted(&self.consumer))
            .finish()
    }
}

struct Redacted<'a>(&'a BTreeMap<String, String>);

impl fmt::Debug for Redacted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.iter().map(|(key, value)| (key, shown(key, value)))).finish()
    }
}

/// The text that is shown in the place of a secret.
const HIDDEN: &str = "***";

fn shown<'a>(key: &str, value: &'a str) -> &'a str {
    if is_secret(key) { HIDDEN } else { value }
}

fn natively(config: &ClientConfig) -> Result<rdkafka::config::NativeClientConfig, SettingsError> {
    config.create_native_config().map_err(SettingsError::from)
}

impl SettingsError {
    /// The operating system gives a client no thread.
    pub(crate) fn no_thread(error: &std::io::Error) -> Self {
        Self::Client { what: format!("no thread can be had: {error}") }
    }
}

impl From<KafkaError> for SettingsError {
    fn from(error: KafkaError) -> Self {
        match error {
            KafkaError::ClientConfig(result, reason, key, value) => {
                // An unknown name may be the misspelt name of a secret.
                let is_unknown = matches!(result, RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN);
                let value = if is_unknown { HIDDEN } else { shown(&key, &value) }.to_owned();
                Self::Refused { key, value, reason: with_feature(reason) }
            }
            KafkaError::ClientCreation(what) => Self::Client { what: with_feature(what) },
            other => Self::Client { what: other.to_string() },
        }
    }
}

/// The client's message about its settings. If the client lacks OpenSSL, the message names the
/// feature of this crate instead.
fn with_feature(reason: String) -> String {
    if cfg!(feature = "tls") || !reason.to_lowercase().contains("openssl") {
        return reason;
    }
    "this program was built without TLS and SASL: build it with the feature `tls`".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(not(feature = "tls"))]
    #[test]
    fn what_needs_the_feature_tls_names_it() {
        for (key, value) in [
            ("security.protocol", "ssl"),
            ("security.protocol", "sasl_ssl"),
            ("ssl.ca.location", "ca.pem"),
        ] {
            let error = with(key, value).unwrap_err().to_string();
            let expected = format!("`{key}` = `{value}` was refused: this program was built");
            assert!(
                error.starts_with(&expected) && error.ends_with("the feature `tls`"),
                "{error}"
            );
        }
    }

    fn settings() -> Settings {
        Settings::new("localhost:9092", "group")
    }

    fn with(key: &str, value: &str) -> Result<(), SettingsError> {
        let mut settings = settings();
        settings.properties.insert(key.to_owned(), value.to_owned());
        settings.check()
    }

    #[test]
    fn the_usual_settings_are_taken() {
        assert_eq!(settings().check(), Ok(()));
        let membership = Membership::Static { instance_id: "one".to_owned() };
        assert_eq!(Settings { membership, ..settings() }.check(), Ok(()));
    }

    #[test]
    fn the_size_of_a_batch_is_ours_unless_the_user_says_otherwise() {
        let mut settings = settings();
        assert_eq!(settings.batch_size(), Ok(1_000_000));
        settings.producer.insert("batch.size".to_owned(), "16384".to_owned());
        assert_eq!(settings.batch_size(), Ok(16_384));
    }

    #[test]
    fn a_password_among_the_brokers_is_refused_and_not_shown() {
        for brokers in ["me:hunter2@kafka:9092", "sasl://me:hunter2@kafka"] {
            let settings = Settings { bootstrap_servers: brokers.to_owned(), ..settings() };
            assert_eq!(settings.check(), Err(SettingsError::Brokers));
            let shown = format!("{settings:?} {}", SettingsError::Brokers);
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }

    #[test]
    fn an_unknown_property_is_named_without_its_value() {
        for key in ["linger.sm", "sasl.pasword"] {
            let error = with(key, "hunter2").unwrap_err().to_string();
            assert!(error.contains(&format!("`{key}` = `***` was refused")), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_bad_value_is_named_with_its_property() {
        let error = with("statistics.interval.ms", "soon").unwrap_err().to_string();
        assert!(error.contains("`statistics.interval.ms` = `soon`"), "{error}");
    }

    #[test]
    fn a_property_that_a_promise_depends_on_is_refused_with_the_reason() {
        for (key, value) in [
            ("enable.auto.commit", "true"),
            ("auto.offset.reset", "latest"),
            ("isolation.level", "read_uncommitted"),
            ("request.required.acks", "1"),
            ("partitioner", "random"),
            ("bootstrap.servers", "elsewhere:9092"),
        ] {
            let error = with(key, value).unwrap_err();
            assert!(matches!(error, SettingsError::Reserved { .. }), "{key}: {error}");
        }
    }

    #[test]
    fn every_property_of_ours_is_one_that_the_client_knows() {
        let config = settings().consumer_config().unwrap().create_native_config().unwrap();
        assert_eq!(config.get("auto.offset.reset").unwrap(), "error");
        assert_eq!(config.get("queued.max.messages.kbytes").unwrap(), "5461");
    }

    #[test]
    fn records_can_be_read_by_every_kind_of_peer_unless_the_user_says_otherwise() {
        let compression = |settings: Settings| {
            let config = settings.producer_config().unwrap().create_native_config().unwrap();
            config.get("compression.type").unwrap()
        };
        assert_eq!(compression(settings()), "none");
        let producer = BTreeMap::from([("compression.type".to_owned(), "lz4".to_owned())]);
        assert_eq!(compression(Settings { producer, ..settings() }), "lz4");
    }

    #[test]
    fn every_client_soon_learns_where_the_leaders_are() {
        let settings = settings();
        for config in [settings.consumer_config(), settings.producer_config()] {
            let native = config.unwrap().create_native_config().unwrap();
            assert_eq!(native.get("topic.metadata.refresh.interval.ms").unwrap(), "10000");
        }
    }

    #[test]
    fn lanes_that_drain_longer_than_the_session_are_refused() {
        let settings = Settings { drain: Duration::from_secs(10), ..settings() };
        let error = settings.check().unwrap_err().to_string();
        assert!(error.contains("`session.timeout.ms`"), "{error}");
    }

    #[test]
    fn secrets_are_not_shown() {
        let mut settings = settings();
        for key in [
            "sasl.password",
            "ssl.key.pem",
            "sasl.oauthbearer.client.secret",
            "sasl.oauthbearer.assertion.private.key.passphrase",
            "sasl.jaas.config",
            "sasl.kerberos.kinit.cmd",
        ] {
            settings.properties.insert(key.to_owned(), "hunter2".to_owned());
        }
        assert!(!format!("{settings:?}").contains("hunter2"));
        let refused = KafkaError::ClientConfig(
            rdkafka::types::RDKafkaConfRes::RD_KAFKA_CONF_INVALID,
            "no".to_owned(),
            "ssl.key.password".to_owned(),
            "hunter2".to_owned(),
        );
        assert!(!SettingsError::from(refused).to_string().contains("hunter2"));
    }
}
