//! Limits, instants and durations as programs read and write them.

use std::time::Duration;

use catchment_application::InvalidField;
use catchment_domain::{self as domain, LimitError, OpenRadius, Percent, Radius, Timestamp};
use chrono::{DateTime, SecondsFormat};
use serde::{Deserialize, Serialize};

/// How far a shop delivers at most: `{"metres":3000}`, `{"percent":50}` or `"closed"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Limit {
    /// This many metres.
    Metres {
        /// The metres.
        metres: u32,
    },
    /// This part of the base radius.
    Percent {
        /// The percentage.
        percent: u8,
    },
    /// Not at all.
    Closed(Closed),
}

/// The word `closed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Closed {
    /// The shop takes no orders.
    Closed,
}

impl From<domain::Limit> for Limit {
    fn from(limit: domain::Limit) -> Self {
        match limit {
            domain::Limit::Closed => Self::Closed(Closed::Closed),
            domain::Limit::Metres(metres) => Self::Metres { metres: metres.radius().metres() },
            domain::Limit::Percent(percent) => Self::Percent { percent: percent.get() },
        }
    }
}

impl TryFrom<Limit> for domain::Limit {
    type Error = InvalidField;

    fn try_from(limit: Limit) -> Result<Self, InvalidField> {
        let limit = match limit {
            Limit::Closed(Closed::Closed) => Ok(Self::Closed),
            Limit::Metres { metres } => Radius::try_from(metres)
                .map_err(LimitError::Radius)
                .and_then(OpenRadius::try_from)
                .map(Self::Metres),
            Limit::Percent { percent } => Percent::try_from(u64::from(percent)).map(Self::Percent),
        };
        limit.map_err(|error| InvalidField::new("limit", error.to_string()))
    }
}

/// Returns an instant in RFC 3339, in UTC. An instant that RFC 3339 cannot say becomes the first or
/// the last that it can.
#[must_use]
pub fn instant(timestamp: Timestamp) -> String {
    const FIRST: i64 = -62_167_219_200_000;
    const LAST: i64 = 253_402_300_799_999;
    let time = DateTime::from_timestamp_millis(timestamp.millis().clamp(FIRST, LAST));
    time.unwrap_or_default().to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// Returns a duration in seconds, to the millisecond.
#[must_use]
pub fn seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1_000.0).round() / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_those_of_the_wire() {
        let limits = ["3km", "50%", "closed"]
            .map(|text| Limit::from(text.parse::<domain::Limit>().unwrap()));
        insta::assert_json_snapshot!(limits, @r#"
        [
          {
            "metres": 3000
          },
          {
            "percent": 50
          },
          "closed"
        ]
        "#);
        assert_eq!(instant(Timestamp::from_millis(1_795_309_200_000)), "2026-11-22T01:00:00Z");
        assert_eq!(instant(Timestamp::from_millis(i64::MAX)), "9999-12-31T23:59:59.999Z");
        assert_eq!(seconds(Duration::from_micros(1_500)).to_string(), "0.002");
    }
}
