//! Instants as they travel: RFC 3339, to the millisecond.

use catchment_domain::{Deadline, Timestamp};
use chrono::{DateTime, NaiveDateTime, SecondsFormat};

/// RFC 3339 has four digits for the year.
const FIRST: i64 = -62_167_219_200_000;
const LAST: i64 = 253_402_300_799_999;

/// The deadline of a request that names none: it never passes.
pub(super) const NEVER: Deadline = Deadline::at(Timestamp::from_millis(i64::MAX));

/// An instant as RFC 3339; one that it cannot say is the first or the last that it can.
pub(crate) fn written(instant: Timestamp) -> String {
    let millis = instant.millis().clamp(FIRST, LAST);
    let time = DateTime::from_timestamp_millis(millis).unwrap_or_default();
    time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// A deadline as RFC 3339; `None` where it lies behind every instant that this can say.
pub(super) fn written_deadline(deadline: Deadline) -> Option<String> {
    let instant = deadline.instant();
    (instant.millis() <= LAST).then(|| written(instant))
}

/// Reads RFC 3339, which has a zone.
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    let time = DateTime::parse_from_rfc3339(text).ok()?;
    Some(Timestamp::from_millis(time.timestamp_millis()))
}

/// Whether a text is a time, with or without a zone.
pub(super) fn is_time(text: &str) -> bool {
    parse(text).is_some() || text.parse::<NaiveDateTime>().is_ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn instants_are_read_as_rfc_3339() {
        for (text, millis) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("1969-12-31T23:59:59.999Z", Some(-1)),
            ("2026-11-22T10:00:00+09:00", Some(1_795_309_200_000)),
            ("2026-11-22T01:00:00.123456789Z", Some(1_795_309_200_123)),
            ("2026-11-22T10:00:00", None),
            ("2026-11-22", None),
            ("1795309200000", None),
            ("", None),
        ] {
            assert_eq!(parse(text).map(Timestamp::millis), millis, "{text}");
        }
    }

    #[test]
    fn a_time_without_zone_is_a_time() {
        for text in ["2026-11-22T10:00:00", "2026-11-22T10:00:00.123456789", "2026-11-22T10:00:00Z"]
        {
            assert!(is_time(text), "{text}");
        }
        for text in ["2026-11-22", "10:00", "now", ""] {
            assert!(!is_time(text), "{text}");
        }
    }

    #[test]
    fn what_rfc_3339_cannot_say_is_bounded() {
        let at = Timestamp::from_millis;
        assert_eq!(written(at(i64::MIN)), "0000-01-01T00:00:00Z");
        assert_eq!(written(at(i64::MAX)), "9999-12-31T23:59:59.999Z");
        assert_eq!(written_deadline(NEVER), None);
        assert_eq!(written_deadline(Deadline::at(at(LAST + 1))), None);
        assert!(written_deadline(Deadline::at(at(LAST))).is_some());
    }

    proptest! {
        #[test]
        fn prop_instants_are_read_as_written(millis in FIRST..=LAST) {
            let instant = Timestamp::from_millis(millis);
            prop_assert_eq!(parse(&written(instant)), Some(instant));
        }
    }
}
