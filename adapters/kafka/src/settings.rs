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

    /// The settings of senders whose records only our own programs read: they compress with LZ4,
    /// unless the user sets another codec.
    pub(crate) fn among_ourselves(&self) -> ClientSettings {
        let mut client = self.client.clone();
        let is_said =
            |key: &str| client.properties.contains_key(key) || client.producer.contains_key(key);
        if !COMPRESSION.iter().copied().any(is_said) {
            client.producer.insert(COMPRESSION[0].to_owned(), "lz4".to_owned());
        }
        client
    }
}

/// The two names of one property.
const COMPRESSION: [&str; 2] = ["compression.type", "compression.codec"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_we_read_is_compressed_unless_the_user_says_otherwise() {
        let compression = |key: Option<(&str, &str)>| {
            let mut client = ClientSettings::new("localhost:9092", "group");
            if let Some((key, value)) = key {
                client.producer.insert(key.to_owned(), value.to_owned());
            }
            let settings = KafkaSettings::new(client).among_ourselves();
            settings.producer.get("compression.type").cloned()
        };
        assert_eq!(compression(None).as_deref(), Some("lz4"));
        assert_eq!(compression(Some(("compression.type", "gzip"))).as_deref(), Some("gzip"));
        assert_eq!(compression(Some(("compression.codec", "none"))), None);
        let mut settings = KafkaSettings::new(ClientSettings::new("localhost:9092", "group"));
        settings.client.properties.insert("compression.type".to_owned(), "none".to_owned());
        assert_eq!(settings.among_ourselves().producer.get("compression.type"), None);
    }
}
