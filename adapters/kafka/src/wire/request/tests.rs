use catchment_domain::{Change, Deadline, LimitError, Timestamp};
use proptest::prelude::*;

use super::super::samples;
use super::*;

const AT: &str = "2026-11-22T10:00:00Z";
const ID: &str = "e739acf5-9398-4ae8-8b39-d97d397526ea";

fn written(request: &Request) -> Vec<u8> {
    let mut out = Vec::new();
    write(request, AT, &mut out);
    out
}

/// A request with these fields beside `data`, of which the later ones count.
fn envelope(r#type: &str, data: &str, more: &str) -> String {
    format!(
        r#"{{"id":"{ID}","target":"shop","key":"shop-1","type":"{type}","data":{data},"requestedAt":"{AT}"{more}}}"#
    )
}

fn read(json: &str) -> ParsedRequest {
    parse(Some(b"shop-1"), Some(json.as_bytes()))
}

fn change(r#type: &str, data: &str, more: &str) -> Change {
    read(&envelope(r#type, data, more)).content.unwrap().change
}

fn invalid(parsed: ParsedRequest) -> Invalid {
    match parsed.content {
        Err(Refusal::Invalid(invalid)) => invalid,
        other => panic!("{other:?}"),
    }
}

/// Refused with this code, and a message that has this part.
fn check_refused(json: &str, code: Code, part: &str) {
    let invalid = invalid(read(json));
    assert_eq!(invalid.code, code, "{json}");
    assert!(invalid.message.contains(part), "{json}: {}", invalid.message);
    assert_eq!(invalid.shop, "shop-1".parse().ok(), "{json}");
}

const ACTIVATE: &str = r#"{"kind":"manual","limit":{"metres":3000}}"#;
const OF_CAMPAIGN: &str = r#"{"kind":"manual","limit":"closed","revision":7,"campaign":"3fc046ea-2e36-472a-8eba-3da5cce9b165"}"#;

#[test]
fn unknown_fields_are_ignored_everywhere() {
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let data = r#"{"kind":"manual","limit":{"metres":3000,"unit":"m"},"reason":{"a":[1]}}"#;
    let more = format!(r#","reason":null,"trace":{{"id":1}},"deep":{deep}"#);
    assert_eq!(
        change("radius.activate", data, &more),
        change("radius.activate", ACTIVATE, r#","deadline":null"#)
    );
}

#[test]
fn a_campaigns_request_without_deadline_never_expires() {
    let never = Deadline::at(Timestamp::from_millis(i64::MAX));
    let activate = change("radius.activate", OF_CAMPAIGN, "");
    assert_eq!(activate.deadline(), Some(never));
    let Change::Release { deadline, .. } = change("radius.release", OF_CAMPAIGN, "") else {
        panic!("names a campaign")
    };
    assert_eq!(deadline, never);
    assert_eq!(change("radius.activate", ACTIVATE, "").deadline(), None);
}

#[test]
fn a_deadline_needs_a_zone() {
    let at = |time| {
        let more = format!(r#","deadline":"{time}""#);
        change("radius.activate", ACTIVATE, &more).deadline()
    };
    let expected = Some(Deadline::at(Timestamp::from_millis(1_795_309_200_000)));
    assert_eq!(at("2026-11-22T10:00:00+09:00"), expected);
    assert_eq!(at("2026-11-22T01:00:00Z"), expected);
    for time in ["2026-11-22T10:00:00", "tomorrow", ""] {
        let more = format!(r#","deadline":"{time}""#);
        let json = envelope("radius.activate", ACTIVATE, &more);
        check_refused(&json, Code::Unreadable, "`deadline` is not RFC 3339 with a zone");
    }
}

#[test]
fn missing_fields_are_named() {
    let whole = envelope("radius.activate", ACTIVATE, "");
    let parts = [
        (format!(r#""id":"{ID}","#), "missing field `id`"),
        (r#""target":"shop","#.into(), "missing field `target`"),
        (r#""key":"shop-1","#.into(), "missing field `key`"),
        (r#""type":"radius.activate","#.into(), "missing field `type`"),
        (format!(r#""data":{ACTIVATE},"#), "missing field `data`"),
        (format!(r#","requestedAt":"{AT}""#), "missing field `requestedAt`"),
        (r#""kind":"manual","#.into(), "`data` has no `kind`"),
        (r#","limit":{"metres":3000}"#.into(), "`data` has no `limit`"),
    ];
    for (part, message) in parts {
        assert!(whole.contains(&part), "{part}");
        check_refused(&whole.replace(&part, ""), Code::Unreadable, message);
    }
    for (r#type, data, message) in [
        ("radius.activate", r#"{"kind":"a","limit":"closed","revision":1}"#, "no `campaign`"),
        ("radius.release", r#"{"campaign":"x"}"#, "no `revision`"),
        ("radius.release", "{}", "no `kind`"),
        ("radius.set-base", r#"{"radius":1}"#, "no `revision`"),
        ("radius.set-base", r#"{"revision":1}"#, "no `radius`"),
    ] {
        check_refused(&envelope(r#type, data, ""), Code::Unreadable, message);
    }
}

#[test]
fn what_cannot_be_right_is_refused() {
    let zero = LimitError::Zero.to_string();
    let itself = OF_CAMPAIGN.replace(
        '}',
        r#","replaces":{"revision":7,"campaign":"3fc046ea-2e36-472a-8eba-3da5cce9b165"}}"#,
    );
    for (r#type, data, message) in [
        ("radius.activate", r#"{"kind":"manual","limit":{"metres":0}}"#, &*zero),
        ("radius.activate", r#"{"kind":"manual","limit":{"metres":1000000000000}}"#, "at most"),
        ("radius.activate", r#"{"kind":"Manual","limit":"closed"}"#, "a trigger kind is"),
        ("radius.activate", r#"{"kind":1,"limit":"closed"}"#, "expected a string"),
        ("radius.activate", "[]", "expected an object"),
        ("radius.activate", "7", "expected an object"),
        ("radius.activate", &itself, "cannot take its own place"),
        ("radius.release", r#"{"revision":7,"campaign":"7"}"#, "`campaign` is not a UUID"),
        ("radius.set-base", r#"{"revision":1,"radius":100001}"#, "a radius is at most"),
        ("radius.set-base", r#"{"revision":1,"radius":-1}"#, "expected u64"),
        ("radius.set-base", r#"{"revision":1,"radius":1e3}"#, "expected u64"),
        ("radius.set-base", r#"{"revision":0,"radius":1}"#, "a revision is 1 to"),
        ("radius.set-base", r#"{"revision":281474976710656,"radius":1}"#, "a revision is 1 to"),
        ("radius.set-base", r#"{"revision":99999999999999999999,"radius":1}"#, "expected u64"),
    ] {
        check_refused(&envelope(r#type, data, ""), Code::Unreadable, message);
    }
    let wrong = |part: &str, other: &str, message: &str| {
        let json = envelope("radius.activate", ACTIVATE, "").replace(part, other);
        check_refused(&json, Code::Unreadable, message);
    };
    wrong(ID, "7", "`id` is not a UUID");
    wrong(ID, &ID.replace('-', ""), "`id` is not a UUID");
    wrong(r#"target":"shop""#, r#"target":"rider""#, "`target` is `rider`, not `shop`");
    wrong(AT, "yesterday", "`requestedAt` is not a time");
    check_refused(&envelope("radius.activate", ACTIVATE, r#","id":"x""#), Code::Unreadable, "dup");
}

#[test]
fn what_a_field_cannot_be_is_said_with_its_name() {
    for (r#type, data, message) in [
        (
            "radius.activate",
            r#"{"kind":"manual","limit":{"metres":"3"}}"#,
            "`data.limit.metres`: invalid type: string \"3\", expected u64",
        ),
        ("radius.activate", r#"{"kind":"manual","limit":"3km"}"#, "`data.limit`: invalid value"),
        ("radius.activate", r#"{"kind":"manual","limit":{"metres":0}}"#, "`data.limit`: a limit"),
        ("radius.activate", r#"{"kind":7,"limit":"closed"}"#, "`data.kind`: invalid type"),
        ("radius.activate", "[]", "`data`: invalid type: sequence, expected an object"),
        ("radius.set-base", r#"{"revision":1,"radius":"3"}"#, "`data.radius`: invalid type"),
        (
            "radius.activate",
            r#"{"kind":"manual","limit":"closed","replaces":{"revision":1}}"#,
            "`data.replaces`: missing field `campaign`",
        ),
    ] {
        let invalid = invalid(read(&envelope(r#type, data, "")));
        assert!(invalid.message.starts_with(message), "{}", invalid.message);
    }
    let more = invalid(read(&envelope("radius.activate", ACTIVATE, r#","deadline":7"#)));
    assert!(more.message.starts_with("`deadline`: invalid type"), "{}", more.message);
}

#[test]
fn a_time_of_asking_needs_no_zone() {
    let json = envelope("radius.activate", ACTIVATE, "").replace("00Z", "00.123456");
    assert!(read(&json).content.is_ok());
}

#[test]
fn an_unknown_type_of_ours_is_refused_and_repeated() {
    for data in ["{}", "7"] {
        let parsed = read(&envelope("radius.widen", data, ""));
        assert_eq!(parsed.named_type.as_str(), Some("radius.widen"));
        assert_eq!(parsed.id.0.to_string(), ID);
        let invalid = invalid(parsed);
        assert_eq!(invalid.code, Code::UnknownType);
        assert_eq!(&*invalid.message, "there is no type `radius.widen` of request");
    }
}

#[test]
fn a_type_with_another_prefix_belongs_to_somebody_else() {
    for data in ["{}", "7", r#"{"limit":7}"#] {
        for more in ["", r#","target":"rider""#] {
            let parsed = read(&envelope("order.create", data, more));
            assert_eq!(parsed.content, Err(Refusal::Foreign), "{data} {more}");
            assert_eq!(parsed.id.0.to_string(), ID);
        }
    }
    let broken = format!("{} x", envelope("order.create", "{}", ""));
    check_refused(&broken, Code::Unreadable, "trailing characters");
}

#[test]
fn a_null_value_is_told_the_rule_of_nestjs() {
    let parsed = parse(Some(b"shop-1"), None);
    let id = parsed.id;
    let invalid = invalid(parsed);
    assert_eq!((invalid.code, invalid.shop), (Code::Unreadable, "shop-1".parse().ok()));
    assert!(invalid.message.contains("`{ key, value: envelope }`"), "{}", invalid.message);
    assert_eq!(parse(Some(b"shop-1"), None).id, id);
    assert_ne!(parse(Some(b"shop-2"), None).id, id);
    assert_ne!(parse(Some(b"shop-1"), Some(b"")).id, id);
    assert_ne!(parse(None, None).id, id);
}

#[test]
fn the_records_key_must_be_the_shop() {
    let json = envelope("radius.activate", ACTIVATE, "");
    for (key, part) in
        [(None, "has no key"), (Some(&b"shop-2"[..]), "record's key is not"), (Some(b""), "is not")]
    {
        let invalid = invalid(parse(key, Some(json.as_bytes())));
        assert!(invalid.message.contains(part), "{}", invalid.message);
        assert_eq!(invalid.shop, "shop-1".parse().ok());
    }
    let nameless = json.replace(r#""key":"shop-1""#, r#""key":" ""#);
    let invalid = invalid(parse(Some(b" "), Some(nameless.as_bytes())));
    assert!(invalid.message.contains("a shop id is"), "{}", invalid.message);
    assert_eq!(invalid.shop, None);
}

#[test]
fn garbage_is_refused_with_a_short_message() {
    let megabyte = vec![b'x'; 1 << 20];
    let long_name = envelope(&format!("radius.{}", "x".repeat(1 << 20)), "{}", "");
    let long_kind = format!(r#"{{"kind":"{}","limit":7}}"#, "x".repeat(1 << 20));
    let long_kind = envelope("radius.activate", &long_kind, "");
    let deep = "[".repeat(1 << 20);
    let array = format!(r#"["{ID}","shop","shop-1","radius.activate",{ACTIVATE},"{AT}"]"#);
    let values: [&[u8]; 9] = [
        array.as_bytes(),
        b"",
        b"\xff\xfe",
        b"null",
        &megabyte,
        deep.as_bytes(),
        long_name.as_bytes(),
        long_kind.as_bytes(),
        b"\xef\xbb\xbf{}",
    ];
    for value in values {
        let invalid = invalid(parse(Some(b"shop-1"), Some(value)));
        assert!(invalid.message.len() < 1_000);
        assert_eq!(invalid.shop, "shop-1".parse().ok());
    }
    let invalid_text = [br#"{"reason":""#, &b"\xff"[..], br#""}"#].concat();
    let invalid = invalid(parse(Some(b"shop-1"), Some(&invalid_text)));
    assert_eq!(&*invalid.message, "the value is not UTF-8");
}

#[test]
fn a_value_that_is_no_json_object_is_told_what_it_looks_like() {
    let request = envelope("radius.activate", ACTIVATE, "");
    let behind = |beginning: &[u8]| [beginning, request.as_bytes()].concat();
    let utf16 = |bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
        let mark = std::iter::once(0xfeff);
        mark.chain(request.encode_utf16()).flat_map(bytes).collect()
    };
    let twice = serde_json::to_vec(&request).unwrap();
    for (value, part) in [
        (behind(b"\xef\xbb\xbf"), "a byte order mark"),
        (behind(&[0, 0, 0, 0, 7]), "schema registry"),
        (behind(&[0, 0, 0, 0, 7]), "id 7)"),
        (behind(&[0, 0xff, 0xff, 0xff, 0xff]), "id 4294967295)"),
        (twice, "serialized twice"),
        (br#""eyJpZCI6IjcifQ==""#.to_vec(), "base64"),
        (utf16(u16::to_le_bytes), "UTF-16"),
        (utf16(u16::to_be_bytes), "UTF-16"),
        (behind(b"\x1f\x8b\x08"), "gzip"),
        (behind(b"\xac\xed\x00\x05t"), "Java"),
        (Vec::new(), "empty"),
        (b"\"a text\"".to_vec(), "expected an object"),
        (b"\0\0".to_vec(), "expected value"),
    ] {
        let parsed = parse(Some(b"shop-1"), Some(&value));
        let id = parsed.id;
        let invalid = invalid(parsed);
        assert_eq!((invalid.code, invalid.shop), (Code::Unreadable, "shop-1".parse().ok()));
        assert!(invalid.message.contains(part), "{part}: {}", invalid.message);
        assert_eq!(id, parse(Some(b"shop-1"), Some(&value)).id);
    }
}

#[test]
fn a_megabyte_of_what_nobody_asked_for_is_ignored() {
    let more = format!(r#","note":"{}""#, "x".repeat(1 << 20));
    assert_eq!(change("radius.activate", ACTIVATE, &more), change("radius.activate", ACTIVATE, ""));
}

proptest! {
    #[test]
    fn prop_requests_are_read_as_written(request in samples::request()) {
        let parsed = parse(Some(request.shop.as_str().as_bytes()), Some(&written(&request)));
        prop_assert_eq!(parsed.id, request.id);
        prop_assert_eq!(parsed.named_type, NamedType::Known(RequestType::of(&request.change)));
        prop_assert_eq!(parsed.content, Ok(request));
    }

    #[test]
    fn prop_any_bytes_are_refused(key in any::<Option<Vec<u8>>>(), value in any::<Option<Vec<u8>>>()) {
        let parsed = parse(key.as_deref(), value.as_deref());
        prop_assert_eq!(parsed.clone(), parse(key.as_deref(), value.as_deref()));
        prop_assert_eq!(invalid(parsed).code, Code::Unreadable);
    }

    #[test]
    fn prop_a_damaged_request_is_read_or_refused(
        request in samples::request(),
        place in any::<prop::sample::Index>(),
        bytes in any::<[u8; 3]>(),
        cut in any::<bool>(),
    ) {
        let mut json = written(&request);
        let place = place.index(json.len());
        if cut {
            json.truncate(place);
        } else {
            json.splice(place..=place, bytes);
        }
        let parsed = parse(Some(request.shop.as_str().as_bytes()), Some(&json));
        if let Ok(read) = parsed.content {
            prop_assert_eq!(read.shop, request.shop);
            prop_assert_eq!(read.id, parsed.id);
        }
    }
}
