//! Where answers go, and where they never go.

use std::time::Duration;

use catchment_domain::ports::{ChannelError, ReplyChannel, RequestLog};
use catchment_domain::{Committed, Epoch, Lane, Position};
use catchment_kafka::KafkaCounts;
use catchment_request_reply::{Header, NewTopic};
use tokio::time::timeout;

use crate::poison::{asking, judged, requests};
use crate::world::{LANES, World, shop_in};

const LANE: Lane = Lane(0);

/// A release that finds nothing: unchanged, whatever stands there.
async fn ask(world: &World, lane: Lane, headers: Vec<Header>) {
    let shop = shop_in(LANE).to_string();
    let value = format!(
        r#"{{"id":"01a20600-b1cf-742d-a370-c4e4a935a651","target":"shop","key":"{shop}","type":"radius.release","data":{{"kind":"manual"}},"requestedAt":"2026-11-22T10:00:00Z"}}"#
    );
    world.inject(lane, Some(shop.as_bytes()), Some(value.as_bytes()), headers).await;
}

/// Sends the answers, and once more where it is not known whether they were delivered: a client
/// that could not deliver is replaced, and what others sent by it meanwhile fails, too.
async fn answer(world: &World, lane: Lane, count: usize) {
    let records = requests(world, lane, count).await;
    let sent = world.replies.send(judged(lane, records.clone())).await;
    if let Err(ChannelError::Unknown(_)) = sent {
        world.replies.send(judged(lane, records)).await.unwrap();
    } else {
        sent.unwrap();
    }
}

/// I10: who may write requests may not make us write anywhere else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Kafka"]
async fn a_forged_reply_topic_is_refused_and_dead_lettered() {
    let world = World::new().await;
    let victim = format!("{}-payments", world.settings.requests_topic);
    let topic = NewTopic {
        name: victim.clone(),
        partitions: 1,
        replication: Some(1),
        properties: Vec::new(),
    };
    world.topics.create(&topic).await.unwrap();
    let absent = format!("{}-absent", world.settings.requests_topic);
    for (number, topic) in
        (0..).zip([&*victim, &absent, "__consumer_offsets", "no topic", "a\0b", "", "."])
    {
        ask(&world, LANE, asking(topic, number)).await;
    }
    ask(&world, LANE, asking(&world.settings.replies_topic, 7)).await;
    answer(&world, LANE, 8).await;

    assert_eq!(world.count(&victim).await, 0);
    assert_eq!(world.topics.partitions(&absent).await.unwrap(), None, "nor was it made");
    assert_eq!(world.records(&world.settings.replies_topic, 0, 1).await.len(), 1);
    let letters = world.records(&world.dead_letters(), LANE.0.into(), 7).await;
    assert_eq!(letters.len(), 7);
    for letter in letters {
        let headers = letter.headers.into_iter();
        let codes: Vec<_> =
            headers.filter(|header| header.name == "kafka_dlt-exception-fqcn").collect();
        assert_eq!(codes, [Header::new("kafka_dlt-exception-fqcn", "reply_topic_refused")]);
    }
    let expected =
        KafkaCounts { refused_reply_topics: 7, dead_letters: 7, ..KafkaCounts::default() };
    assert_eq!(world.cluster.counts(), expected);
    world.topics.delete(&victim).await.unwrap();
}

/// Addresses are held by the thousand.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Kafka"]
async fn absurdly_long_correlation_ids_are_not_echoed() {
    let world = World::new().await;
    let topic = &*world.settings.replies_topic;
    for length in [4_096, 4_097, 900_000] {
        let id = Header::new("kafka_correlationId", vec![b'x'; length]);
        ask(&world, LANE, vec![Header::new("kafka_replyTopic", topic), id]).await;
    }
    answer(&world, LANE, 3).await;
    assert_eq!(world.count(topic).await, 1);
    let letters = world.records(&world.dead_letters(), LANE.0.into(), 2).await;
    let code = Header::new("kafka_dlt-exception-fqcn", "reply_headers_too_long");
    assert!(letters.iter().all(|letter| letter.headers.contains(&code)));
    assert_eq!(world.cluster.counts().oversized_replies, 2);
}

/// Sending there would fail for ever, and hold up the lane.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Kafka"]
async fn an_allowed_topic_that_does_not_exist_holds_nobody_up() {
    let world = World::new().await;
    let missing = format!("{}.more-of-it", world.settings.requests_topic);
    ask(&world, LANE, asking(&missing, 1)).await;
    ask(&world, LANE, asking(&world.settings.replies_topic, 2)).await;
    answer(&world, LANE, 2).await;
    assert_eq!(world.records(&world.settings.replies_topic, 0, 1).await.len(), 1);
    let letters = world.records(&world.dead_letters(), LANE.0.into(), 1).await;
    let code = Header::new("kafka_dlt-exception-fqcn", "reply_topic_missing");
    assert!(letters[0].headers.contains(&code));
    assert_eq!(world.cluster.counts().missing_reply_topics, 1);
}

/// The client still remembers the topics, and only the brokers refuse the messages.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Kafka"]
async fn topics_that_are_deleted_at_run_time_hold_nobody_up() {
    let world = World::new().await;
    let gone = format!("{}.more-of-it", world.settings.requests_topic);
    let topic = NewTopic {
        name: gone.clone(),
        partitions: 1,
        replication: Some(1),
        properties: Vec::new(),
    };
    world.topics.create(&topic).await.unwrap();
    assert_eq!(world.sender.partitions(&gone).await, Ok(Some(1)));
    world.topics.delete(&gone).await.unwrap();
    ask(&world, LANE, asking(&gone, 1)).await;
    ask(&world, LANE, asking(&world.settings.replies_topic, 2)).await;
    answer(&world, LANE, 2).await;
    let letters = world.records(&world.dead_letters(), LANE.0.into(), 1).await;
    let code = Header::new("kafka_dlt-exception-fqcn", "reply_topic_missing");
    assert!(letters[0].headers.contains(&code));

    world.topics.delete(&world.dead_letters()).await.unwrap();
    answer(&world, LANE, 2).await;
    assert!(2 <= world.count(&world.settings.replies_topic).await);
    let counts = world.cluster.counts();
    assert!(2 <= counts.missing_reply_topics && 1 <= counts.lost_dead_letters, "{counts:?}");
}

/// What a topic finds too large, which the client cannot know, is dead-lettered alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Kafka"]
async fn a_topic_that_takes_small_messages_only_holds_nobody_up() {
    let world = World::new().await;
    let small = format!("{}.more-of-it", world.settings.requests_topic);
    let topic = NewTopic {
        name: small.clone(),
        partitions: 1,
        replication: Some(1),
        properties: vec![("max.message.bytes".to_owned(), "100".to_owned())],
    };
    world.topics.create(&topic).await.unwrap();
    for (number, topic) in (0..).zip([&world.settings.replies_topic, &small, &small]) {
        ask(&world, LANE, asking(topic, number)).await;
    }
    ask(&world, LANE, asking(&world.settings.replies_topic, 9)).await;
    answer(&world, LANE, 4).await;
    let replies = world.records(&world.settings.replies_topic, 0, 2).await;
    let last = Header::new("kafka_correlationId", [9_u8; 16]);
    assert!(replies.iter().any(|reply| reply.headers.contains(&last)));
    assert_eq!(world.count(&small).await, 0);
    let letters = world.records(&world.dead_letters(), LANE.0.into(), 2).await;
    let code = Header::new("kafka_dlt-exception-fqcn", "reply_too_large");
    assert!(letters.iter().all(|letter| letter.headers.contains(&code)), "{letters:?}");
    let expected = KafkaCounts { oversized_replies: 2, dead_letters: 2, ..KafkaCounts::default() };
    assert_eq!(world.cluster.counts(), expected, "each once");
    world.topics.delete(&small).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Kafka"]
async fn a_partition_that_is_not_there_is_chosen_by_key() {
    let world = World::new().await;
    let topic = &*world.settings.replies_topic;
    for partition in [&[0, 0, 0, 2][..], b"2", b"99999999999", b"one", &[255; 4], b""] {
        let headers = vec![
            Header::new("kafka_replyTopic", topic),
            Header::new("kafka_replyPartition", partition),
        ];
        ask(&world, LANE, headers).await;
    }
    ask(&world, LANE, vec![Header::new("kafka_replyTopic", topic)]).await;
    answer(&world, LANE, 7).await;
    assert_eq!(world.count(topic).await, 7);
    let expected =
        KafkaCounts { unusable_partitions: 6, uncorrelated_replies: 7, ..KafkaCounts::default() };
    assert_eq!(world.cluster.counts(), expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Kafka"]
async fn a_request_that_asks_for_no_reply_gets_none() {
    let world = World::new().await;
    ask(&world, LANE, Vec::new()).await;
    answer(&world, LANE, 1).await;
    assert_eq!(world.count(&world.settings.replies_topic).await, 0);
    assert_eq!(world.count(&world.dead_letters()).await, 0);
    let expected = KafkaCounts { unaddressed_requests: 1, ..KafkaCounts::default() };
    assert_eq!(world.cluster.counts(), expected);
}

/// As a client with librdkafka's own partitioner would send it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Kafka"]
async fn a_wrong_partition_is_rejected_with_both_partitions_and_counted() {
    let world = World::new().await;
    let wrong = Lane((LANE.0 + 1) % LANES.count());
    ask(&world, wrong, asking(&world.settings.replies_topic, 1)).await;
    answer(&world, wrong, 1).await;
    let replies = world.records(&world.settings.replies_topic, 0, 1).await;
    let json: serde_json::Value =
        serde_json::from_slice(replies[0].value.as_deref().unwrap()).unwrap();
    assert_eq!(json["error"]["code"], "wrong_partition");
    let (found, right) = (wrong.0, LANE.0);
    let message = format!(
        "the request is in partition {found}, but murmur2 of its key chooses partition {right}"
    );
    assert_eq!(json["error"]["message"], message);
    assert_eq!(world.count(&world.dead_letters()).await, 0);
    let expected = KafkaCounts { wrong_partitions: 1, ..KafkaCounts::default() };
    assert_eq!(world.cluster.counts(), expected);
}

/// A partition in text is NestJS's form, but a Spring client may send it, too, and reads the value.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Kafka"]
async fn a_rejection_has_a_value_also_where_the_reply_partition_is_text() {
    let world = World::new().await;
    let topic = &world.settings.replies_topic;
    let wrong = Lane((LANE.0 + 1) % LANES.count());
    for partition in [&b"0"[..], &[0; 4]] {
        let mut headers = asking(topic, 1);
        headers.retain(|header| header.name != "kafka_replyPartition");
        headers.push(Header::new("kafka_replyPartition", partition));
        ask(&world, wrong, headers).await;
    }
    answer(&world, wrong, 2).await;
    let replies = world.records(topic, 0, 2).await;
    let [first, second] = [&replies[0], &replies[1]].map(|reply| {
        let mut json: serde_json::Value =
            serde_json::from_slice(reply.value.as_deref().unwrap()).unwrap();
        let offset = json.as_object_mut().unwrap().remove("requestOffset");
        (json, offset)
    });
    assert_eq!(first.0, second.0);
    // Each names its own request.
    assert_ne!(first.1, second.1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Kafka"]
async fn how_far_a_lane_is_answered_reaches_the_broker() {
    let world = World::new().await;
    for number in 0..3 {
        ask(&world, LANE, asking(&world.settings.replies_topic, number)).await;
    }
    assert_eq!(requests(&world, LANE, 3).await.len(), 3);
    for next in 1..=3 {
        let committed = Committed { epoch: Epoch(1), next: Position(next) };
        world.request_log.commit(LANE, committed).await;
    }
    let partition = LANE.0.into();
    let committed = async {
        while world.request_log.reader().committed(partition).await.unwrap().map(|c| c.next)
            != Some(3)
        {
            // The last hint waits until it is due, and goes out while nothing else happens.
            let idle = world.request_log.wait(LANE, Position(3));
            let _ = timeout(Duration::from_millis(200), idle).await;
        }
    };
    timeout(Duration::from_secs(30), committed).await.unwrap();
}
