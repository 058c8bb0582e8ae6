use std::time::Duration;

use async_trait::async_trait;
use catchment_request_reply::replier::{
    Failure, Handler, Replier, ReplierCounters, ReplierError, ReplierSettings, Reply,
};
use catchment_request_reply::{
    Commit, Header, Incoming, Message, NewTopic, OwnedRecord, ReadError, Reader,
};

use crate::broker::fixture::{Fixture, PATIENCE, noise};

/// Says what it is told to say by the requests themselves.
struct Parrot;

#[async_trait]
impl Handler for Parrot {
    type Request = String;

    fn parse(&self, record: &Incoming<'_>) -> Result<String, Failure> {
        let value = record.value.ok_or_else(|| Failure::rejected("null_value", "no value"))?;
        assert!(value != b"unspeakable");
        let text = std::str::from_utf8(value);
        text.map(str::to_owned).map_err(|_| Failure::rejected("no_text", "no UTF-8"))
    }

    async fn handle(&self, requests: Vec<String>) -> Vec<Result<Reply, Failure>> {
        assert!(!requests.iter().any(|request| request == "panic"));
        let answer = |request: String| match request.as_str() {
            "fail" => Err(Failure::failed("told_to", "as was asked for")),
            "large" => Ok(vec![0; 2_000_000].into()),
            "noise" => Ok(noise().into()),
            _ => Ok(format!("{request}!").into()),
        };
        let requests = requests.into_iter().filter(|request| request != "forget");
        requests.map(answer).collect()
    }
}

/// A request topic with one partition, its replies' topic, its dead letters, and a replier.
struct World {
    fixture: Fixture,
    replies: String,
    letters: String,
}

impl World {
    async fn new() -> Self {
        let fixture = Fixture::new(1).await;
        let replies = format!("{}.reply", fixture.topic);
        let letters = format!("{}-dlt", fixture.topic);
        for (name, partitions) in [(&replies, 2), (&letters, 1)] {
            let name = name.clone();
            let topic = NewTopic { name, partitions, replication: Some(1), properties: vec![] };
            fixture.topics.create(&topic).await.unwrap();
        }
        Self { fixture, replies, letters }
    }

    fn replier(&self) -> Replier {
        self.replier_of_batches(1)
    }

    fn replier_of_batches(&self, batch: usize) -> Replier {
        let mut settings = ReplierSettings::new(&self.fixture.topic);
        settings.batch = batch;
        Replier::start(&self.fixture.settings, settings, Parrot).unwrap()
    }

    /// A request whose reply is wanted in this topic and partition.
    fn request(&self, value: &[u8], topic: &str, partition: u8) -> Message {
        Message {
            topic: self.fixture.topic.as_str().into(),
            partition: None,
            key: Some(b"key".to_vec()),
            value: Some(value.to_vec()),
            headers: vec![
                Header::new("kafka_correlationId", value),
                Header::new("kafka_replyTopic", topic),
                Header::new("kafka_replyPartition", [0, 0, 0, partition]),
            ],
        }
    }

    fn ask(&self, value: &str) -> Message {
        self.request(value.as_bytes(), &self.replies, 1)
    }

    async fn send(&self, messages: &[Message]) {
        self.fixture.sender().send(messages).await.unwrap();
    }

    /// So many records of a partition from its beginning, once they are there.
    async fn records(&self, topic: &str, partition: i32, count: usize) -> Vec<OwnedRecord> {
        let reader = Reader::manual(&self.fixture.settings, topic, owned).unwrap();
        let reading = async {
            loop {
                let records = reader.read(partition, 0, 100).await.unwrap();
                if count <= records.len() {
                    break records;
                }
                let next = records.last().map_or(0, |last| last.offset + 1);
                reader.wait(partition, next).await;
            }
        };
        let records = tokio::time::timeout(PATIENCE, reading).await.expect("they come");
        reader.close(PATIENCE).await.unwrap();
        records.into_iter().map(|record| record.message).collect()
    }

    async fn replies(&self, count: usize) -> Vec<String> {
        let replies = self.records(&self.replies, 1, count).await;
        replies.into_iter().map(|reply| text(reply.value)).collect()
    }

    async fn clean(self) {
        self.fixture.topics.delete(&self.replies).await.unwrap();
        self.fixture.topics.delete(&self.letters).await.unwrap();
        self.fixture.clean().await;
    }
}

fn text(bytes: Option<Vec<u8>>) -> String {
    String::from_utf8(bytes.unwrap()).unwrap()
}

fn owned(record: &Incoming<'_>) -> OwnedRecord {
    record.to_owned()
}

fn header<'r>(record: &'r OwnedRecord, name: &str) -> Option<&'r [u8]> {
    let found = record.headers.iter().find(|header| header.name == name)?;
    found.value.as_deref()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka"]
async fn every_request_is_answered_in_order_whatever_becomes_of_it() {
    let world = World::new().await;
    let replier = world.replier();
    let mut unreadable = world.ask("unreadable");
    unreadable.value = Some(vec![0xff]);
    let (one, two) = (world.ask("one"), world.ask("two"));
    let asked = ["fail", "panic", "forget", "large", "unspeakable"].map(|value| world.ask(value));
    let [fail, panic, forget, large, unspeakable] = asked;
    world.send(&[one, fail, panic, unreadable, forget, large, unspeakable, two]).await;
    let answers = world.records(&world.replies, 1, 8).await;
    let ids = answers.iter().map(|reply| header(reply, "kafka_correlationId").unwrap());
    let asked = ["one", "fail", "panic", "unreadable", "forget", "large", "unspeakable", "two"];
    assert!(ids.eq(asked.map(str::as_bytes)), "each once, in order");
    assert!(answers.iter().all(|reply| reply.key.as_deref() == Some(b"key")));
    let values: Vec<_> = answers.into_iter().map(|reply| text(reply.value)).collect();
    let codes = [
        "one!",
        "told_to",
        "handler_failed",
        "no_text",
        "handler_failed",
        "too_large",
        "handler_failed",
        "two!",
    ];
    for (value, code) in values.iter().zip(codes) {
        assert!(value.contains(code), "{code} in {value}");
    }
    let counters = replier.counters();
    let expected = ReplierCounters {
        answered: 3,
        failed: 5,
        unreadable: 2,
        dead_lettered: 2,
        ..ReplierCounters::default()
    };
    assert_eq!(counters, expected, "the large one was answered, by the handler's word");
    replier.close(PATIENCE).await.unwrap();
    world.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka"]
async fn a_reply_goes_where_it_may_or_the_request_to_the_dead_letters() {
    let world = World::new().await;
    let replier = world.replier();
    let mut silent = world.ask("silent");
    silent.headers.clear();
    let mut mute = world.ask("mute");
    (mute.headers, mute.value) = (Vec::new(), None);
    let foreign = world.request(b"foreign", &world.letters, 0);
    let elsewhere = world.request(b"elsewhere", &world.replies, 7);
    world.send(&[silent, mute, foreign.clone(), elsewhere, world.ask("last")]).await;
    world.replies(1).await;
    let letters = world.records(&world.letters, 0, 2).await;
    assert_eq!(header(&letters[0], "kafka_dlt-exception-fqcn"), Some(&b"null_value"[..]));
    assert_eq!(letters[0].value, None);
    let letter = &letters[1];
    assert_eq!(header(letter, "kafka_dlt-exception-fqcn"), Some(&b"reply_topic_refused"[..]));
    assert_eq!(header(letter, "kafka_dlt-original-offset"), Some(&2_i64.to_be_bytes()[..]));
    assert_eq!(header(letter, "kafka_replyTopic"), Some(world.letters.as_bytes()));
    assert_eq!((&letter.key, &letter.value), (&foreign.key, &foreign.value));
    replier.close(PATIENCE).await.unwrap();
    world.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka"]
async fn a_reply_topic_that_is_gone_stops_nobody() {
    let world = World::new().await;
    let other = format!("{}-replies", world.fixture.topic);
    let (name, properties) = (other.clone(), vec![("max.message.bytes".into(), "5000".into())]);
    let topic = NewTopic { name, partitions: 2, replication: Some(1), properties };
    world.fixture.topics.create(&topic).await.unwrap();
    let replier = world.replier_of_batches(500);
    world.send(&[world.ask("known")]).await;
    assert_eq!(world.replies(1).await, ["known!"]);
    world.fixture.topics.delete(&world.replies).await.unwrap();
    let asked = [("gone", &world.replies), ("noise", &other), ("last", &other)];
    let requests = asked.map(|(value, topic)| world.request(value.as_bytes(), topic, 1));
    world.send(&requests).await;
    let letters = world.records(&world.letters, 0, 1).await;
    assert_eq!(text(letters[0].value.clone()), "gone");
    assert_eq!(header(&letters[0], "kafka_dlt-exception-fqcn"), Some(&b"reply_topic_missing"[..]));
    // A batch that is sent again may repeat an answer.
    let mut answers: Vec<String> = Vec::new();
    while !["too_large", "last!"].iter().all(|part| answers.iter().any(|one| one.contains(part))) {
        let records = world.records(&other, 1, answers.len() + 1).await;
        answers = records.into_iter().map(|reply| text(reply.value)).collect();
    }
    replier.close(PATIENCE).await.unwrap();
    world.fixture.topics.delete(&other).await.unwrap();
    world.fixture.topics.delete(&world.letters).await.unwrap();
    world.fixture.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka"]
async fn a_request_at_which_the_handler_panics_fails_alone() {
    let world = World::new().await;
    let numbers = (0..77).map(|number| number.to_string());
    let mut asked: Vec<String> = numbers.collect();
    asked.insert(40, "panic".to_owned());
    let requests: Vec<_> = asked.iter().map(|value| world.ask(value)).collect();
    world.send(&requests).await;
    let replier = world.replier_of_batches(500);
    let answers = world.replies(asked.len()).await;
    for (asked, answer) in asked.iter().zip(&answers) {
        let failed = answer.contains("handler_failed");
        assert!(if asked == "panic" { failed } else { *answer == format!("{asked}!") }, "{answer}");
    }
    let expected = ReplierCounters { answered: 77, failed: 1, ..ReplierCounters::default() };
    assert_eq!(replier.counters(), expected);
    replier.close(PATIENCE).await.unwrap();
    world.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka"]
async fn dead_letters_that_cannot_be_written_are_counted_as_lost() {
    let world = World::new().await;
    world.fixture.topics.delete(&world.letters).await.unwrap();
    let mut settings = ReplierSettings::new(&world.fixture.topic);
    settings.type_id = Some("Shop".into());
    let replier = Replier::start(&world.fixture.settings, settings, Parrot).unwrap();
    let unreadable = world.request(b"\xff", &world.replies, 1);
    let foreign = world.request(b"foreign", "somewhere-else", 0);
    world.send(&[unreadable, foreign, world.ask("large"), world.ask("last")]).await;
    let answers = world.records(&world.replies, 1, 3).await;
    // A Spring client would read a reply without a class again and again.
    assert!(answers.iter().all(|reply| header(reply, "__TypeId__") == Some(b"Shop")));
    let failures = answers.iter().filter_map(|reply| header(reply, "catchment-failure"));
    let values = answers[..2].iter().filter_map(|reply| reply.value.as_deref());
    assert!(failures.eq(values), "a value that is too large became a failure");
    let expected = ReplierCounters {
        answered: 2,
        failed: 1,
        unreadable: 1,
        refused: 1,
        lost: 2,
        ..ReplierCounters::default()
    };
    assert_eq!(replier.counters(), expected);
    replier.close(PATIENCE).await.unwrap();
    world.fixture.topics.delete(&world.replies).await.unwrap();
    world.fixture.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka"]
async fn the_next_replier_goes_on_where_the_last_one_ended() {
    let world = World::new().await;
    world.send(&["a", "b"].map(|value| world.ask(value))).await;
    let first = world.replier();
    assert_eq!(world.replies(2).await, ["a!", "b!"], "what was there before it came, too");
    first.close(PATIENCE).await.unwrap();
    world.send(&["c", "d"].map(|value| world.ask(value))).await;
    let second = world.replier();
    assert_eq!(world.replies(4).await, ["a!", "b!", "c!", "d!"], "each once");
    second.close(PATIENCE).await.unwrap();
    world.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka"]
async fn a_replier_that_is_dropped_answers_no_more() {
    let world = World::new().await;
    let replier = world.replier();
    world.send(&[world.ask("a")]).await;
    assert_eq!(world.replies(1).await, ["a!"]);
    drop(replier);
    world.send(&[world.ask("b")]).await;
    // Longer than an answer takes.
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(world.replies(1).await, ["a!"]);
    world.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka"]
async fn requests_that_were_lost_stop_the_replier() {
    let world = World::new().await;
    world.send(&["a", "b", "c"].map(|value| world.ask(value))).await;
    let group = world.fixture.reader();
    group.commit_now(0, Commit::at(1)).await.unwrap();
    group.close(PATIENCE).await.unwrap();
    world.fixture.topics.delete_records(&world.fixture.topic, 0, 2).await.unwrap();
    let mut replier = world.replier();
    let error = tokio::time::timeout(PATIENCE, replier.failed()).await.expect("it stops");
    let cause = ReadError::Truncated { from: 1, first: 2 };
    assert_eq!(error, ReplierError::Read { partition: 0, cause });
    replier.close(Duration::from_secs(10)).await.unwrap();
    world.clean().await;
}

/// A request that cannot be handed to its handler.
struct Brittle;

impl Clone for Brittle {
    fn clone(&self) -> Self {
        panic!("brittle")
    }
}

struct Careless;

#[async_trait]
impl Handler for Careless {
    type Request = Brittle;

    fn parse(&self, _: &Incoming<'_>) -> Result<Brittle, Failure> {
        Ok(Brittle)
    }

    async fn handle(&self, _: Vec<Brittle>) -> Vec<Result<Reply, Failure>> {
        Vec::new()
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka"]
async fn a_lane_that_panics_stops_the_replier() {
    let world = World::new().await;
    world.send(&[world.ask("a")]).await;
    let settings = ReplierSettings::new(&world.fixture.topic);
    let mut replier = Replier::start(&world.fixture.settings, settings, Careless).unwrap();
    let error = tokio::time::timeout(PATIENCE, replier.failed()).await.expect("it stops");
    assert!(matches!(error, ReplierError::Fatal { .. }), "{error}");
    replier.close(Duration::from_secs(10)).await.unwrap();
    world.clean().await;
}
