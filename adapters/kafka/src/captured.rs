//! Records that Spring Kafka, NestJS and SmallRye wrote, against the code.

use catchment_domain::{CampaignId, CampaignRef, Change, Code, Revision, ShopId, Status};
use catchment_request_reply::reply::{Destination, Place, ReturnAddress};
use catchment_request_reply::{Incoming, Timestamp};
use serde_json::Value;

use crate::request_log::{Entry, RecordParser};
use crate::wire;

/// A record as it was captured.
struct Captured {
    role: String,
    case: String,
    peer: &'static str,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(String, Vec<u8>)>,
    partition: i32,
    offset: i64,
}

fn captured() -> Vec<Captured> {
    let files = [
        ("Spring", include_str!("../../request-reply/tests/captured/spring.jsonl")),
        ("NestJS", include_str!("../../request-reply/tests/captured/nestjs.jsonl")),
        ("SmallRye", include_str!("../../request-reply/tests/captured/smallrye.jsonl")),
    ];
    let records = files.into_iter().flat_map(|(peer, file)| {
        file.lines().map(move |line| Captured::read(peer, &serde_json::from_str(line).unwrap()))
    });
    records.collect()
}

/// The bytes that hexadecimal digits stand for.
pub(crate) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<_> = text.chars().map(|digit| digit.to_digit(16).unwrap()).collect();
    digits.chunks(2).map(|pair| u8::try_from(pair[0] << 4 | pair[1]).unwrap()).collect()
}

impl Captured {
    fn read(peer: &'static str, json: &Value) -> Self {
        let text = |name: &str| json[name].as_str();
        let header = |header: &Value| {
            let name = header[0].as_str().unwrap().to_owned();
            (name, header[1].as_str().map(hex).unwrap_or_default())
        };
        Self {
            role: text("role").unwrap().to_owned(),
            case: text("case").unwrap().to_owned(),
            peer,
            key: text("key_hex").map(hex),
            value: text("value_utf8_or_hex").map(|value| value.as_bytes().to_vec()),
            headers: json["headers"].as_array().unwrap().iter().map(header).collect(),
            partition: i32::try_from(json["partition"].as_i64().unwrap()).unwrap(),
            offset: json["offset"].as_i64().unwrap(),
        }
    }

    fn incoming(&self) -> Incoming<'_> {
        let headers = self.headers.iter();
        Incoming {
            topic: "requests",
            partition: self.partition,
            offset: self.offset,
            timestamp: Timestamp::Missing,
            key: self.key.as_deref(),
            value: self.value.as_deref(),
            headers: headers.map(|(name, value)| (&**name, Some(&**value))).collect(),
        }
    }

    fn header(&self, names: [&str; 2]) -> Option<&[u8]> {
        let found = self.headers.iter().find(|(name, _)| names.contains(&&**name));
        found.map(|(_, value)| value.as_slice())
    }

    fn json(&self) -> Option<Value> {
        serde_json::from_slice(self.value.as_deref()?).ok()
    }
}

/// The address says whence the request came and where its peer waits.
fn check_address(record: &Captured, bytes: &[u8]) {
    let address = ReturnAddress::decode(bytes).unwrap();
    let Captured { partition, offset, .. } = *record;
    assert_eq!(address.place, Some(Place { partition, offset }));
    let Destination::To(reply_to) = address.destination else { panic!("nobody waits") };
    assert_eq!(reply_to.peer().name(), record.peer, "{}", record.case);
    let id = record.header(["kafka_correlationId", "REPLY_CORRELATION_ID"]);
    assert_eq!(reply_to.correlation_id(), id);
    let topic = record.header(["kafka_replyTopic", "REPLY_TOPIC"]);
    assert_eq!(Some(reply_to.topic().as_bytes()), topic);
    let asked = record.header(["kafka_replyPartition", "REPLY_PARTITION"]).is_some();
    assert_eq!(reply_to.partition().number().is_some(), asked);
}

/// The peers all ask for 3 km because of a shortage of riders, in a campaign without deadline.
fn check_change(json: &Value, change: &Change) {
    let Change::Activate { campaign, kind, limit, replaces: None, .. } = change else {
        panic!("{change:?}")
    };
    let id = CampaignId(json["data"]["campaign"].as_str().unwrap().parse().unwrap());
    assert_eq!(*campaign, CampaignRef { revision: Revision(7), id });
    assert_eq!((kind.as_str(), *limit), ("rider_shortage", "3km".parse().unwrap()));
    assert_eq!(change.deadline().unwrap().instant().millis(), i64::MAX);
}

#[test]
fn every_captured_request_is_understood() {
    let (mut asked, mut foreign, mut null) = (0, 0, 0);
    for record in captured().into_iter().filter(|record| record.role == "request") {
        let read = match RecordParser::default().entry(&record.incoming()) {
            Entry::Request(read) => read,
            Entry::Foreign(id) => {
                let json = record.json().unwrap();
                assert!(json["type"].as_str().unwrap().starts_with("test."), "{}", record.case);
                assert_eq!(json["id"].as_str().unwrap(), id.to_string());
                foreign += 1;
                continue;
            }
        };
        check_address(&record, &read.return_address.0);
        assert_eq!(read.shop().unwrap().as_str(), "shop-1");
        match (record.json(), &read.request) {
            (Some(json), Ok(request)) => {
                assert_eq!(json["id"].as_str().unwrap(), request.id.to_string());
                assert_eq!(read.id, request.id);
                check_change(&json, &request.change);
                asked += 1;
            }
            (None, Err(invalid)) => {
                assert_eq!(invalid.code, Code::Unreadable);
                assert!(invalid.message.contains("NestJS"), "{}", invalid.message);
                null += 1;
            }
            (_, request) => panic!("{}: {request:?}", record.case),
        }
    }
    assert_eq!((asked, foreign, null), ASKED_FOREIGN_NULL);
}

/// How many captured requests are ours, somebody else's, and without a value.
const ASKED_FOREIGN_NULL: (u32, u32, u32) = (16, 32, 2);

#[test]
fn every_captured_reply_is_understood() {
    let mut statuses = Vec::new();
    for record in captured().into_iter().filter(|record| record.role == "reply") {
        let json = record.json().filter(|json| json["id"].is_string());
        let reply = record.value.as_deref().and_then(wire::parse_reply);
        assert_eq!(reply.is_some(), json.is_some(), "{}", record.case);
        let (Some(reply), Some(json)) = (reply, json) else { continue };
        assert_eq!(json["id"].as_str().unwrap(), reply.id.to_string());
        assert_eq!(json["key"].as_str(), reply.shop.as_ref().map(ShopId::as_str));
        statuses.push(reply.outcome.status);
    }
    let count = |status| statuses.iter().filter(|found| **found == status).count();
    assert_eq!((count(Status::Applied), count(Status::Failed)), (24, 2));
}
