//! Requests as they travel.

mod data;
mod partial_envelope;
mod looks;

use catchment_domain::{Code, Invalid, Request, RequestId, ShopId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::message::bounded;
use super::object::{Object, object};
use super::request_type::{NamedType, RequestType, is_foreign};
use super::text::Text;
use super::{TARGET, instant, uuid, write_json};
use data::Data;
use partial_envelope::PartialEnvelope;

/// A request for one shop.
#[derive(Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(title = "Request", extend("allOf" = data::rules())))]
#[serde(rename_all = "camelCase")]
pub(super) struct Envelope<'a> {
    /// Identifies the request; the same when it is sent again.
    #[serde(borrow)]
    #[cfg_attr(test, schemars(extend("format" = "uuid")))]
    id: Text<'a>,
    /// The domain that it is for: `shop`.
    #[cfg_attr(test, schemars(extend("const" = TARGET)))]
    target: Text<'a>,
    /// The shop's id; equals the key of the record.
    #[cfg_attr(test, schemars(extend("minLength" = 1, "maxLength" = ShopId::MAX_LENGTH)))]
    key: Text<'a>,
    /// What is asked.
    #[cfg_attr(test, schemars(extend("enum" = RequestType::ALL.map(RequestType::as_str))))]
    r#type: Text<'a>,
    /// What is asked, in detail.
    #[serde(borrow, deserialize_with = "object")]
    data: Data<'a>,
    /// When the requester made it, with or without a zone; information only.
    requested_at: Text<'a>,
    /// The last instant at which it may be applied for the first time, by the database's
    /// clock; in a release the newest deadline of the activation that it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(extend("format" = "date-time")))]
    deadline: Option<Text<'a>>,
}

/// What a message is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ParsedRequest {
    /// The request's id, or a digest of what has none.
    pub(crate) id: RequestId,
    /// The type that it names.
    pub(crate) named_type: NamedType,
    /// The request, or why it is none of ours.
    pub(crate) content: Result<Request, Refusal>,
}

/// Why a message is no request of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It cannot be done.
    Invalid(Invalid),
    /// Its type belongs to somebody else.
    Foreign,
}

/// What a message with a null value is told.
const NULL_VALUE: &str = "the value is null: a NestJS client must emit \
     `{ key, value: envelope }`, because its serializer takes a bare object that has a `key` \
     for a Kafka message";

/// Writes a request behind what `out` holds; `requested_at` is RFC 3339.
pub(crate) fn write(request: &Request, requested_at: &str, out: &mut Vec<u8>) {
    let (mut id, mut campaigns) = ([0; 36], data::Names::default());
    let deadline = data::deadline_of(&request.change).and_then(instant::written_deadline);
    let envelope = Envelope {
        id: Text::from(&*request.id.0.hyphenated().encode_lower(&mut id)),
        target: TARGET.into(),
        key: request.shop.as_str().into(),
        r#type: RequestType::of(&request.change).as_str().into(),
        data: Data::of(&request.change, &mut campaigns),
        requested_at: requested_at.into(),
        deadline: deadline.map(Text::from),
    };
    write_json(&envelope, out);
}

/// Reads the key and the value of a record.
pub(crate) fn parse(key: Option<&[u8]>, value: Option<&[u8]>) -> ParsedRequest {
    let record = Record { key, value };
    let Some(value) = value else {
        return record.refused(&PartialEnvelope::default(), NULL_VALUE);
    };
    let Ok(text) = str::from_utf8(value) else {
        let message = looks::like(value).unwrap_or("the value is not UTF-8".into());
        return record.refused(&PartialEnvelope::default(), message);
    };
    match serde_json::from_str(text) {
        Ok(Object(envelope)) => record.judged(envelope),
        Err(error) => {
            let (envelope, complete) = partial_envelope::take(text);
            if complete && envelope.r#type().is_some_and(is_foreign) {
                return record.foreign(&envelope);
            }
            match looks::like(value) {
                Some(message) => record.refused(&envelope, message),
                None => record.refused(&envelope, problem(text, &error)),
            }
        }
    }
}

/// Says what is wrong with a text, and in which field. Only a text that could not be read is read
/// again with its paths, because that takes longer.
fn problem(text: &str, error: &serde_json::Error) -> Box<str> {
    let mut json = serde_json::Deserializer::from_str(text);
    let found: Result<Object<Envelope<'_>>, _> = serde_path_to_error::deserialize(&mut json);
    match found.err().map(|error| error.path().to_string()) {
        // The path of the whole text is a dot.
        Some(path) if path != "." => bounded(format_args!("`{path}`: {error}")),
        _ => bounded(format_args!("{error}")),
    }
}

/// A record of the request topic.
#[derive(Clone, Copy)]
struct Record<'a> {
    key: Option<&'a [u8]>,
    value: Option<&'a [u8]>,
}

impl Record<'_> {
    /// What an envelope of the right shape is.
    fn judged(self, envelope: Envelope<'_>) -> ParsedRequest {
        if is_foreign(&envelope.r#type) {
            return self.foreign(&envelope.into());
        }
        match self.request(&envelope) {
            Ok(request) => ParsedRequest {
                id: request.id,
                named_type: NamedType::Known(RequestType::of(&request.change)),
                content: Ok(request),
            },
            Err(message) => self.refused(&envelope.into(), message),
        }
    }

    fn request(self, envelope: &Envelope<'_>) -> Result<Request, Box<str>> {
        let Some(key) = self.key else { return Err("the record has no key".into()) };
        if &*envelope.target != TARGET {
            let target = &*envelope.target;
            return Err(bounded(format_args!("`target` is `{target}`, not `{TARGET}`")));
        }
        if envelope.key.as_bytes() != key {
            let key = &*envelope.key;
            return Err(bounded(format_args!("`key` is `{key}`, and the record's key is not")));
        }
        if !instant::is_time(&envelope.requested_at) {
            return Err("`requestedAt` is not a time in RFC 3339".into());
        }
        let id = uuid(&envelope.id).ok_or("`id` is not a UUID")?;
        let shop = envelope.key.parse().map_err(|error| bounded(format_args!("{error}")))?;
        let deadline = envelope.deadline.as_ref().map(data::deadline).transpose()?;
        let NamedType::Known(r#type) = NamedType::named(&envelope.r#type) else {
            return Err("there is no such type of request".into());
        };
        let change = envelope.data.change(r#type, deadline)?;
        Ok(Request { id: RequestId(id), shop, change })
    }

    fn foreign(self, envelope: &PartialEnvelope<'_>) -> ParsedRequest {
        ParsedRequest {
            id: self.id(envelope),
            named_type: envelope.r#type().map(NamedType::named).unwrap_or_default(),
            content: Err(Refusal::Foreign),
        }
    }

    fn refused(
        self,
        envelope: &PartialEnvelope<'_>,
        message: impl std::fmt::Display,
    ) -> ParsedRequest {
        let named_type = envelope.r#type().map(NamedType::named).unwrap_or_default();
        let unknown = envelope.r#type().filter(|name| !is_foreign(name));
        let unknown = unknown.filter(|_| !matches!(named_type, NamedType::Known(_)));
        let (code, message) = match unknown {
            Some(name) => {
                (Code::UnknownType, bounded(format_args!("there is no type `{name}` of request")))
            }
            None => (Code::Unreadable, bounded(format_args!("{message}"))),
        };
        let invalid = Invalid { code, message, shop: self.shop(envelope) };
        let content = Err(Refusal::Invalid(invalid));
        ParsedRequest { id: self.id(envelope), named_type, content }
    }

    /// The shop that a message names, if only by the record's key.
    fn shop(self, envelope: &PartialEnvelope<'_>) -> Option<ShopId> {
        let by_record = || str::from_utf8(self.key?).ok()?.parse().ok();
        envelope.key().and_then(|key| key.parse().ok()).or_else(by_record)
    }

    fn id(self, envelope: &PartialEnvelope<'_>) -> RequestId {
        RequestId(envelope.id().and_then(uuid).unwrap_or_else(|| self.digest()))
    }

    /// A `UUIDv5` of the record's key and value, each led by whether it is there, and the key
    /// by its length. So it is the same wherever and however often the record stands.
    fn digest(self) -> Uuid {
        /// The name space of these digests.
        const RECORDS: Uuid = Uuid::from_u128(0x5e2f_7c0a_94d1_4b68_8b57_3d6a_1f0c_e942);
        let (key, value) = (self.key.unwrap_or_default(), self.value.unwrap_or_default());
        let mut bytes = Vec::with_capacity(key.len() + value.len() + 10);
        bytes.push(self.key.is_some().into());
        bytes.extend_from_slice(&(key.len() as u64).to_be_bytes());
        bytes.extend_from_slice(key);
        bytes.push(self.value.is_some().into());
        bytes.extend_from_slice(value);
        Uuid::new_v5(&RECORDS, &bytes)
    }
}

impl<'a> From<Envelope<'a>> for PartialEnvelope<'a> {
    fn from(Envelope { id, key, r#type, .. }: Envelope<'a>) -> Self {
        Self::new(id, key, r#type)
    }
}

#[cfg(test)]
mod tests;
