//! A partition without a leader, on the mock brokers of librdkafka: a single real broker leads
//! every partition that it has.

use std::task::{Context, Waker};
use std::time::Duration;

use catchment_request_reply::{Message, SendError, Sender, Settings};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::RDKafkaApiKey;
use tokio::task::{JoinSet, unconstrained};

const TOPIC: &str = "lanes";

/// The only broker.
const BROKER: i32 = 1;

/// Longer than anything here takes on a slow machine.
const PATIENCE: Duration = Duration::from_mins(1);

type Brokers = MockCluster<'static, DefaultProducerContext>;

/// A broker that leads every partition of the topic.
fn brokers(partitions: i32) -> Brokers {
    let brokers = MockCluster::new(1).unwrap();
    // From version 10 on, the mock names the leader in its answer, and ends the process where
    // there is none.
    brokers.apiversion(RDKafkaApiKey::Produce, Some(0), Some(9)).unwrap();
    brokers.create_topic(TOPIC, partitions, 1).unwrap();
    brokers
}

fn sender(brokers: &Brokers, properties: &[(&str, &str)]) -> Sender {
    let mut settings = Settings::new(brokers.bootstrap_servers(), "group");
    for (key, value) in properties {
        settings.producer.insert((*key).to_owned(), (*value).to_owned());
    }
    Sender::new(&settings).unwrap()
}

/// A message of a kilobyte.
fn message(partition: i32) -> Message {
    Message {
        topic: TOPIC.into(),
        partition: Some(partition),
        key: None,
        value: Some(vec![7; 1_000]),
        headers: Vec::new(),
    }
}

fn messages(partition: i32, count: usize) -> Vec<Message> {
    (0..count).map(|_| message(partition)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_without_a_leader_fails_alone_until_it_has_one() {
    let brokers = brokers(4);
    let often = ("topic.metadata.refresh.interval.ms", "200");
    let sender = sender(&brokers, &[("delivery.timeout.ms", "3000"), often]);
    for partition in 0..4 {
        sender.send(&messages(partition, 10)).await.unwrap();
    }
    brokers.partition_leader(TOPIC, 0, None).unwrap();
    // So slow that there is always a message under way when another fails.
    brokers.broker_round_trip_time(BROKER, Duration::from_millis(200)).unwrap();
    let mut others = JoinSet::new();
    let (stop, stopped) = tokio::sync::watch::channel(false);
    for partition in 1..4 {
        let (sender, stopped) = (sender.clone(), stopped.clone());
        others.spawn(async move {
            while !*stopped.borrow() {
                sender.send(&messages(partition, 10)).await?;
            }
            Ok::<_, SendError>(())
        });
    }
    for _ in 0..2 {
        let failed = sender.send(&messages(0, 10)).await;
        assert!(matches!(failed, Err(SendError::Undelivered { .. })), "{failed:?}");
    }
    brokers.partition_leader(TOPIC, 0, Some(BROKER)).unwrap();
    let again = async { while sender.send(&messages(0, 10)).await.is_err() {} };
    tokio::time::timeout(PATIENCE, again).await.expect("it has a leader again");
    stop.send_replace(true);
    for others in others.join_all().await {
        assert_eq!(others, Ok(()), "another partition failed with it");
    }
    sender.close(PATIENCE).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partitions_without_a_leader_leave_room_for_others() {
    const STUCK: i32 = 12;
    let brokers = brokers(STUCK + 1);
    for partition in 0..STUCK {
        brokers.partition_leader(TOPIC, partition, None).unwrap();
    }
    let sender = sender(&brokers, &[("delivery.timeout.ms", "120000")]);
    let call = |partition| {
        let sender = sender.clone();
        // Without a budget, one poll goes on until the call has to wait for credit.
        Box::pin(unconstrained(async move { sender.send(&messages(partition, 4_000)).await }))
    };
    let mut stuck: Vec<_> = (0..STUCK).map(call).collect();
    let mut poll_all = || {
        let mut context = Context::from_waker(Waker::noop());
        stuck.iter_mut().all(|call| call.as_mut().poll(&mut context).is_pending())
    };
    assert!(poll_all(), "each has taken the credit that it gets, and waits");
    let others = messages(STUCK, 4_000);
    let sent = tokio::time::timeout(Duration::from_secs(20), sender.send(&others)).await;
    assert_eq!(sent.expect("there is room"), Ok(()));
    assert!(poll_all(), "the others still wait");
    drop(stuck);
    let closed = sender.close(Duration::from_millis(100)).await;
    assert!(closed.is_err(), "what cannot be delivered is left");
}
