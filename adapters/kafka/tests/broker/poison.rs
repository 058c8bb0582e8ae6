//! What is no request is answered and dead-lettered, and the lane goes on.

use catchment_domain::ports::{ReplyChannel, RequestLog};
use catchment_domain::{
    Batch, Code, Committed, Epoch, Lane, LaneTime, Loaded, LoadedShop, Outcome, Policy, Position,
    Radius, Reply, RequestRecord, ReturnAddress, Revision, ShopState, Timestamp, judge_batch,
};
use catchment_kafka::KafkaCounts;
use catchment_request_reply::{Header, OwnedRecord};

use crate::world::{LANES, World, shop_in};

const LANE: Lane = Lane(1);

/// An outcome for each record, as a consumer has them judged: every shop delivers 5 km far.
pub(crate) fn judged(lane: Lane, records: Vec<RequestRecord>) -> Vec<(ReturnAddress, Reply)> {
    let batch = Batch::new((lane, Epoch(1)), Position(0), Position(0), records);
    let base = Radius::try_from(5_000_u32).unwrap();
    let shop = || LoadedShop::new(Some(ShopState::new(base, Revision(1))));
    let now = Timestamp::from_millis(1_795_309_200_000);
    let time = LaneTime { now, expired_up_to: catchment_domain::Deadline::MIN };
    let shops = batch.shops().iter().map(|_| shop()).collect();
    let (campaigns, newest) = (Vec::new(), Revision(2));
    let mut loaded = Loaded { time, campaigns, newest, shops };
    let policy = Policy { floor: Radius::CLOSED, triggers: std::collections::BTreeMap::new() };
    let outcomes = judge_batch(&batch, &mut loaded, &policy, LANES);
    let reply = |(record, outcome): (RequestRecord, Outcome)| {
        let shop = record.shop().cloned();
        let request_position = Some(record.position);
        (record.return_address, Reply { id: record.id, shop, outcome, request_position })
    };
    batch.into_records().into_iter().zip(outcomes).map(reply).collect()
}

/// Reads so many requests from the beginning of a lane.
pub(crate) async fn requests(world: &World, lane: Lane, count: usize) -> Vec<RequestRecord> {
    let mut requests: Vec<RequestRecord> = Vec::new();
    while requests.len() < count {
        let from = requests.last().map_or(Position(0), |record| record.position.next());
        world.request_log.wait(lane, from).await;
        let stretch = world.request_log.read(lane, from, 100).await.unwrap();
        requests.extend(stretch.requests);
    }
    requests
}

/// Asks in the headers of Spring for a reply in a topic.
pub(crate) fn asking(topic: &str, number: u8) -> Vec<Header> {
    vec![
        Header::new("kafka_correlationId", [number; 16]),
        Header::new("kafka_replyTopic", topic),
        Header::new("kafka_replyPartition", [0, 0, 0, 0]),
        Header::new("x-of-the-client", "kept"),
    ]
}

fn header<'a>(record: &'a OwnedRecord, name: &str) -> Option<&'a [u8]> {
    let found: Vec<_> = record.headers.iter().filter(|header| header.name == name).collect();
    assert!(found.len() <= 1, "{name} is written twice");
    found.first().and_then(|header| header.value.as_deref())
}

fn text<'a>(record: &'a OwnedRecord, name: &str) -> Option<&'a str> {
    str::from_utf8(header(record, name)?).ok()
}

type Poison = (Option<&'static [u8]>, Option<Vec<u8>>, Code);

/// Fault 36, but for the unknown shop, which only a database knows.
fn poison(key: &'static [u8]) -> Vec<Poison> {
    let key_text = str::from_utf8(key).unwrap();
    let envelope = |r#type: &str, data: &str| {
        format!(
            r#"{{"id":"01a20600-b1cf-742d-a370-c4e4a935a650","target":"shop","key":"{key_text}","type":"{type}","data":{data},"requestedAt":"2026-11-22T10:00:00"}}"#
        )
        .into_bytes()
    };
    let absurd = r#"{"revision":1,"radius":1000000000000}"#;
    vec![
        (Some(key), Some(b"\xff\x00garbage".to_vec()), Code::Unreadable),
        (Some(key), Some(vec![b'{'; 999_000]), Code::Unreadable),
        (Some(key), None, Code::Unreadable),
        (Some(key), Some(envelope("radius.widen", "{}")), Code::UnknownType),
        (None, Some(envelope("radius.release", r#"{"kind":"manual"}"#)), Code::Unreadable),
        (Some(key), Some(envelope("radius.set-base", absurd)), Code::Unreadable),
        (Some(b"\xff"), Some(b"[]".to_vec()), Code::Unreadable),
        (Some(b"another"), Some(envelope("radius.release", "{}")), Code::Unreadable),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Kafka"]
async fn poison_is_answered_and_dead_lettered_and_the_lane_goes_on() {
    let world = World::new().await;
    let shop: &'static str = String::leak(shop_in(LANE).to_string());
    let poison = poison(shop.as_bytes());
    for (number, (key, value, _)) in (0..).zip(&poison) {
        let headers = asking(&world.settings.replies_topic, number);
        world.inject(LANE, *key, value.as_deref(), headers).await;
    }
    let good = format!(
        r#"{{"id":"01a20600-b1cf-742d-a370-c4e4a935a651","target":"shop","key":"{shop}","type":"radius.set-base","data":{{"revision":2,"radius":3000}},"requestedAt":"2026-11-22T10:00:00Z"}}"#
    );
    let headers = asking(&world.settings.replies_topic, 99);
    world.inject(LANE, Some(shop.as_bytes()), Some(good.as_bytes()), headers).await;

    let records = requests(&world, LANE, poison.len() + 1).await;
    world.replies.send(judged(LANE, records)).await.unwrap();

    let replies = world.records(&world.settings.replies_topic, 0, poison.len() + 1).await;
    let letters = world.records(&world.dead_letters(), LANE.0.into(), poison.len()).await;
    assert_eq!((replies.len(), letters.len()), (poison.len() + 1, poison.len()));
    for (number, ((key, value, code), (reply, letter))) in
        (0..).zip(poison.iter().zip(replies.iter().zip(&letters)))
    {
        check_reply(reply, number, *key, *code);
        check_letter(&world, letter, number, (*key, value.as_deref(), *code));
    }
    let last = replies.last().unwrap();
    assert_eq!(text(last, "catchment-status"), Some("applied"));
    assert_eq!(text(last, "catchment-error-code"), None);
    let dead_letters = poison.len() as u64;
    assert_eq!(world.cluster.counts(), KafkaCounts { dead_letters, ..KafkaCounts::default() });
}

fn check_reply(reply: &OwnedRecord, number: u8, key: Option<&[u8]>, code: Code) {
    assert_eq!(reply.key.as_deref(), key, "a reply has the key of its request");
    assert_eq!(header(reply, "kafka_correlationId"), Some(&[number; 16][..]));
    assert_eq!(header(reply, "kafka_replyTopic"), None);
    assert_eq!(text(reply, "catchment-status"), Some("rejected"));
    assert_eq!(text(reply, "catchment-error-code"), Some(code.as_str()));
    let json: serde_json::Value = serde_json::from_slice(reply.value.as_deref().unwrap()).unwrap();
    assert_eq!(json["error"]["code"], code.as_str());
}

fn check_letter(
    world: &World,
    letter: &OwnedRecord,
    number: u8,
    (key, value, code): (Option<&[u8]>, Option<&[u8]>, Code),
) {
    assert_eq!((letter.key.as_deref(), letter.value.as_deref()), (key, value));
    assert_eq!(text(letter, "x-of-the-client"), Some("kept"));
    assert_eq!(header(letter, "kafka_correlationId"), Some(&[number; 16][..]));
    let topic = &*world.settings.requests_topic;
    assert_eq!(text(letter, "kafka_dlt-original-topic"), Some(topic));
    assert_eq!(header(letter, "kafka_dlt-original-partition"), Some(&[0, 0, 0, 1][..]));
    let offset = i64::from(number).to_be_bytes();
    assert_eq!(header(letter, "kafka_dlt-original-offset"), Some(&offset[..]));
    assert_eq!(text(letter, "kafka_dlt-original-timestamp-type"), Some("CreateTime"));
    let group = &*world.settings.client.group_id;
    assert_eq!(text(letter, "kafka_dlt-original-consumer-group"), Some(group));
    assert_eq!(text(letter, "kafka_dlt-exception-fqcn"), Some(code.as_str()));
}

/// The largest request that Kafka takes is too large for a letter about it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Kafka"]
async fn a_letter_that_is_too_large_goes_without_its_value() {
    let world = World::new().await;
    let most = 1_048_588 - 200;
    let mut value = vec![b'x'; most];
    let topic = &world.settings.replies_topic;
    // As much as the broker takes.
    while world.try_inject(LANE, b"k", &value, asking(topic, 1)).await.is_err() {
        value.truncate(value.len() - 16);
    }
    let records = requests(&world, LANE, 1).await;
    world.replies.send(judged(LANE, records)).await.unwrap();
    let letters = world.records(&world.dead_letters(), LANE.0.into(), 1).await;
    assert_eq!((letters[0].key.as_deref(), letters[0].value.as_deref()), (Some(&b"k"[..]), None));
    assert_eq!(text(&letters[0], "kafka_dlt-exception-fqcn"), Some("unreadable"));
    assert_eq!(world.records(topic, 0, 1).await.len(), 1);
}

/// The log line has the position of the request, because nothing else of it is known.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Kafka"]
async fn a_megabyte_of_headers_with_a_broken_value_is_counted_as_lost() {
    let world = World::new().await;
    let topic = &world.settings.replies_topic;
    let headers = |length| {
        let large = Header::new("x-large", vec![b'x'; length]);
        [asking(topic, 1), vec![large]].concat()
    };
    let mut length = 1_000_000;
    // The longest headers that the client takes.
    while world.try_inject(LANE, b"k", b"{", headers(length)).await.is_err() {
        length -= 16;
    }
    let records = requests(&world, LANE, 1).await;
    world.replies.send(judged(LANE, records)).await.unwrap();
    assert_eq!(world.records(topic, 0, 1).await.len(), 1);
    assert_eq!(world.count(&world.dead_letters()).await, 0);
    let expected = KafkaCounts { lost_dead_letters: 1, ..KafkaCounts::default() };
    assert_eq!(world.cluster.counts(), expected);
}

/// As after a restart: what is no longer kept is fetched, and what is gone cannot be.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Kafka"]
async fn a_letter_is_made_of_what_the_log_still_has() {
    let world = World::new().await;
    let topic = world.settings.replies_topic.clone();
    for number in 0..2 {
        world.inject(LANE, Some(b"k"), Some(b"{}"), asking(&topic, number)).await;
    }
    let records = requests(&world, LANE, 2).await;
    let committed = Committed { epoch: Epoch(1), next: Position(2) };
    world.request_log.commit(LANE, committed).await;
    let requests_topic = &world.settings.requests_topic;
    world.topics.delete_records(requests_topic, LANE.0.into(), 1).await.unwrap();
    world.replies.send(judged(LANE, records)).await.unwrap();

    let replies = world.records(&topic, 0, 2).await;
    for reply in &replies {
        assert_eq!(text(reply, "catchment-error-code"), Some("unreadable"));
    }
    let letters = world.records(&world.dead_letters(), LANE.0.into(), 1).await;
    check_letter(&world, &letters[0], 1, (Some(b"k"), Some(b"{}"), Code::Unreadable));
    let counts = world.cluster.counts();
    assert_eq!((counts.dead_letters, counts.lost_dead_letters), (1, 1));
}

/// A batch of large letters is sent in parts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Kafka"]
async fn many_large_letters_arrive_in_order() {
    const COUNT: u8 = 10;
    let world = World::new().await;
    let topic = &world.settings.replies_topic;
    for number in 0..COUNT {
        let value = vec![number; 950_000];
        world.inject(LANE, None, Some(&value), asking(topic, number)).await;
    }
    let records = requests(&world, LANE, usize::from(COUNT)).await;
    world.replies.send(judged(LANE, records)).await.unwrap();
    let letters = world.records(&world.dead_letters(), LANE.0.into(), usize::from(COUNT)).await;
    let first = |letter: &OwnedRecord| letter.value.as_deref().unwrap()[0];
    assert_eq!(letters.iter().map(first).collect::<Vec<_>>(), (0..COUNT).collect::<Vec<_>>());
    assert_eq!(world.records(topic, 0, usize::from(COUNT)).await.len(), usize::from(COUNT));
}
