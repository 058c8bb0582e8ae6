//! The examples of `docs/wire-format.md`, against the code.

use catchment_domain::{Code, Outcome, Reply, RequestId, Status};
use catchment_request_reply::profile::ReplyTo;
use catchment_request_reply::reply::Route;
use catchment_request_reply::{Header, Incoming, Timestamp};
use jsonschema::Validator;
use serde_json::Value;
use uuid::Uuid;

use crate::captured::hex;
use crate::reply_channel::message::Messages;
use crate::request_channel;
use crate::request_log::{Entry, RecordParser};
use crate::wire::{self, NamedType, schema};

const DOCUMENT: &str = include_str!("../../../docs/wire-format.md");

/// One line of an example: a name, and bytes.
type Line<'a> = (&'a str, Vec<u8>);

/// The examples of a kind: what their titles add to it, and their lines.
fn examples(kind: &str) -> Vec<(&'static str, Vec<Line<'static>>)> {
    let fenced = DOCUMENT.split("\n```").skip(1).step_by(2);
    let examples = fenced.filter_map(|block| {
        let (title, lines) = block.split_once('\n').unwrap();
        let (found, more) = title.split_once(' ').unwrap_or((title, ""));
        (found == kind).then(|| (more, lines.lines().map(line).collect()))
    });
    let examples: Vec<_> = examples.collect();
    assert!(!examples.is_empty(), "no example of `{kind}`");
    examples
}

fn line(line: &str) -> Line<'_> {
    let (name, value) = line.split_once(' ').unwrap();
    (name, bytes(value))
}

/// Text as it is, or hexadecimal behind an `x`.
fn bytes(value: &str) -> Vec<u8> {
    let digits = value.strip_prefix('x');
    match digits.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit())) {
        Some(digits) => hex(digits),
        None => value.as_bytes().to_vec(),
    }
}

fn value_of<'a>(lines: &'a [Line<'_>], name: &str) -> Option<&'a [u8]> {
    lines.iter().find(|(found, _)| *found == name).map(|(_, value)| value.as_slice())
}

/// The cells of the table below a line of the document.
fn table(below: &str) -> Vec<Vec<&'static str>> {
    let (_, behind) = DOCUMENT.split_once(below).unwrap();
    let rows = behind.lines().skip_while(|line| !line.starts_with("|---")).skip(1);
    let cells = |row: &'static str| {
        let inner = row.strip_prefix("| ").unwrap().strip_suffix('|').unwrap();
        inner.split(" |").map(str::trim).collect()
    };
    rows.take_while(|row| row.starts_with('|')).map(cells).collect()
}

fn validator(name: &str) -> Validator {
    let options = jsonschema::options().should_validate_formats(true);
    options.build(&schema::published(name)).unwrap()
}

fn check_schema(validator: &Validator, value: &[u8]) {
    let json = serde_json::from_slice(value).unwrap();
    let errors: Vec<_> = validator.iter_errors(&json).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{}: {errors:?}", String::from_utf8_lossy(value));
}

fn read(key: Option<&[u8]>, value: Option<&[u8]>) -> Entry {
    let (topic, partition, offset) = ("requests", 0, 0);
    let (timestamp, headers) = (Timestamp::Missing, Vec::new());
    let incoming = Incoming { topic, partition, offset, timestamp, key, value, headers };
    RecordParser::default().entry(&incoming)
}

fn json(value: &[u8]) -> Value {
    serde_json::from_slice(value).unwrap()
}

/// The headers of an example, in their order: those behind `asked` or `reply`.
fn headers(lines: &[Line<'static>], which: &str) -> Vec<Header> {
    let named = lines.iter().filter(|(name, _)| *name == which);
    let header = |(_, line): &Line<'static>| {
        let (name, value) = str::from_utf8(line).unwrap().split_once(' ').unwrap();
        Header::new(name.to_owned(), bytes(value))
    };
    named.map(header).collect()
}

#[test]
fn requests_are_read_and_written_as_in_the_examples() {
    let validator = validator("request");
    for (_, lines) in examples("request") {
        let value = value_of(&lines, "value").unwrap();
        check_schema(&validator, value);
        let Entry::Request(record) = read(value_of(&lines, "key"), Some(value)) else {
            panic!("somebody else's")
        };
        let mut written = Vec::new();
        let requested_at = json(value)["requestedAt"].as_str().unwrap().to_owned();
        wire::write_request(&record.request.unwrap(), &requested_at, &mut written);
        assert_eq!(str::from_utf8(&written), str::from_utf8(value));
    }
}

#[test]
fn replies_are_read_and_written_as_in_the_examples() {
    let validator = validator("reply");
    for (_, lines) in examples("reply") {
        let value = value_of(&lines, "value").unwrap();
        check_schema(&validator, value);
        let (said, reply) = (json(value), wire::parse_reply(value).unwrap());
        let named_type = said["type"].as_str().map(NamedType::named).unwrap_or_default();
        let reply_to = ReplyTo::of("replies", 0).unwrap();
        let route = Route { topic: "replies".into(), partition: Some(0) };
        let replied_at = said["repliedAt"].as_str().unwrap().to_owned();
        let mut messages = Messages { replied_at, type_id: None, json: Vec::new() };
        let message = messages.message(&reply, &named_type, (reply_to, route), None);
        assert_eq!(str::from_utf8(&message.value.unwrap()), str::from_utf8(value));
        let headers: Vec<_> =
            message.headers.iter().map(|h| (&*h.name, h.value.as_deref().unwrap())).collect();
        let expected = lines.iter().filter(|(name, _)| name.starts_with("catchment-"));
        assert_eq!(headers, expected.map(|(name, value)| (*name, &**value)).collect::<Vec<_>>());
        let key = value_of(&lines, "key").filter(|_| reply.shop.is_some());
        assert_eq!(message.key.as_deref(), key);
    }
}

#[test]
fn what_is_refused_is_refused_as_documented() {
    let validator = validator("request");
    for row in table("In these examples the record's key is `shop-1`.") {
        let [value, code, message] = row[..] else { panic!("{row:?}") };
        let value = value.strip_prefix('`').map(|value| value.trim_end_matches('`').as_bytes());
        match read(Some(b"shop-1"), value) {
            Entry::Foreign(_) => assert_eq!((code, message), ("", "")),
            Entry::Request(record) => {
                let invalid = record.request.unwrap_err();
                assert_eq!((&*format!("`{}`", invalid.code), &*invalid.message), (code, message));
            }
        }
        // That the record has another key is nothing that a schema can know.
        let by_key = message.contains("the record's key");
        assert!(by_key || value.is_none_or(|value| !validator.is_valid(&json(value))), "{row:?}");
    }
}

#[test]
fn an_unreadable_message_is_identified_as_documented() {
    let namespace = DOCUMENT.split("The name space is `").nth(1).unwrap().get(..36).unwrap();
    let bytes = [&[1, 0, 0, 0, 0, 0, 0, 0, 6][..], b"shop-1", &[1], b"\xff"].concat();
    let expected = Uuid::new_v5(&namespace.parse().unwrap(), &bytes);
    let Entry::Request(record) = read(Some(b"shop-1"), Some(b"\xff")) else { panic!() };
    assert_eq!(record.id.0, expected);
    assert!(DOCUMENT.contains(&expected.to_string()), "{expected}");
}

#[test]
fn every_code_is_documented() {
    let yes_or_no = |retryable| if retryable { "yes" } else { "no" };
    let codes: Vec<_> = Code::ALL
        .iter()
        .map(|code| {
            let named = format!("`{code}`");
            [named, yes_or_no(code.is_retryable()).to_owned(), code.message().to_owned()]
        })
        .collect();
    assert_eq!(table("Codes, and whether"), codes);
}

#[test]
fn peers_are_answered_as_in_the_examples() {
    let applied = Outcome {
        status: Status::Applied,
        code: None,
        ..Outcome::rejected(Code::UnknownShop, None)
    };
    for (title, lines) in ["spring", "nestjs", "smallrye"].into_iter().flat_map(examples) {
        let asked = headers(&lines, "asked");
        let asked = asked.iter().map(|h| (&*h.name, h.value.as_deref()));
        let reply_to = ReplyTo::read(asked).unwrap().unwrap();
        let partition = reply_to.partition().number().filter(|number| (0..3).contains(number));
        let said = partition.map_or("chosen by key".to_owned(), |number| number.to_string());
        assert_eq!(value_of(&lines, "partition"), Some(said.as_bytes()));
        let rejected = title == "rejected";
        let rejection = Outcome::rejected(Code::UnknownShop, None);
        let outcome = if rejected { rejection } else { applied.clone() };
        let (id, shop) = (RequestId(Uuid::nil()), "shop-1".parse().ok());
        let reply = Reply { id, shop, outcome, request_position: None };
        let replied_at = "2026-11-22T10:00:00Z".to_owned();
        let mut messages = Messages { replied_at, type_id: None, json: Vec::new() };
        let route = Route { topic: reply_to.topic().into(), partition };
        let message = messages.message(&reply, &NamedType::None, (reply_to, route), None);
        assert_eq!(message.headers, headers(&lines, "reply"));
        assert!(message.value.is_some(), "a reply has its value beside a failure, too");
    }
}

#[test]
fn our_requester_asks_as_in_the_example() {
    for (_, lines) in examples("requester") {
        let expected = headers(&lines, "asked");
        let id = str::from_utf8(expected[0].value.as_deref().unwrap()).unwrap();
        let lane = ("catchment.shop.replies.v1", 1);
        let id = RequestId(id.parse().unwrap());
        assert_eq!(request_channel::headers(id, lane), expected);
    }
}
