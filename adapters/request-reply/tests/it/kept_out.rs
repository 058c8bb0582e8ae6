//! A member that its group refuses, on the mock brokers of librdkafka. A real coordinator refuses
//! no member.

use std::time::Duration;

use catchment_request_reply::{GroupEvent, ReadError, Reader, Settings};
use rdkafka::mocking::MockCluster;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

const TOPIC: &str = "lanes";

/// Longer than anything here takes on a slow machine.
const PATIENCE: Duration = Duration::from_mins(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_fails_that_its_group_keeps_out_though_the_coordinator_answers() {
    let brokers = MockCluster::new(1).unwrap();
    brokers.create_topic(TOPIC, 1, 1).unwrap();
    let refusal = RDKafkaRespErr::RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS;
    brokers.request_errors(RDKafkaApiKey::JoinGroup, &vec![refusal; 10_000]);
    let mut settings = Settings::new(brokers.bootstrap_servers(), "group");
    settings.rejoin = Duration::from_secs(4);
    let (reader, mut events) = Reader::group(&settings, TOPIC, |_| ()).unwrap();
    let event = tokio::time::timeout(PATIENCE, events.recv()).await.expect("it fails in time");
    let Some(GroupEvent::Failed { cause }) = event else { panic!("{event:?}") };
    assert!(cause.contains("has not taken this member in"), "{cause}");
    let read = reader.read(0, 0, 1).await;
    assert!(matches!(read, Err(ReadError::Fatal { .. })), "{read:?}");
    reader.close(PATIENCE).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_waits_for_a_coordinator_that_is_away() {
    let brokers = MockCluster::new(1).unwrap();
    brokers.create_topic(TOPIC, 1, 1).unwrap();
    let away = RDKafkaRespErr::RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE;
    // The member asks about twice a second.
    brokers.request_errors(RDKafkaApiKey::FindCoordinator, &[away; 12]);
    let mut settings = Settings::new(brokers.bootstrap_servers(), "group");
    settings.rejoin = Duration::from_secs(4);
    let (reader, mut events) = Reader::group(&settings, TOPIC, |_| ()).unwrap();
    let event = tokio::time::timeout(PATIENCE, events.recv()).await.expect("it joins in time");
    assert!(matches!(event, Some(GroupEvent::Assigned { .. })), "{event:?}");
    reader.close(PATIENCE).await.unwrap();
}
