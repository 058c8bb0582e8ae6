//! The rules of the header table, one by one.

use std::sync::Arc;

use catchment_request_reply::Timestamp;
use catchment_request_reply::profile::{
    Answer, DeadLetter, Header, IllegalTopic, Origin, ReadReply, ReplyDetails, ReplyPartition,
    ReplyTo,
};

fn read<'a>(headers: &[(&'a str, &'a str)]) -> Result<Option<ReplyTo<'a>>, IllegalTopic> {
    ReplyTo::read(headers.iter().map(|(name, value)| (*name, Some(value.as_bytes()))))
}

fn reply_to<'a>(headers: &[(&'a str, &'a str)]) -> ReplyTo<'a> {
    read(headers).unwrap().unwrap()
}

#[test]
fn a_request_without_a_reply_topic_wants_no_reply() {
    assert_eq!(read(&[]), Ok(None));
    assert_eq!(read(&[("kafka_correlationId", "1"), ("kafka_replyPartition", "0")]), Ok(None));
    assert_eq!(ReplyTo::read([("kafka_replyTopic", None)]), Ok(None));
}

#[test]
fn names_are_case_sensitive() {
    assert_eq!(read(&[("KAFKA_REPLYTOPIC", "t"), ("reply_topic", "t")]), Ok(None));
    let found = reply_to(&[("kafka_replyTopic", "t"), ("kafka_correlationid", "1")]);
    assert_eq!(found.correlation_id(), None);
}

#[test]
fn the_last_of_a_repeated_name_counts() {
    let found = reply_to(&[
        ("kafka_replyTopic", "first"),
        ("kafka_correlationId", "1"),
        ("kafka_replyTopic", "last"),
        ("kafka_correlationId", "2"),
    ]);
    assert_eq!((found.topic(), found.correlation_id()), ("last", Some(&b"2"[..])));
}

#[test]
fn a_request_in_both_families_is_answered_in_one() {
    let kafka = [("kafka_replyTopic", "k"), ("kafka_correlationId", "1")];
    let smallrye = [("REPLY_TOPIC", "s"), ("REPLY_CORRELATION_ID", "2")];
    let both = reply_to(&[smallrye, kafka].concat());
    assert_eq!((both.peer().name(), both.topic()), ("Spring", "k"));
    let complete = reply_to(&[&smallrye[..], &kafka[..1]].concat());
    assert_eq!((complete.peer().name(), complete.topic()), ("SmallRye", "s"));
    let neither = reply_to(&[smallrye[0], kafka[0]]);
    assert_eq!((neither.peer().name(), neither.topic()), ("Spring", "k"));
    let details = ReplyDetails::default();
    let names: Vec<_> = both.headers(&details).map(|(name, _)| name).collect();
    assert_eq!(names, ["kafka_correlationId"]);
}

#[test]
fn a_topic_that_cannot_be_is_refused() {
    let (longest, long) = ("t".repeat(249), "t".repeat(250));
    for illegal in ["", ".", "..", "with space", "nul\0", "täglich", &long] {
        assert_eq!(read(&[("kafka_replyTopic", illegal)]), Err(IllegalTopic), "{illegal:?}");
        assert_eq!(ReplyTo::of(illegal, 0), Err(IllegalTopic));
    }
    assert_eq!(ReplyTo::read([("REPLY_TOPIC", Some(&[0xff][..]))]), Err(IllegalTopic));
    assert_eq!(reply_to(&[("kafka_replyTopic", &longest)]).topic(), longest);
}

#[test]
fn a_partition_that_cannot_be_read_is_not_taken_for_none() {
    let headers = [("kafka_replyTopic", Some(&b"t"[..])), ("kafka_replyPartition", None)];
    let found = ReplyTo::read(headers).unwrap().unwrap();
    assert_eq!(found.partition(), ReplyPartition::Unusable);
    let absent = reply_to(&[("kafka_replyTopic", "t")]);
    assert_eq!(absent.partition(), ReplyPartition::Any);
}

#[test]
fn trace_context_is_carried_and_the_reply_topic_is_not() {
    let found = reply_to(&[
        ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        ("kafka_replyTopic", "t"),
        ("kafka_replyPartition", "3"),
        ("kafka_correlationId", "1"),
        ("tracestate", "a=b"),
        ("unknown", "x"),
    ]);
    let details = ReplyDetails { failure: None, type_id: Some("Shop") };
    let headers: Vec<Header<'_>> = found.headers(&details).collect();
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".as_bytes();
    assert_eq!(
        headers,
        [
            ("kafka_correlationId", Some(&b"1"[..])),
            // A Spring client may send its partition as NestJS does.
            ("__TypeId__", Some(b"Shop")),
            ("kafka_nest-is-disposed", Some(&[0])),
            ("traceparent", Some(trace)),
            ("tracestate", Some(b"a=b")),
        ]
    );
}

/// The headers of a request, and the names of the headers of its failed reply.
type Failed = (&'static [(&'static str, &'static str)], &'static [&'static str]);

/// A failed request of each kind of peer.
const FAILED: [Failed; 3] = [
    (&[("kafka_replyTopic", "t")], &["__TypeId__", "catchment-failure"]),
    (&[("REPLY_TOPIC", "t")], &["catchment-failure"]),
    (
        &[("kafka_replyTopic", "t"), ("kafka_replyPartition", "0")],
        &["__TypeId__", "kafka_nest-err", "kafka_nest-is-disposed"],
    ),
];

#[test]
fn every_peer_gets_a_failure_in_one_header() {
    let details = ReplyDetails { failure: Some("{\"code\":1}"), type_id: Some("Shop") };
    let empty = ReplyDetails { failure: Some(""), ..details };
    for (request, names) in FAILED {
        let found = reply_to(request);
        let headers: Vec<Header<'_>> = found.headers(&details).collect();
        assert_eq!(headers.iter().map(|(name, _)| *name).collect::<Vec<_>>(), names);
        let read = ReadReply::read(headers, Some(b"v"));
        assert_eq!(read.answer, Answer::Failure(b"{\"code\":1}"));
        let read = ReadReply::read(found.headers(&empty), Some(b"v"));
        assert_eq!(read.answer, Answer::Failure(b"{}"), "an empty failure is still a failure");
        let plain = ReplyDetails { failure: None, ..details };
        let read = ReadReply::read(found.headers(&plain), Some(b"v"));
        assert_eq!(read.answer, Answer::Value(b"v"));
    }
}

#[test]
fn only_nest_reports_failures_in_a_header_of_its_own() {
    for (request, names) in FAILED {
        assert_eq!(reply_to(request).reports_failures(), names.contains(&"kafka_nest-err"));
    }
}

#[test]
fn a_failure_is_read_in_either_header() {
    for (headers, value, expected) in [
        (&[("kafka_nest-err", "n")][..], None, Answer::Failure(b"n")),
        (&[("catchment-failure", "c")], Some(&b"v"[..]), Answer::Failure(b"c")),
        (&[("catchment-failure", ""), ("kafka_nest-err", "n")], None, Answer::Failure(b"n")),
        (&[("catchment-failure", "c"), ("kafka_nest-err", "")], None, Answer::Failure(b"c")),
        (&[("kafka_nest-err", "")], Some(b"v"), Answer::Value(b"v")),
        (&[("catchment-failure", "")], Some(b"v"), Answer::Value(b"v")),
        (&[("catchment-failure", ""), ("kafka_nest-err", "")], None, Answer::Malformed),
        (&[("catchment-failure", "c"), ("catchment-failure", "")], None, Answer::Malformed),
    ] {
        let read = headers.iter().map(|(name, value)| (*name, Some(value.as_bytes())));
        assert_eq!(ReadReply::read(read, value).answer, expected, "{headers:?}");
    }
}

#[test]
fn a_dead_letter_that_dies_again_says_each_thing_once() {
    let origin = |topic| Origin {
        topic,
        partition: 1,
        offset: 2,
        timestamp: Timestamp::Missing,
        group: "g",
    };
    let first = DeadLetter::new(origin("first"), "code", "message");
    let original = [("shop", Some(&b"7"[..]))];
    let second = DeadLetter::new(origin("second"), "code", "message");
    let headers: Vec<_> = second.headers(first.headers(original)).collect();
    assert_eq!(headers[0], original[0]);
    assert_eq!(headers.len(), 9);
    assert!(headers.contains(&("kafka_dlt-original-topic", Some(b"second"))));
    assert!(headers.contains(&("kafka_dlt-original-timestamp-type", Some(b"NoTimestampType"))));
    assert!(headers.contains(&("kafka_dlt-original-timestamp", Some(&[0xff; 8]))));
}

#[test]
fn numbers_of_a_dead_letter_are_those_of_java() {
    let origin = Origin {
        topic: "t",
        partition: 0x0102,
        offset: 0x0304,
        timestamp: Timestamp::Appended(0x0506),
        group: "g",
    };
    let letter = DeadLetter::new(origin, "unreadable", "no JSON");
    let headers: Vec<_> = letter.headers([]).collect();
    let expected: [Header<'_>; 8] = [
        ("kafka_dlt-original-topic", Some(b"t")),
        ("kafka_dlt-original-partition", Some(&[0, 0, 1, 2])),
        ("kafka_dlt-original-offset", Some(&[0, 0, 0, 0, 0, 0, 3, 4])),
        ("kafka_dlt-original-timestamp", Some(&[0, 0, 0, 0, 0, 0, 5, 6])),
        ("kafka_dlt-original-timestamp-type", Some(b"LogAppendTime")),
        ("kafka_dlt-original-consumer-group", Some(b"g")),
        ("kafka_dlt-exception-fqcn", Some(b"unreadable")),
        ("kafka_dlt-exception-message", Some(b"no JSON")),
    ];
    assert_eq!(headers, expected);
}

#[test]
fn keeping_an_address_allocates_once_and_reading_one_never() {
    let headers = [("kafka_replyTopic", "t"), ("kafka_correlationId", "0b8135e9b1c6319881")];
    let read = || {
        let found = reply_to(&headers);
        assert_eq!(found.topic(), "t");
    };
    assert_eq!(allocation_counter::measure(read).count_total, 0);
    let found = reply_to(&headers);
    let keep = || {
        let kept: Arc<[u8]> = found.encoded().collect();
        assert_eq!(ReplyTo::decode(&kept), Some(found));
    };
    assert_eq!(allocation_counter::measure(keep).count_total, 1);
}
