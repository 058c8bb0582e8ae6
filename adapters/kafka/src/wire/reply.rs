//! Replies as they travel.

mod decided_by;

use catchment_domain::{Code, Outcome, Position, Radius, Reply, RequestId, ShopId, Standing};
use serde::{Deserialize, Serialize};

use super::object::{Object, object, optional_object};
use super::request_type::NamedType;
use super::text::Text;
use super::{TARGET, uuid, write_json};
use decided_by::WireDecidedBy;

/// What became of a request.
#[derive(Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(title = "Reply"))]
#[serde(rename_all = "camelCase")]
pub(super) struct Envelope<'a> {
    /// The request's id; of one that has none a digest.
    #[serde(borrow)]
    #[cfg_attr(test, schemars(extend("format" = "uuid")))]
    id: Text<'a>,
    /// The domain that it is from: `shop`.
    #[cfg_attr(test, schemars(extend("const" = TARGET)))]
    target: Text<'a>,
    /// The shop's id; missing where the request's could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<Text<'a>>,
    /// What was asked; missing where that could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    r#type: Option<Text<'a>>,
    /// What became of the request.
    #[cfg_attr(test, schemars(extend("enum" = catchment_domain::Status::ALL.map(catchment_domain::Status::as_str))))]
    status: Text<'a>,
    /// How the request left the shop.
    #[serde(borrow, default, deserialize_with = "object")]
    data: Data<'a>,
    /// Why, where that is not plain success.
    #[serde(
        borrow,
        default,
        deserialize_with = "optional_object",
        skip_serializing_if = "Option::is_none"
    )]
    error: Option<Failure<'a>>,
    /// The offset of the request in its partition; missing where the replier does not know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    request_offset: Option<u64>,
    /// When the reply was made.
    #[serde(default)]
    #[cfg_attr(test, schemars(extend("format" = "date-time")))]
    replied_at: Option<Text<'a>>,
}

/// How a request left its shop; only `repeat` where no shop was looked at.
#[derive(Default, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
struct Data<'a> {
    /// The radius before, in whole metres; missing in a repeat, which does not know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(range(max = Radius::MAX.metres())))]
    before: Option<u64>,
    /// The radius after, in whole metres.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(range(max = Radius::MAX.metres())))]
    after: Option<u64>,
    /// What decided the radius after.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    decided_by: Option<WireDecidedBy<'a>>,
    /// The shop's version after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
    /// Whether the request had taken effect before.
    #[serde(default)]
    repeat: bool,
}

/// Why an outcome is not plain success.
#[derive(Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "Error"))]
struct Failure<'a> {
    /// For machines.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    code: Option<Text<'a>>,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    message: Option<Text<'a>>,
    /// Whether the same request, sent anew, may fare better.
    #[serde(default)]
    retryable: bool,
}

/// Writes a reply to a request of this type behind what `out` holds; `replied_at` is RFC 3339.
pub(crate) fn write(reply: &Reply, named_type: &NamedType, replied_at: &str, out: &mut Vec<u8>) {
    let mut id = [0; 36];
    let envelope = Envelope {
        id: Text::from(&*reply.id.0.hyphenated().encode_lower(&mut id)),
        target: TARGET.into(),
        key: reply.shop.as_ref().map(|shop| shop.as_str().into()),
        r#type: named_type.as_str().map(Text::from),
        status: reply.outcome.status.as_str().into(),
        data: Data::of(&reply.outcome),
        error: Failure::of(&reply.outcome),
        request_offset: reply.request_position.map(|position| position.0),
        replied_at: Some(replied_at.into()),
    };
    write_json(&envelope, out);
}

/// A reply without what can be long: only what became of which request.
pub(crate) fn shorter(value: &[u8]) -> Option<Vec<u8>> {
    let text = str::from_utf8(value).ok()?;
    let Object(mut envelope): Object<Envelope<'_>> = serde_json::from_str(text).ok()?;
    envelope.r#type = None;
    envelope.data = Data { repeat: envelope.data.repeat, ..Data::default() };
    if let Some(error) = &mut envelope.error {
        error.message = None;
    }
    let mut out = Vec::new();
    write_json(&envelope, &mut out);
    Some(out)
}

/// Reads the value of a reply; `None` where it is none of ours.
///
/// What a foreign replier says beyond the outcome is taken where it is understood.
pub(crate) fn parse(value: &[u8]) -> Option<Reply> {
    let text = str::from_utf8(value).ok()?;
    let Object(envelope): Object<Envelope<'_>> = serde_json::from_str(text).ok()?;
    if &*envelope.target != TARGET {
        return None;
    }
    let (code, detail) = envelope.error.map_or((None, None), Failure::read);
    let outcome = Outcome {
        status: envelope.status.parse().ok()?,
        code,
        detail,
        standing: envelope.data.standing(),
        repeat: envelope.data.repeat,
    };
    let shop: Option<ShopId> = envelope.key.and_then(|key| key.parse().ok());
    let request_position = envelope.request_offset.map(Position);
    Some(Reply { id: RequestId(uuid(&envelope.id)?), shop, outcome, request_position })
}

impl Data<'_> {
    fn of(outcome: &Outcome) -> Self {
        let standing = outcome.standing.as_ref();
        Self {
            before: standing.and_then(|standing| standing.before).map(|b| b.metres().into()),
            after: standing.map(|standing| standing.after.metres().into()),
            decided_by: standing.map(|standing| WireDecidedBy::of(standing.decided_by)),
            version: standing.map(|standing| standing.version),
            repeat: outcome.repeat,
        }
    }

    /// How the request left its shop, where that is said in full.
    fn standing(&self) -> Option<Standing> {
        Some(Standing {
            before: self.before.and_then(|metres| Radius::try_from(metres).ok()),
            after: Radius::try_from(self.after?).ok()?,
            decided_by: self.decided_by.as_ref()?.read()?,
            version: self.version?,
        })
    }
}

impl<'a> Failure<'a> {
    fn of(outcome: &'a Outcome) -> Option<Self> {
        let message = outcome.message()?;
        Some(Self {
            code: outcome.code.map(|code| code.as_str().into()),
            message: Some(message.into()),
            retryable: outcome.code.is_some_and(Code::is_retryable),
        })
    }

    /// The code, where it is one of ours, and what the message says beyond it.
    fn read(self) -> (Option<Code>, Option<Box<str>>) {
        let code: Option<Code> = self.code.and_then(|code| code.parse().ok());
        let message =
            self.message.filter(|message| code.is_none_or(|code| code.message() != &**message));
        (code, message.map(|message| (*message).into()))
    }
}

#[cfg(test)]
mod tests;
