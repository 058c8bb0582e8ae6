//! Records that Spring Kafka, NestJS and SmallRye wrote when they talked among themselves.

use std::collections::BTreeSet;

use catchment_request_reply::Timestamp;
use catchment_request_reply::profile::{
    Answer, DeadLetter, Header, Origin, ReadReply, ReplyDetails, ReplyPartition, ReplyTo,
};
use serde_json::Value;

/// A captured record.
#[derive(Clone, Debug)]
struct Captured {
    system: String,
    version: String,
    role: String,
    case: String,
    topic: String,
    partition: i32,
    offset: i64,
    timestamp: i64,
    has_value: bool,
    headers: Vec<(String, Vec<u8>)>,
}

impl Captured {
    fn from_line(line: &str) -> Self {
        let record: Value = serde_json::from_str(line).unwrap();
        let text = |name: &str| record[name].as_str().unwrap().to_owned();
        let number = |name: &str| record[name].as_i64().unwrap();
        let header = |pair: &Value| {
            (pair[0].as_str().unwrap().to_owned(), bytes_of_hex(pair[1].as_str().unwrap()))
        };
        Self {
            system: text("system"),
            version: text("version"),
            role: text("role"),
            case: text("case"),
            topic: text("topic"),
            partition: i32::try_from(number("partition")).unwrap(),
            offset: number("offset"),
            timestamp: number("timestamp"),
            has_value: !record["value_utf8_or_hex"].is_null(),
            headers: record["headers"].as_array().unwrap().iter().map(header).collect(),
        }
    }

    fn headers(&self) -> impl Iterator<Item = Header<'_>> {
        self.headers.iter().map(|(name, value)| (&**name, Some(&**value)))
    }

    fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers().filter(|(found, _)| *found == name).last().and_then(|(_, value)| value)
    }

    fn reply_to(&self) -> ReplyTo<'_> {
        ReplyTo::read(self.headers()).unwrap().unwrap()
    }

    fn read_reply(&self) -> ReadReply<'_> {
        ReadReply::read(self.headers(), self.has_value.then_some(&b"{}"[..]))
    }

    fn is_of(&self, other: &Self) -> bool {
        (&self.system, &self.version, &self.case) == (&other.system, &other.version, &other.case)
    }

    fn name(&self) -> String {
        format!("{} {} {} at {}", self.system, self.version, self.case, self.offset)
    }
}

fn bytes_of_hex(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        hex.chars().map(|digit| u8::try_from(digit.to_digit(16).unwrap()).unwrap()).collect();
    digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn captured() -> Vec<Captured> {
    let files = [
        include_str!("../../captured/nestjs.jsonl"),
        include_str!("../../captured/smallrye.jsonl"),
        include_str!("../../captured/spring.jsonl"),
    ];
    files.iter().flat_map(|file| file.lines().map(Captured::from_line)).collect()
}

fn of_role<'a>(records: &'a [Captured], role: &str) -> Vec<&'a Captured> {
    records.iter().filter(|record| record.role == role).collect()
}

#[test]
fn every_request_is_recognised() {
    let records = captured();
    for request in of_role(&records, "request") {
        let reply_to = request.reply_to();
        let (peer, family) = match &*request.system {
            "spring-kafka" => ("Spring", "kafka_correlationId"),
            "nestjs" => ("NestJS", "kafka_correlationId"),
            _ => ("SmallRye", "REPLY_CORRELATION_ID"),
        };
        let name = request.name();
        assert_eq!(reply_to.peer().name(), peer, "{name}");
        assert_eq!(reply_to.correlation_id(), request.header(family), "{name}");
        let partition = match (&*request.case, peer) {
            ("reply-partition", _) => ReplyPartition::Number(1),
            (_, "NestJS") => ReplyPartition::Number(0),
            _ => ReplyPartition::Any,
        };
        assert_eq!(reply_to.partition(), partition, "{name}");
    }
}

#[test]
fn replies_go_where_the_real_replier_sent_them() {
    let records = captured();
    for (request, reply) in pairs(&records, "reply") {
        let reply_to = request.reply_to();
        assert_eq!(reply_to.topic(), reply.topic, "{}", request.name());
        if let ReplyPartition::Number(partition) = reply_to.partition() {
            assert_eq!(partition, reply.partition, "{}", request.name());
        }
        assert_eq!(reply.read_reply().correlation_id, reply_to.correlation_id());
    }
}

/// Each request with each of its records of a role.
fn pairs<'a>(records: &'a [Captured], role: &str) -> Vec<(&'a Captured, &'a Captured)> {
    let answers = of_role(records, role);
    let of_request = |request: &'a Captured| {
        let answers = answers.iter().filter(|answer| {
            answer.is_of(request) && answer.read_id() == request.reply_to().correlation_id()
        });
        answers.map(|answer| (request, *answer)).collect::<Vec<_>>()
    };
    let pairs: Vec<_> = of_role(records, "request").into_iter().flat_map(of_request).collect();
    for answer in answers {
        let is_paired = pairs.iter().any(|(_, paired)| std::ptr::eq(*paired, answer));
        assert!(is_paired, "{} belongs to a request", answer.name());
    }
    pairs
}

impl Captured {
    fn read_id(&self) -> Option<&[u8]> {
        self.read_reply().correlation_id
    }
}

/// Where a real replier wrote other headers than we do, and why.
const OTHERWISE: &[(&str, &str, &[&str], &str)] = &[
    (
        "spring-kafka",
        "json-serializer",
        &["__ContentTypeId__", "__KeyTypeId__"],
        "classes of keys and of what a container holds: no reader of a reply needs them",
    ),
    (
        "nestjs",
        "handler-two-replies",
        &["kafka_nest-is-disposed"],
        "missing on all replies but the last, and we send one",
    ),
];

#[test]
fn reply_headers_are_those_of_the_real_replier() {
    let records = captured();
    for (request, reply) in pairs(&records, "reply") {
        let text = |name| reply.header(name).map(|value| str::from_utf8(value).unwrap());
        let (failure, type_id) = (text("kafka_nest-err"), text("__TypeId__"));
        let details = ReplyDetails { failure, type_id };
        let reply_to = request.reply_to();
        let ours: BTreeSet<Header<'_>> = reply_to.headers(&details).collect();
        let theirs: BTreeSet<Header<'_>> = reply.headers().collect();
        let excused: &[&str] = OTHERWISE
            .iter()
            .find(|(system, case, ..)| (*system, *case) == (&*reply.system, &*reply.case))
            .map_or(&[], |(_, _, names, _)| names);
        let differ: Vec<_> = ours
            .symmetric_difference(&theirs)
            .filter(|(name, _)| !excused.contains(name))
            .collect();
        assert!(differ.is_empty(), "{}: {differ:?}", reply.name());
    }
}

#[test]
fn replies_of_real_repliers_are_read_for_what_they_are() {
    let records = captured();
    for reply in of_role(&records, "reply") {
        let ReadReply { correlation_id, answer } = reply.read_reply();
        assert!(correlation_id.is_some(), "{}", reply.name());
        let is_right = match (&*reply.system, &*reply.case) {
            ("nestjs", case) if case.starts_with("handler-throws") => {
                matches!(answer, Answer::Failure(failure) if failure.starts_with(b"{"))
            }
            ("nestjs", "handler-null" | "handler-undefined" | "handler-returns-plain-envelope") => {
                answer == Answer::Malformed
            }
            _ => answer == Answer::Value(b"{}"),
        };
        assert!(is_right, "{}: {answer:?}", reply.name());
    }
}

#[test]
fn dead_letters_read_like_springs() {
    let records = captured();
    // SmallRye writes its own names, which no tool of Spring's reads: not ours either.
    let letters = pairs(&records, "dead-letter");
    for (request, letter) in letters.into_iter().filter(|(of, _)| of.system == "spring-kafka") {
        let group = letter.header("kafka_dlt-original-consumer-group").unwrap();
        let origin = Origin {
            topic: &request.topic,
            partition: request.partition,
            offset: request.offset,
            timestamp: Timestamp::Created(request.timestamp),
            group: str::from_utf8(group).unwrap(),
        };
        assert_eq!(DeadLetter::topic(&request.topic), letter.topic);
        assert_eq!(request.partition, letter.partition);
        let ours = DeadLetter::new(origin, "unreadable", "no request");
        let ours: BTreeSet<Header<'_>> = ours.headers(request.headers()).collect();
        let theirs: BTreeSet<Header<'_>> = letter.headers().collect();
        // What went wrong there is another thing, and the only one that differs.
        let (reason, told): (Vec<Header<'_>>, Vec<_>) =
            ours.symmetric_difference(&theirs).partition(|(name, _)| is_reason(name));
        assert!(told.is_empty(), "{told:?}");
        assert!(!reason.is_empty());
    }
}

fn is_reason(name: &str) -> bool {
    name.starts_with("kafka_dlt-exception-")
}
