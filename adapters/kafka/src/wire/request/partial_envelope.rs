//! What can be made out of a message that is no request.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::super::text::Text;

/// The names in a message, as far as they could be read.
#[derive(Debug, Default)]
pub(super) struct PartialEnvelope<'a> {
    id: Option<Text<'a>>,
    key: Option<Text<'a>>,
    r#type: Option<Text<'a>>,
}

impl<'a> PartialEnvelope<'a> {
    pub(super) fn new(id: Text<'a>, key: Text<'a>, r#type: Text<'a>) -> Self {
        Self { id: Some(id), key: Some(key), r#type: Some(r#type) }
    }

    pub(super) fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    pub(super) fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    pub(super) fn r#type(&self) -> Option<&str> {
        self.r#type.as_deref()
    }
}

/// What the names of a message are, and whether the message is JSON to its end.
pub(super) fn take(text: &str) -> (PartialEnvelope<'_>, bool) {
    let mut envelope = PartialEnvelope::default();
    let mut json = serde_json::Deserializer::from_str(text);
    let complete = Names(&mut envelope).deserialize(&mut json).and_then(|()| json.end()).is_ok();
    (envelope, complete)
}

/// Enters names as they are met, so that those before a mistake are kept.
struct Names<'a, 'de>(&'a mut PartialEnvelope<'de>);

impl<'de> DeserializeSeed<'de> for Names<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Names<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<Text<'de>>()? {
            let place = match &*name {
                "id" => &mut self.0.id,
                "key" => &mut self.0.key,
                "type" => &mut self.0.r#type,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            *place = map.next_value::<Maybe<'de>>()?.text();
        }
        Ok(())
    }
}

/// Text, or anything else, which counts as nothing.
#[derive(Deserialize)]
#[serde(untagged)]
enum Maybe<'a> {
    #[serde(borrow)]
    Text(Text<'a>),
    Other(IgnoredAny),
}

impl<'a> Maybe<'a> {
    fn text(self) -> Option<Text<'a>> {
        match self {
            Self::Text(text) => Some(text),
            Self::Other(IgnoredAny) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, names: [Option<&str>; 3], complete: bool) {
        let (envelope, whole) = take(text);
        assert_eq!([envelope.id(), envelope.key(), envelope.r#type()], names, "{text}");
        assert_eq!(whole, complete, "{text}");
    }

    #[test]
    fn names_are_read_up_to_the_mistake() {
        check(r#"{"id":"a","key":"b","type":"c"}"#, [Some("a"), Some("b"), Some("c")], true);
        check(r#"{"key":"b","data":[1,{"id":2}],"type":"#, [None, Some("b"), None], false);
        check(r#"{"id":"a"} x"#, [Some("a"), None, None], false);
        check(r#"{"id":"a","id":"b"}"#, [Some("b"), None, None], true);
        check("", [None; 3], false);
        check("[]", [None; 3], false);
    }

    #[test]
    fn names_that_are_no_text_count_as_none() {
        for value in ["null", "true", "1", "-1", "1.5", "1e400", "[[]]", r#"{"a":{}}"#] {
            let complete = value != "1e400";
            let text = format!(r#"{{"type":"c","id":{value}}}"#);
            check(&text, [None, None, Some("c")], complete);
        }
    }

    #[test]
    fn escapes_are_undone() {
        check(r#"{"k\u0065y":"\u0061"}"#, [None, Some("a"), None], true);
    }
}
