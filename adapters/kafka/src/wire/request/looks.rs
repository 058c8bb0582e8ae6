//! Recognises values that are not JSON objects, so that their sender knows what to change.

use std::borrow::Cow;

/// The first bytes of values that clients often send in the place of JSON in UTF-8, and a message
/// for each.
const BEGINNINGS: [(&[u8], &str); 5] = [
    (b"\xef\xbb\xbf", "the value begins with a byte order mark: send JSON without one"),
    (b"\xff\xfe", "the value looks like UTF-16: send JSON in UTF-8"),
    (b"\xfe\xff", "the value looks like UTF-16: send JSON in UTF-8"),
    (b"\x1f\x8b", "the value is compressed with gzip: let the producer compress"),
    (b"\xac\xed\x00\x05", "the value is a serialized Java object: send JSON"),
];

/// The beginning `{"` of a JSON object, encoded in base64.
const BASE64_OBJECT: &str = "eyJ";

/// A serializer of a schema registry puts this many bytes before the message: 0, and the id of the
/// schema.
const REGISTRY: usize = 5;

/// Returns a message for the sender if the value looks like something known.
pub(super) fn like(value: &[u8]) -> Option<Cow<'static, str>> {
    if value.is_empty() {
        return Some("the value is empty: a request is a JSON object".into());
    }
    if let Some(([0, id @ ..], _)) = value.split_first_chunk::<REGISTRY>() {
        let id = u32::from_be_bytes(*id);
        let message = format!(
            "the value begins as serializers of a schema registry write it (a byte 0, then the \
             schema's id {id}): send plain JSON"
        );
        return Some(message.into());
    }
    let known = BEGINNINGS.iter().find(|(beginning, _)| value.starts_with(beginning));
    known.map(|(_, message)| Cow::Borrowed(*message)).or_else(|| text(value).map(Cow::Borrowed))
}

/// Returns a message if the value is a JSON text that itself holds a serialized request.
fn text(value: &[u8]) -> Option<&'static str> {
    let text: String = serde_json::from_slice(value).ok()?;
    let text = text.trim_start();
    if text.starts_with('{') {
        Some("the value is a text that holds JSON: it was serialized twice")
    } else if text.starts_with(BASE64_OBJECT) {
        Some("the value is a text in base64: send JSON as bytes or as text")
    } else {
        None
    }
}
