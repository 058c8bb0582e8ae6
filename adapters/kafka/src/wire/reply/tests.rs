use catchment_domain::Status;
use proptest::prelude::*;

use super::super::request_type::RequestType;
use super::super::samples;
use super::*;

const AT: &str = "2026-11-22T10:00:00Z";

fn written(reply: &Reply) -> String {
    let mut out = Vec::new();
    write(reply, &NamedType::Known(RequestType::Activate), AT, &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn a_foreign_replier_is_understood_as_far_as_it_goes() {
    let reply = |rest: &str| {
        let json = format!(
            r#"{{"id":"e739acf5-9398-4ae8-8b39-d97d397526ea","target":"shop","key":"shop-1"{rest}}}"#
        );
        parse(json.as_bytes())
    };
    let spring = reply(r#","status":"applied","data":{"decidedBy":"spring"},"repliedAt":"now""#);
    let spring = spring.unwrap();
    assert_eq!(spring.shop, "shop-1".parse().ok());
    assert_eq!((spring.outcome.status, spring.outcome.standing), (Status::Applied, None));
    let failed = reply(r#","status":"failed","error":{"code":"handler-failed","message":"boom"}"#);
    let failed = failed.unwrap().outcome;
    assert_eq!((failed.code, failed.message()), (None, Some("boom")));
    let absurd = r#","status":"applied","data":{"after":1000000,"decidedBy":"base","version":1}"#;
    assert_eq!(reply(absurd).unwrap().outcome.standing, None);
    for rest in ["", r#","status":"done""#, r#","status":null"#, r#","status":"applied","data":1"#]
    {
        assert_eq!(reply(rest), None, "{rest}");
    }
}

/// A reader of Spring's that gets no value, or another than it knows, may block or loop.
#[test]
fn a_shorter_reply_says_what_became_of_which_request() {
    let long = Outcome::rejected(Code::BadData, Some("x".repeat(9_000).into()));
    let (id, shop) = (RequestId(uuid::Uuid::from_u128(1)), "shop-1".parse().ok());
    let reply = Reply { id, shop, outcome: long, request_position: Some(Position(7)) };
    let shorter = shorter(written(&reply).as_bytes()).unwrap();
    assert!(shorter.len() < 400, "{}", String::from_utf8_lossy(&shorter));
    let outcome = Outcome { detail: None, ..reply.outcome.clone() };
    assert_eq!(parse(&shorter), Some(Reply { outcome, ..reply }));
    assert_eq!(super::shorter(b"none"), None);
}

#[test]
fn what_is_no_reply_is_none() {
    for value in [
        &b""[..],
        b"null",
        b"done",
        b"\xff",
        br#"{"id":"x","target":"shop","status":"applied"}"#,
        br#"{"id":"e739acf5-9398-4ae8-8b39-d97d397526ea","status":"applied"}"#,
        br#"{"id":"e739acf5-9398-4ae8-8b39-d97d397526ea","target":"rider","status":"applied"}"#,
    ] {
        assert_eq!(parse(value), None, "{}", String::from_utf8_lossy(value));
    }
}

proptest! {
    #[test]
    fn prop_replies_are_read_as_written(mut reply in samples::reply()) {
        // A detail that says what the code says by itself is no detail.
        if let Some(code) = reply.outcome.code && reply.outcome.detail.as_deref() == Some(code.message()) {
            reply.outcome.detail = None;
        }
        prop_assert_eq!(parse(written(&reply).as_bytes()), Some(reply));
    }

    #[test]
    fn prop_any_bytes_are_a_reply_or_none(value in any::<Vec<u8>>()) {
        prop_assert_eq!(parse(&value), None);
    }

    #[test]
    fn prop_a_damaged_reply_is_a_reply_or_none(
        reply in samples::reply(),
        place in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut json = written(&reply).into_bytes();
        let place = place.index(json.len());
        json[place] = byte;
        if let Some(read) = parse(&json) {
            prop_assert!(read.shop.is_none_or(|shop| shop.as_str().len() <= ShopId::MAX_LENGTH));
        }
    }
}
