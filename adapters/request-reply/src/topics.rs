//! Looks at topics, makes and deletes them.

use crate::error::{SettingsError, TopicsError};
use crate::settings::Settings;

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

/// Looks at topics, makes and deletes them.
#[derive(Clone, Debug)]
pub struct Topics {}

impl Topics {
    /// A client for topics.
    ///
    /// # Errors
    ///
    /// When the client refuses a setting.
    pub fn new(_settings: &Settings) -> Result<Self, SettingsError> {
        todo!()
    }

    /// The cluster's id.
    ///
    /// # Errors
    ///
    /// When no broker answers in time.
    pub async fn cluster_id(&self) -> Result<String, TopicsError> {
        todo!()
    }

    /// How many partitions a topic has, `None` where there is no such topic.
    ///
    /// # Errors
    ///
    /// When no broker answers in time.
    pub async fn partitions(&self, _topic: &str) -> Result<Option<i32>, TopicsError> {
        todo!()
    }

    /// Makes a topic that is not there, and returns once it can be used.
    ///
    /// # Errors
    ///
    /// When the brokers refuse it or do not answer in time.
    pub async fn create(&self, _topic: &NewTopic) -> Result<Created, TopicsError> {
        todo!()
    }

    /// Deletes a topic; one that is not there is no error.
    ///
    /// # Errors
    ///
    /// When the brokers refuse it or do not answer in time.
    pub async fn delete(&self, _topic: &str) -> Result<(), TopicsError> {
        todo!()
    }

    /// Deletes the records of a partition below `before`.
    ///
    /// # Errors
    ///
    /// When the brokers refuse it or do not answer in time.
    pub async fn delete_records(
        &self,
        _topic: &str,
        _partition: i32,
        _before: i64,
    ) -> Result<(), TopicsError> {
        todo!()
    }
}
