use catchment_request_reply::{Created, NewTopic, TopicsError};

use crate::broker::fixture::Fixture;

#[tokio::test]
#[ignore = "needs Kafka"]
async fn a_topic_is_made_once_and_deleted() {
    let fixture = Fixture::new(3).await;
    let Fixture { topics, topic, .. } = &fixture;
    assert_eq!(topics.partitions(topic).await, Ok(Some(3)));
    let name = topic.clone();
    let again = NewTopic { name, partitions: 5, replication: None, properties: Vec::new() };
    assert_eq!(topics.create(&again).await, Ok(Created::AlreadyThere));
    assert_eq!(topics.partitions(topic).await, Ok(Some(3)), "unchanged");
    topics.delete(topic).await.unwrap();
    topics.delete(topic).await.expect("what is not there is no error");
}

#[tokio::test]
#[ignore = "needs Kafka"]
async fn a_topic_that_is_not_there_is_not_made_by_asking() {
    let Fixture { topics, topic, .. } = Fixture::without_topic();
    assert_eq!(topics.partitions(&topic).await, Ok(None));
    assert_eq!(topics.partitions(&topic).await, Ok(None));
}

#[tokio::test]
#[ignore = "needs Kafka"]
async fn a_topic_is_described_with_what_was_set_and_the_defaults() {
    let Fixture { topics, topic: name, .. } = Fixture::without_topic();
    assert_eq!(topics.describe(&name).await, Ok(None));
    let properties = vec![("retention.ms".to_owned(), "3600000".to_owned())];
    let new = NewTopic { name: name.clone(), partitions: 3, replication: Some(1), properties };
    topics.create(&new).await.unwrap();
    let described = topics.describe(&name).await.unwrap().unwrap();
    assert_eq!((described.partitions, described.replicas), (3, 1));
    let property = |name: &str| described.properties.get(name).map(String::as_str);
    assert_eq!(property("retention.ms"), Some("3600000"));
    assert_eq!(property("cleanup.policy"), Some("delete"));
    assert_eq!(property("compression.type"), Some("producer"));
    topics.delete(&name).await.unwrap();
}

#[tokio::test]
#[ignore = "needs Kafka"]
async fn what_the_brokers_refuse_is_named() {
    let Fixture { topics, topic: name, .. } = Fixture::without_topic();
    let properties = vec![("retention.ms".to_owned(), "soon".to_owned())];
    let bad = NewTopic { name, partitions: 1, replication: None, properties };
    let error = topics.create(&bad).await.unwrap_err();
    assert!(matches!(error, TopicsError::Refused { .. }), "{error}");
}

#[tokio::test]
#[ignore = "needs Kafka"]
async fn the_cluster_has_an_id() {
    let Fixture { topics, .. } = Fixture::without_topic();
    let id = topics.cluster_id().await.unwrap();
    assert_eq!(topics.cluster_id().await, Ok(id.clone()));
    assert!(!id.is_empty());
}
