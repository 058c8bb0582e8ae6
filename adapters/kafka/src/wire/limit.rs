//! Limits as they travel: `{"metres":3000}`, `{"percent":50}` or `"closed"`.

use std::fmt;

use catchment_domain::{Limit, LimitError, OpenRadius, Percent, Radius};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde::{Deserialize as Derive, Serialize, Serializer};

/// A limit of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WireLimit(pub(super) Limit);

/// A limit that is not closed: one of both.
#[derive(Derive, Serialize)]
struct Bound {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    metres: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    percent: Option<u64>,
}

impl Bound {
    fn limit(&self) -> Result<Limit, LimitError> {
        match (self.metres, self.percent) {
            (Some(metres), None) => {
                let radius = Radius::try_from(metres).map_err(LimitError::Radius)?;
                Ok(Limit::Metres(OpenRadius::try_from(radius)?))
            }
            (None, Some(percent)) => Ok(Limit::Percent(Percent::try_from(percent)?)),
            (Some(_), Some(_)) | (None, None) => Err(LimitError::Unreadable),
        }
    }
}

impl Serialize for WireLimit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let bound = match self.0 {
            Limit::Closed => return serializer.serialize_str("closed"),
            Limit::Metres(metres) => {
                Bound { metres: Some(metres.radius().metres().into()), percent: None }
            }
            Limit::Percent(percent) => Bound { metres: None, percent: Some(percent.get().into()) },
        };
        bound.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for WireLimit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LimitVisitor)
    }
}

struct LimitVisitor;

impl<'de> Visitor<'de> for LimitVisitor {
    type Value = WireLimit;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(r#"a limit: `{"metres":3000}`, `{"percent":50}` or `"closed"`"#)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<WireLimit, E> {
        if text == "closed" {
            return Ok(WireLimit(Limit::Closed));
        }
        Err(E::invalid_value(serde::de::Unexpected::Str(text), &self))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<WireLimit, A::Error> {
        let bound = Bound::deserialize(MapAccessDeserializer::new(map))?;
        match bound.limit() {
            Ok(limit) => Ok(WireLimit(limit)),
            Err(LimitError::Unreadable) => {
                Err(A::Error::invalid_value(serde::de::Unexpected::Map, &self))
            }
            Err(error) => Err(A::Error::custom(error)),
        }
    }
}

#[cfg(test)]
impl schemars::JsonSchema for WireLimit {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Limit".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "How far a shop delivers at most.",
            "oneOf": [
                { "const": "closed" },
                {
                    "type": "object",
                    "properties": {
                        "metres": { "type": "integer", "minimum": 1, "maximum": Radius::MAX.metres() },
                        "percent": false,
                    },
                    "required": ["metres"],
                },
                {
                    "type": "object",
                    "properties": {
                        "percent": { "type": "integer", "minimum": 1, "maximum": 100 },
                        "metres": false,
                    },
                    "required": ["percent"],
                },
            ],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_and_refused_as_documented() {
        for (json, limit) in [
            (r#"{"metres":3000}"#, "3km"),
            (r#"{"unit":"m","metres":1,"note":null}"#, "1m"),
            (r#"{"percent":50}"#, "50%"),
            (r#""closed""#, "closed"),
            (r#""clos\u0065d""#, "closed"),
        ] {
            let read: WireLimit = serde_json::from_str(json).unwrap();
            assert_eq!(read.0, limit.parse().unwrap(), "{json}");
        }
        for (json, part) in [
            (r#"{"metres":0}"#, "say `closed`"),
            (r#"{"percent":0}"#, "say `closed`"),
            (r#"{"percent":101}"#, "at most 100%"),
            (r#"{"metres":100001}"#, "at most 100000 m"),
            (r#"{"metres":18446744073709551615}"#, "at most 100000 m"),
            (r#"{"metres":99999999999999999999}"#, "expected u64"),
            (r#"{"metres":-1}"#, "expected u64"),
            (r#"{"metres":1.5}"#, "expected u64"),
            (r#"{"metres":"3000"}"#, "expected u64"),
            (r#"{"metres":1,"metres":2}"#, "duplicate field `metres`"),
            (r#"{"metres":1,"percent":2}"#, "expected a limit"),
            ("{}", "expected a limit"),
            (r#""3km""#, "expected a limit"),
            ("3000", "expected a limit"),
            ("[]", "expected a limit"),
        ] {
            let error = serde_json::from_str::<WireLimit>(json).unwrap_err().to_string();
            assert!(error.contains(part), "{json}: {error}");
        }
    }
}
