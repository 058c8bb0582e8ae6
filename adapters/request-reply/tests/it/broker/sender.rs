use std::time::Duration;

use catchment_request_reply::{Header, NewTopic, Refusal, SendError, Sender};

use crate::broker::fixture::{Fixture, PATIENCE, list, noise, numbers, read_all};

#[tokio::test]
#[ignore = "needs Kafka"]
async fn messages_arrive_in_order_within_a_call_and_over_calls() {
    let fixture = Fixture::new(1).await;
    let sender = fixture.sender();
    for call in 0..5 {
        let messages: Vec<_> =
            (0..1_000).map(|n| fixture.message(None, call * 1_000 + n)).collect();
        sender.send(&messages).await.unwrap();
    }
    let reader = fixture.reader();
    assert_eq!(reader.watermarks(0).await.unwrap().high, 5_000, "all are there when it returns");
    assert_eq!(numbers(&read_all(&reader, 0, 0, 5_000).await), list(0..5_000));
    reader.close(PATIENCE).await.unwrap();
    sender.close(PATIENCE).await.unwrap();
    fixture.clean().await;
}

/// Values from the tests of Java's client.
#[tokio::test]
#[ignore = "needs Kafka"]
async fn a_key_chooses_the_partition_that_java_would_choose() {
    let fixture = Fixture::new(7).await;
    let sender = fixture.sender();
    for (key, hash) in [("21", -973_932_308_i32), ("foobar", -790_332_482), ("abc", 479_470_107)] {
        let mut message = fixture.message(None, 1);
        message.key = Some(key.as_bytes().to_vec());
        let reader = fixture.reader();
        let partition = (hash & 0x7fff_ffff) % 7;
        let before = reader.watermarks(partition).await.unwrap().high;
        sender.send(&[message]).await.unwrap();
        assert_eq!(reader.watermarks(partition).await.unwrap().high, before + 1, "{key}");
        reader.close(PATIENCE).await.unwrap();
    }
    fixture.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka"]
async fn many_send_at_once_through_a_small_buffer() {
    let mut fixture = Fixture::new(4).await;
    fixture.settings.producer.insert("queue.buffering.max.messages".into(), "500".into());
    let sender = fixture.sender();
    let mut calls = tokio::task::JoinSet::new();
    for call in 0..40_i32 {
        let messages: Vec<_> = (0..1_000)
            .map(|n| fixture.message(Some(call % 4), u64::from(call.unsigned_abs()) * 1_000 + n))
            .collect();
        let sender = sender.clone();
        calls.spawn(async move { sender.send(&messages).await });
    }
    while let Some(sent) = calls.join_next().await {
        sent.unwrap().unwrap();
    }
    let reader = fixture.reader();
    for partition in 0..4 {
        let read = numbers(&read_all(&reader, partition, 0, 10_000).await);
        for call in 0..40 {
            let of_call: Vec<_> = read.iter().copied().filter(|n| n / 1_000 == call).collect();
            assert!(of_call.is_sorted(), "the order of call {call} was lost");
        }
    }
    reader.close(PATIENCE).await.unwrap();
    fixture.clean().await;
}

#[tokio::test]
#[ignore = "needs Kafka"]
async fn headers_keys_and_values_arrive_as_they_were_sent() {
    let fixture = Fixture::new(1).await;
    let mut message = fixture.message(None, 1);
    let nothing = Header { name: "nothing".into(), value: None };
    message.headers = vec![Header::new("bytes", [0, 255, 7]), nothing, Header::new("bytes", "2")];
    let mut empty = fixture.message(None, 2);
    (empty.key, empty.value) = (None, None);
    fixture.sender().send(&[message.clone(), empty]).await.unwrap();
    let reader = fixture.reader();
    let record = reader.fetch(0, 0).await.unwrap().expect("the first");
    assert_eq!((record.key, record.value), (message.key, message.value));
    assert_eq!(record.headers, message.headers);
    let record = reader.fetch(0, 1).await.unwrap().expect("the second");
    assert_eq!((record.key, record.value, record.headers), (None, None, Vec::new()));
    reader.close(PATIENCE).await.unwrap();
    fixture.clean().await;
}

#[tokio::test]
#[ignore = "needs Kafka"]
async fn a_message_that_is_too_large_is_named_and_nothing_is_sent() {
    let fixture = Fixture::new(1).await;
    let mut large = fixture.message(None, 1);
    large.value = Some(vec![0; 2_000_000]);
    let sender = fixture.sender();
    let error = sender.send(&[fixture.message(None, 0), large]).await.unwrap_err();
    assert!(matches!(error, SendError::TooLarge { index: 1, .. }), "{error}");
    let reader = fixture.reader();
    assert_eq!(reader.watermarks(0).await.unwrap().high, 0);
    reader.close(PATIENCE).await.unwrap();
    fixture.clean().await;
}

#[tokio::test]
#[ignore = "needs Kafka"]
async fn partitions_of_a_topic_are_known_and_those_of_none_are_none() {
    let fixture = Fixture::new(3).await;
    let sender = fixture.sender();
    assert_eq!(sender.partitions(&fixture.topic).await, Ok(Some(3)));
    assert_eq!(sender.partitions("test.request-reply.nowhere").await, Ok(None));
    fixture.clean().await;
}

#[tokio::test]
#[ignore = "needs Kafka"]
async fn a_topic_that_is_not_there_fails_its_messages() {
    let mut fixture = Fixture::without_topic();
    let producer = &mut fixture.settings.producer;
    producer.insert("topic.metadata.propagation.max.ms".into(), "500".into());
    let error = fixture.sender().send(&[fixture.message(None, 0)]).await.unwrap_err();
    let SendError::Refused { topic, refusal: Refusal::NoTopic, .. } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(*topic, fixture.topic);
}

#[tokio::test]
#[ignore = "needs Kafka"]
async fn a_message_that_the_topic_alone_finds_too_large_is_refused() {
    let fixture = Fixture::without_topic();
    let (name, limit) = (fixture.topic.clone(), "max.message.bytes".into());
    let properties = vec![(limit, "5000".into())];
    let topic = NewTopic { name, partitions: 1, replication: Some(1), properties };
    fixture.topics.create(&topic).await.unwrap();
    let mut large = fixture.message(None, 0);
    large.value = Some(noise());
    let error = fixture.sender().send(&[large]).await.unwrap_err();
    let SendError::Refused { topic, refusal: Refusal::TooLarge, .. } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(*topic, fixture.topic);
    fixture.clean().await;
}

#[tokio::test]
#[ignore = "needs Kafka"]
async fn a_closed_sender_takes_nothing() {
    let fixture = Fixture::new(1).await;
    let sender = fixture.sender();
    sender.send(&[fixture.message(None, 0)]).await.unwrap();
    sender.clone().close(PATIENCE).await.unwrap();
    assert_eq!(sender.send(&[fixture.message(None, 1)]).await, Err(SendError::Closed));
    fixture.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_ends_the_calls_that_a_dead_broker_holds() {
    let fixture = Fixture::at("127.0.0.1:9".to_owned());
    let sender = Sender::new(&fixture.settings).unwrap();
    let (calling, message) = (sender.clone(), fixture.message(None, 0));
    let call = tokio::spawn(async move { calling.send(&[message]).await });
    tokio::task::yield_now().await;
    let started = std::time::Instant::now();
    let closed = sender.close(Duration::from_millis(200)).await;
    let sent = tokio::time::timeout(PATIENCE, call).await.expect("it ends").unwrap();
    assert!(sent.is_err(), "{sent:?}, closed {closed:?}");
    assert!(started.elapsed() < Duration::from_secs(5));
}
