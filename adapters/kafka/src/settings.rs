//! What the adapter is told.

use catchment_request_reply::Settings as ClientSettings;

/// What the adapter is told.
#[derive(Clone, Debug)]
pub struct KafkaSettings {
    /// What its clients are told.
    pub client: ClientSettings,
    /// The topic in which requests travel.
    pub requests_topic: String,
    /// The topic in which replies travel.
    pub replies_topic: String,
    /// Where else replies may be sent: names of topics, with `*` for any text.
    pub reply_topics_allowed: Vec<String>,
    /// The Java class that replies to Spring are marked with, for its `JsonDeserializer`
    /// without a default type.
    pub spring_type_id: Option<String>,
}

impl KafkaSettings {
    /// The usual topics, and no other that replies may be sent to.
    #[must_use]
    pub fn new(client: ClientSettings) -> Self {
        Self {
            client,
            requests_topic: "catchment.shop.requests.v1".to_owned(),
            replies_topic: "catchment.shop.replies.v1".to_owned(),
            reply_topics_allowed: Vec::new(),
            spring_type_id: None,
        }
    }
}
