//! What decided a radius, as it travels: `"base"`, `{"revision":7,"kind":"bad_weather"}` for a
//! campaign, `{"kind":"manual"}` for a request without one.

use std::fmt;

use catchment_domain::{DecidedBy, Revision, TriggerKind};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde::{Deserialize as Derive, Serialize, Serializer};

use super::super::text::Text;

/// What decided a radius.
#[derive(Debug)]
pub(super) enum WireDecidedBy<'a> {
    /// The base radius.
    Base,
    /// A cause.
    Cause(Cause<'a>),
    /// Something that a foreign replier says.
    Other,
}

/// A cause, by its kind and, of a campaign, its revision.
#[derive(Debug, Derive, Serialize)]
pub(super) struct Cause<'a> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    revision: Option<u64>,
    #[serde(borrow)]
    kind: Text<'a>,
}

impl WireDecidedBy<'_> {
    pub(super) fn of(decided_by: DecidedBy) -> Self {
        let cause = |revision: Option<Revision>, kind: TriggerKind| {
            let kind = Text::from(kind.as_str().to_owned());
            Self::Cause(Cause { revision: revision.map(|revision| revision.0), kind })
        };
        match decided_by {
            DecidedBy::Base => Self::Base,
            DecidedBy::Campaign { revision, kind } => cause(Some(revision), kind),
            DecidedBy::Request { kind } => cause(None, kind),
        }
    }

    pub(super) fn read(&self) -> Option<DecidedBy> {
        let cause = match self {
            Self::Base => return Some(DecidedBy::Base),
            Self::Cause(cause) => cause,
            Self::Other => return None,
        };
        let kind = cause.kind.parse().ok()?;
        Some(match cause.revision {
            Some(revision) => DecidedBy::Campaign { revision: Revision(revision), kind },
            None => DecidedBy::Request { kind },
        })
    }
}

impl Serialize for WireDecidedBy<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Base => serializer.serialize_str("base"),
            Self::Cause(cause) => cause.serialize(serializer),
            Self::Other => serializer.serialize_unit(),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for WireDecidedBy<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DecidedByVisitor)
    }
}

struct DecidedByVisitor;

impl<'de> Visitor<'de> for DecidedByVisitor {
    type Value = WireDecidedBy<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("what decided a radius")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<WireDecidedBy<'de>, E> {
        Ok(if text == "base" { WireDecidedBy::Base } else { WireDecidedBy::Other })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<WireDecidedBy<'de>, A::Error> {
        Cause::deserialize(MapAccessDeserializer::new(map)).map(WireDecidedBy::Cause)
    }
}

#[cfg(test)]
impl schemars::JsonSchema for WireDecidedBy<'_> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "DecidedBy".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "What decided the radius: the base radius, a campaign, or the newest \
                request of a kind without a campaign.",
            "oneOf": [
                { "const": "base" },
                {
                    "type": "object",
                    "properties": {
                        "revision": { "type": "integer", "minimum": 1, "maximum": Revision::MAX.0 },
                        "kind": { "type": "string", "pattern": "^[a-z0-9_]{1,31}$" },
                    },
                    "required": ["kind"],
                },
            ],
        })
    }
}
