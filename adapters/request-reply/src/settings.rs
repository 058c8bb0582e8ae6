//! What the clients are told, and what nobody may tell them.

use std::collections::BTreeMap;
use std::time::Duration;

/// How a member takes part in its group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Membership {
    /// Partitions move one by one, and those that stay are read on (`cooperative-sticky`).
    #[default]
    Cooperative,
    /// A member of this name keeps its partitions over a restart within the session time-out
    /// (`range` with `group.instance.id`).
    Static {
        /// Unique within the group.
        instance_id: String,
    },
}

/// What the clients are told.
#[derive(Clone, Debug)]
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
    /// How long a broker may take to answer a question.
    pub request_timeout: Duration,
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
            request_timeout: Duration::from_secs(5),
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
    /// When a property is unknown, has a value that the client refuses, or is not the user's.
    pub fn check(&self) -> Result<(), crate::SettingsError> {
        todo!()
    }
}
