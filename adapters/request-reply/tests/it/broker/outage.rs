//! Brokers that are not there, and that come.

use std::time::{Duration, Instant};

use catchment_request_reply::{
    Incoming, ReadError, Reader, SendError, Sender, Topics, TopicsError,
};
use tokio::net::{TcpListener, TcpStream};

use crate::broker::fixture::{Fixture, PATIENCE, list, number, numbers, read_all};
use crate::brokers;

/// A port where nothing listens, until something does.
async fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
}

/// Passes connections on to the broker, whose own address clients learn behind it.
async fn stand_in(port: u16) {
    let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    loop {
        let (mut client, _) = listener.accept().await.unwrap();
        let mut broker = TcpStream::connect(brokers()).await.unwrap();
        tokio::spawn(async move { tokio::io::copy_bidirectional(&mut client, &mut broker).await });
    }
}

fn without_broker(port: u16) -> Fixture {
    let mut fixture = Fixture::at(format!("127.0.0.1:{port}"));
    fixture.settings.request_timeout = Duration::from_secs(1);
    fixture
}

#[tokio::test]
async fn questions_to_a_broker_that_is_not_there_fail_within_their_time() {
    let fixture = without_broker(free_port().await);
    let started = Instant::now();
    let topics = Topics::new(&fixture.settings).unwrap();
    let error = topics.cluster_id().await.unwrap_err();
    assert!(matches!(error, TopicsError::Unavailable { .. }), "{error}");
    assert!(error.to_string().contains(&fixture.settings.bootstrap_servers), "{error}");
    let error = topics.partitions("any").await.unwrap_err();
    assert!(matches!(error, TopicsError::Unavailable { .. }), "{error}");
    let reader = fixture.reader();
    let error = reader.read(0, 0, 1).await.unwrap_err();
    assert!(matches!(error, ReadError::Unavailable { .. }), "{error}");
    let error = reader.fetch(0, 0).await.unwrap_err();
    assert!(matches!(error, ReadError::Unavailable { .. }), "{error}");
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    reader.close(PATIENCE).await.unwrap();
}

#[tokio::test]
#[ignore = "needs Kafka"]
async fn a_topic_that_is_missing_is_unavailable_and_read_once_it_is_there() {
    let fixture = Fixture::without_topic();
    let reader = fixture.reader();
    let started = Instant::now();
    let error = reader.read(0, 0, 1).await.unwrap_err();
    assert!(matches!(error, ReadError::Unavailable { .. }), "{error}");
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    fixture.make(1).await;
    fixture.fill(0, 0..10).await;
    let there = async { while reader.read(0, 0, 1).await.is_err() {} };
    tokio::time::timeout(PATIENCE, there).await.expect("it is found");
    assert_eq!(numbers(&read_all(&reader, 0, 0, 10).await), list(0..10));
    reader.close(PATIENCE).await.unwrap();
    fixture.clean().await;
}

#[tokio::test]
async fn a_sender_without_a_broker_fails_within_the_delivery_time() {
    let mut fixture = without_broker(free_port().await);
    fixture.settings.producer.insert("delivery.timeout.ms".into(), "1500".into());
    let sender = Sender::new(&fixture.settings).unwrap();
    let started = Instant::now();
    let error = sender.send(&[fixture.message(None, 0)]).await.unwrap_err();
    assert!(matches!(error, SendError::Undelivered { .. }), "{error}");
    assert!(error.to_string().contains("timed out"), "the cause is told: {error}");
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    sender.close(PATIENCE).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka"]
async fn what_waits_for_a_broker_goes_on_when_it_comes() {
    let real = Fixture::new(1).await;
    let port = free_port().await;
    let settings = without_broker(port).settings;
    let sender = Sender::new(&settings).unwrap();
    let (calling, message) = (sender.clone(), real.message(Some(0), 7));
    let sent = tokio::spawn(async move { calling.send(&[message]).await });
    let parse = |record: &Incoming<'_>| number(record.value);
    let reader = Reader::manual(&settings, &real.topic, parse).unwrap();
    assert!(reader.read(0, 0, 1).await.is_err(), "nobody listens");
    let broker = tokio::spawn(stand_in(port));
    let there = async { while reader.read(0, 0, 1).await.is_err() {} };
    tokio::time::timeout(PATIENCE, there).await.expect("the reader comes back");
    assert_eq!(numbers(&read_all(&reader, 0, 0, 1).await), [7]);
    assert_eq!(sent.await.unwrap(), Ok(()), "the sender had waited");
    reader.close(PATIENCE).await.unwrap();
    sender.close(PATIENCE).await.unwrap();
    broker.abort();
    real.clean().await;
}

#[tokio::test]
async fn closing_without_a_broker_ends_in_time() {
    let fixture = without_broker(free_port().await);
    let reader = fixture.reader();
    assert!(reader.read(0, 0, 1).await.is_err());
    let started = Instant::now();
    reader.close(Duration::from_secs(5)).await.unwrap();
    let parse = |record: &Incoming<'_>| number(record.value);
    let (member, _events) = Reader::group(&fixture.settings, "any", parse).unwrap();
    member.close(Duration::from_secs(5)).await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}
