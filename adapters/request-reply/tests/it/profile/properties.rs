//! What holds whatever anybody writes into headers.

use std::collections::HashSet;

use catchment_request_reply::profile::{
    Answer, CorrelationForm, Header, OwnHeader, PartitionForm, ReadReply, ReplyDetails,
    ReplyPartition, ReplyTo, RequestHeaders, RequestStyle, Trace,
};
use proptest::prelude::*;
use uuid::Uuid;

type OwnedHeader = (String, Option<Vec<u8>>);

fn header() -> impl Strategy<Value = OwnedHeader> {
    let ours = prop::sample::select(
        &[
            "kafka_correlationId",
            "kafka_replyTopic",
            "kafka_replyPartition",
            "REPLY_CORRELATION_ID",
            "REPLY_TOPIC",
            "REPLY_PARTITION",
            "kafka_nest-err",
            "catchment-failure",
            "traceparent",
            "tracestate",
        ][..],
    )
    .prop_map(str::to_owned);
    let name = prop_oneof![8 => ours, 1 => ".{0,30}"];
    let value = prop_oneof![
        4 => "[a-z0-9.-]{1,40}".prop_map(String::into_bytes),
        2 => (0_i32..20).prop_map(|partition| partition.to_be_bytes().to_vec()),
        2 => (0_i32..20).prop_map(|partition| partition.to_string().into_bytes()),
        2 => prop::collection::vec(proptest::num::u8::ANY, 0..300),
    ];
    (name, prop::option::weighted(0.9, value))
}

fn headers() -> impl Strategy<Value = Vec<OwnedHeader>> {
    prop::collection::vec(header(), 0..12)
}

fn borrowed(headers: &[OwnedHeader]) -> impl Iterator<Item = Header<'_>> {
    headers.iter().map(|(name, value)| (&**name, value.as_deref()))
}

/// One of our headers among any.
fn as_any(header: OwnHeader<'_>) -> Header<'_> {
    header
}

fn style() -> impl Strategy<Value = RequestStyle> {
    let correlation = prop_oneof![Just(CorrelationForm::Text), Just(CorrelationForm::Raw)];
    let partition = prop_oneof![
        Just(PartitionForm::Absent),
        Just(PartitionForm::Binary),
        Just(PartitionForm::Decimal),
    ];
    (correlation, partition)
        .prop_map(|(correlation, partition)| RequestStyle { correlation, partition })
}

proptest! {
    #[test]
    fn an_address_survives_its_compact_form(headers in headers()) {
        if let Ok(Some(reply_to)) = ReplyTo::read(borrowed(&headers)) {
            let mut bytes: Vec<u8> = reply_to.encoded().collect();
            prop_assert_eq!(ReplyTo::decode(&bytes), Some(reply_to));
            bytes.push(0);
            prop_assert_eq!(ReplyTo::decode(&bytes), None, "and nothing behind it");
        }
    }

    #[test]
    fn any_bytes_are_an_address_or_none(bytes in prop::collection::vec(proptest::num::u8::ANY, 0..80)) {
        if let Some(reply_to) = ReplyTo::decode(&bytes) {
            let again: Vec<u8> = reply_to.encoded().collect();
            prop_assert_eq!(ReplyTo::decode(&again), Some(reply_to));
        }
    }

    #[test]
    fn an_address_with_a_changed_byte_is_an_address_or_none(
        headers in headers(), place: prop::sample::Index, byte: u8
    ) {
        if let Ok(Some(reply_to)) = ReplyTo::read(borrowed(&headers)) {
            let mut bytes: Vec<u8> = reply_to.encoded().collect();
            let place = place.index(bytes.len());
            bytes[place] = byte;
            if let Some(other) = ReplyTo::decode(&bytes) {
                prop_assert!(other.topic().len() < 250);
            }
            prop_assert_eq!(ReplyTo::decode(&bytes[..place]), None, "nor is a part of one");
        }
    }

    #[test]
    fn a_reply_has_each_name_once_and_never_a_return_address(
        headers in headers(), failure in prop::option::of(".{0,9}")
    ) {
        if let Ok(Some(reply_to)) = ReplyTo::read(borrowed(&headers)) {
            let failure = failure.as_deref();
            let details = ReplyDetails { failure, type_id: Some("T") };
            let names: Vec<&str> = reply_to.headers(&details).map(|(name, _)| name).collect();
            let different: HashSet<&str> = names.iter().copied().collect();
            prop_assert_eq!(different.len(), names.len());
            prop_assert!(!names.iter().any(|name| name.to_lowercase().contains("topic")));
        }
    }

    #[test]
    fn a_reply_is_read_as_it_was_meant(
        headers in headers(), failure in prop::option::of(".{1,9}")
    ) {
        if let Ok(Some(reply_to)) = ReplyTo::read(borrowed(&headers)) {
            let failure = failure.as_deref();
            let details = ReplyDetails { failure, type_id: None };
            let read = ReadReply::read(reply_to.headers(&details).map(as_any), Some(b"v"));
            prop_assert_eq!(read.correlation_id, reply_to.correlation_id());
            let answer = failure
                .map_or(Answer::Value(b"v"), |failure| Answer::Failure(failure.as_bytes()));
            prop_assert_eq!(read.answer, answer);
        }
    }

    #[test]
    fn a_request_of_ours_is_read_as_it_was_meant(
        style in style(), topic in "[a-z.-]{3,40}", partition in 0_i32..1 << 24, id: u128
    ) {
        let request = RequestHeaders::new(
            style, (&topic, partition), Uuid::from_u128(id), Trace::default()
        );
        let reply_to = ReplyTo::read(request.iter().map(as_any)).unwrap().unwrap();
        let id = request.correlation_id();
        prop_assert_eq!(reply_to.correlation_id(), Some(id.as_bytes()));
        prop_assert_eq!(reply_to.topic(), &*topic);
        let (peer, expected) = match style.partition {
            PartitionForm::Absent => ("Spring", ReplyPartition::Any),
            PartitionForm::Binary => ("Spring", ReplyPartition::Number(partition)),
            PartitionForm::Decimal => ("NestJS", ReplyPartition::Number(partition)),
        };
        prop_assert_eq!((reply_to.peer().name(), reply_to.partition()), (peer, expected));
    }

    #[test]
    fn whoever_knows_one_family_finds_all_of_a_request_in_it(
        style in style(), partition in 0_i32..1 << 24, id: u128
    ) {
        let request = RequestHeaders::new(
            style, ("replies", partition), Uuid::from_u128(id), Trace::default()
        );
        let of = |smallrye: bool| {
            let family = request.iter().filter(|(name, _)| name.starts_with("REPLY_") == smallrye);
            ReplyTo::read(family.map(as_any)).unwrap().unwrap()
        };
        let (kafka, smallrye) = (of(false), of(true));
        prop_assert_eq!(kafka.correlation_id(), smallrye.correlation_id());
        prop_assert_eq!(kafka.topic(), smallrye.topic());
        prop_assert_eq!(kafka.partition(), smallrye.partition());
    }
}
