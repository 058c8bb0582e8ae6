//! What Kafka does alone, to measure everything else beside it.

use std::sync::Arc;

use catchment_request_reply::{RoundTrip, RoundTripError, Route, raw_round_trip};

use super::KafkaCluster;
use crate::settings::KafkaSettings;

impl KafkaCluster {
    /// The same cluster with other topics.
    #[must_use]
    pub fn with_topics(&self, requests: &str, replies: &str) -> Self {
        let settings = KafkaSettings {
            requests_topic: requests.to_owned(),
            replies_topic: replies.to_owned(),
            ..(*self.settings).clone()
        };
        Self { settings: Arc::new(settings), ..self.clone() }
    }

    /// Sends messages of so many bytes to the one topic and back by the other, by clients as
    /// requester and consumer have them. Nothing is parsed, and nothing is stored.
    ///
    /// # Errors
    ///
    /// When a topic is missing, or the brokers do not take or give the messages.
    pub async fn raw_round_trip(
        &self,
        count: usize,
        bytes: usize,
    ) -> Result<RoundTrip, RoundTripError> {
        let route = Route {
            requests: self.settings.requests_topic.clone(),
            replies: self.settings.replies_topic.clone(),
        };
        raw_round_trip(&self.settings.client, &route, count, bytes).await
    }
}
