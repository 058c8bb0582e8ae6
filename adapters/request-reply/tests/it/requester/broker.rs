//! The broker that the environment names, and topics of one test.

use std::time::Duration;

use catchment_request_reply::{NewTopic, Settings, Topics};
use uuid::Uuid;

use crate::brokers;

/// How long anything may take that should happen.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// Settings for the broker of the tests.
pub(crate) fn settings() -> Settings {
    Settings::new(brokers(), format!("test-{}", Uuid::now_v7()))
}

/// Settings for a port of our own where nobody listens.
pub(crate) fn settings_of_nobody() -> Settings {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    Settings::new(address, "test")
}

/// A topic of one test.
pub(crate) async fn new_topic(name: &str, partitions: i32) -> String {
    let name = format!("test.{name}.{}", Uuid::now_v7());
    let topic =
        NewTopic { name: name.clone(), partitions, replication: None, properties: Vec::new() };
    Topics::new(&settings()).unwrap().create(&topic).await.unwrap();
    name
}

/// Deletes the topics of a test.
pub(crate) async fn delete(topics: impl IntoIterator<Item = &str>) {
    let client = Topics::new(&settings()).unwrap();
    for topic in topics {
        client.delete(topic).await.unwrap();
    }
}

/// Waits for what should happen soon.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(SOON, what).await.expect("it should have happened by now")
}
