//! Partitions that cannot be read on, and those that can although they look like it.

use std::collections::BTreeMap;
use std::time::Duration;

use catchment_request_reply::{Lookout, Member, NewTopic, Reader, Settings, Unread};
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use crate::broker::fixture::{Fixture, PATIENCE, list, number, numbers, read_all};

/// Another program that sends, with these properties.
fn producer(settings: &Settings, properties: &[(&str, &str)]) -> BaseProducer {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &settings.bootstrap_servers);
    for (key, value) in properties {
        config.set(*key, *value);
    }
    config.create().unwrap()
}

fn send(producer: &BaseProducer, topic: &str, number: u64) {
    let value = number.to_be_bytes();
    let record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(topic).partition(0).payload(&value);
    producer.send(record).unwrap();
    producer.flush(PATIENCE).unwrap();
}

/// A topic with one record, and then one of a transaction that is open.
async fn with_open_transaction() -> (Fixture, BaseProducer) {
    let mut fixture = Fixture::new(1).await;
    fixture.settings.silence = Duration::from_millis(300);
    fixture.fill(0, 0..1).await;
    let transactional = producer(&fixture.settings, &[("transactional.id", &fixture.topic)]);
    transactional.init_transactions(PATIENCE).unwrap();
    transactional.begin_transaction().unwrap();
    send(&transactional, &fixture.topic, 1);
    (fixture, transactional)
}

/// Waits for records from here on until this holds.
async fn wait_until(reader: &Reader<u64>, from: i64, holds: impl Fn() -> bool + Send + Sync) {
    let waiting = async {
        while !holds() {
            let wait = tokio::time::timeout(Duration::from_millis(50), reader.wait(0, from));
            // A timeout is fine: the caller checks again.
            let _ = wait.await;
            reader.read(0, from, 10).await.unwrap();
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("it becomes so");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka"]
async fn records_compressed_with_zstd_or_any_other_codec_are_read() {
    let fixture = Fixture::new(1).await;
    // Much that can be compressed.
    let value = vec![7; 20_000];
    let codecs = ["none", "gzip", "snappy", "lz4", "zstd"];
    for codec in codecs {
        let producer = producer(&fixture.settings, &[("compression.type", codec)]);
        let record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(&fixture.topic).payload(&value);
        producer.send(record).unwrap();
        producer.flush(PATIENCE).unwrap();
    }
    let parse = move |record: &catchment_request_reply::Incoming<'_>| {
        u64::from(record.value == Some(value.as_slice()))
    };
    let reader = Reader::manual(&fixture.settings, &fixture.topic, parse).unwrap();
    assert_eq!(numbers(&read_all(&reader, 0, 0, codecs.len()).await), [1; 5]);
    reader.close(PATIENCE).await.unwrap();
    fixture.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka"]
async fn a_topic_that_brokers_compress_with_zstd_is_read() {
    let fixture = Fixture::without_topic();
    let properties = vec![("compression.type".to_owned(), "zstd".to_owned())];
    let topic =
        NewTopic { name: fixture.topic.clone(), partitions: 1, replication: Some(1), properties };
    fixture.topics.create(&topic).await.unwrap();
    fixture.fill(0, 0..1_000).await;
    let reader = fixture.reader();
    assert_eq!(numbers(&read_all(&reader, 0, 0, 1_000).await), list(0..1_000));
    reader.close(PATIENCE).await.unwrap();
    fixture.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka"]
async fn a_transaction_that_stays_open_is_named_until_it_ends() {
    let (fixture, transactional) = with_open_transaction().await;
    // What comes behind it waits, too.
    fixture.fill(0, 2..3).await;
    let reader = fixture.reader();
    assert_eq!(numbers(&read_all(&reader, 0, 0, 1).await), [0]);
    wait_until(&reader, 1, || reader.trouble(0).is_some()).await;
    let cause = reader.trouble(0).unwrap().cause;
    assert_eq!(cause, "a transaction that is open holds back the records from 1 on");
    transactional.commit_transaction(PATIENCE).unwrap();
    assert_eq!(numbers(&read_all(&reader, 0, 1, 2).await), [1, 2]);
    assert_eq!(reader.trouble(0), None);
    reader.close(PATIENCE).await.unwrap();
    fixture.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka"]
async fn an_open_transaction_lies_between_what_may_be_read_and_the_end() {
    let (fixture, _transactional) = with_open_transaction().await;
    let reader = fixture.reader();
    let lookout = Lookout::new(&fixture.settings, &fixture.topic).unwrap();
    assert_eq!(reader.watermarks(0).await.unwrap().high, 1);
    assert_eq!(lookout.ends(0..1).await.unwrap(), [(0, 2)]);
    assert_eq!(lookout.unread(0, 1).await.unwrap(), Unread::OpenTransaction { from: 1 });
    lookout.close(PATIENCE).await;
    reader.close(PATIENCE).await.unwrap();
    fixture.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka"]
async fn records_of_an_aborted_transaction_are_not_read_and_hold_nothing_up() {
    let (fixture, transactional) = with_open_transaction().await;
    let reader = fixture.reader();
    assert_eq!(numbers(&read_all(&reader, 0, 0, 1).await), [0]);
    wait_until(&reader, 1, || reader.trouble(0).is_some()).await;
    transactional.abort_transaction(PATIENCE).unwrap();
    wait_until(&reader, 1, || reader.trouble(0).is_none()).await;
    fixture.fill(0, 5..6).await;
    assert_eq!(numbers(&read_all(&reader, 0, 1, 1).await), [5]);
    reader.close(PATIENCE).await.unwrap();
    fixture.clean().await;
}

/// The mark at the end of a transaction is no record, and looks like one that does not come.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka"]
async fn the_mark_of_a_transaction_is_no_trouble() {
    let (fixture, transactional) = with_open_transaction().await;
    transactional.commit_transaction(PATIENCE).unwrap();
    let reader = fixture.reader();
    assert_eq!(numbers(&read_all(&reader, 0, 0, 2).await), [0, 1]);
    assert_eq!(reader.watermarks(0).await.unwrap().high, 3, "the mark is behind the records");
    // Longer than several looks at a silent lane take.
    let waiting = async {
        loop {
            reader.wait(0, 2).await;
            assert_eq!(reader.read(0, 2, 10).await, Ok(Vec::new()));
            assert_eq!(reader.trouble(0), None);
        }
    };
    let long = fixture.settings.silence * 8;
    assert!(tokio::time::timeout(long, waiting).await.is_err(), "it goes on waiting");
    reader.close(PATIENCE).await.unwrap();
    fixture.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka"]
async fn what_others_have_not_read_is_seen_from_outside() {
    let (fixture, transactional) = with_open_transaction().await;
    let lookout = Lookout::new(&fixture.settings, &fixture.topic).unwrap();
    assert_eq!(lookout.ends(0..1).await.unwrap(), [(0, 2)]);
    assert_eq!(lookout.unread(0, 0).await, Ok(Unread::Records));
    assert_eq!(lookout.unread(0, 1).await, Ok(Unread::OpenTransaction { from: 1 }));
    transactional.commit_transaction(PATIENCE).unwrap();
    // The coordinator writes the mark after it has answered.
    let marked = async { while lookout.ends(0..1).await.unwrap() != [(0, 3)] {} };
    tokio::time::timeout(PATIENCE, marked).await.expect("the mark is written");
    assert_eq!(lookout.unread(0, 1).await, Ok(Unread::Records));
    assert_eq!(lookout.unread(0, 2).await, Ok(Unread::Nothing), "the mark is none");
    fixture.topics.delete_records(&fixture.topic, 0, 2).await.unwrap();
    assert_eq!(lookout.unread(0, 0).await, Ok(Unread::Records), "gone, and not read either");
    lookout.close(PATIENCE).await;
    fixture.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka"]
async fn the_member_that_has_a_partition_is_known_from_outside() {
    let mut fixture = Fixture::new(2).await;
    let lookout = Lookout::new(&fixture.settings, &fixture.topic).unwrap();
    assert_eq!(lookout.holders().await, Ok(BTreeMap::new()));
    fixture.settings.properties.insert("client.id".to_owned(), "stranger".to_owned());
    let parse = |record: &catchment_request_reply::Incoming<'_>| number(record.value);
    let (member, mut events) = Reader::group(&fixture.settings, &fixture.topic, parse).unwrap();
    tokio::time::timeout(PATIENCE, events.recv()).await.expect("it is assigned").unwrap();
    // The brokers know it a little later.
    let known = async {
        loop {
            if let Some(holder) = lookout.holders().await.unwrap().remove(&1) {
                break holder;
            }
            tokio::task::yield_now().await;
        }
    };
    let Member { client, host } = tokio::time::timeout(PATIENCE, known).await.expect("it is known");
    assert_eq!(client, "stranger");
    assert!(host.parse::<std::net::IpAddr>().is_ok(), "{host}");
    let partitions = lookout.holders().await.unwrap().into_keys();
    assert!(partitions.eq([0, 1]), "both, and no other");
    member.close(PATIENCE).await.unwrap();
    lookout.close(PATIENCE).await;
    fixture.clean().await;
}
