//! Durations in the notation of people: numbers with units, such as `5m`, `1h30m` or `250ms`.

use std::time::Duration;

use thiserror::Error;

/// The longest duration: long enough for any campaign, and safe to add to a date.
const MAX: Duration = Duration::from_hours(366 * 24);

const UNITS: [(&str, u64); 5] =
    [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// Reads one or more whole numbers, each with its unit: `ms`, `s`, `m`, `h` or `d`.
///
/// # Errors
///
/// When the text is not a duration, is zero, or is longer than 366 days.
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(DurationError::Unreadable);
    }
    let mut millis: u64 = 0;
    while !rest.is_empty() {
        let (number, after) = split(rest, |c| c.is_ascii_digit());
        let (unit, after) = split(after.trim_start(), |c| c.is_ascii_alphabetic());
        let unit = UNITS.iter().find(|(name, _)| *name == unit);
        let (false, Some((_, length))) = (number.is_empty(), unit) else {
            return Err(DurationError::Unreadable);
        };
        let number: u64 = number.parse().map_err(|_| DurationError::TooLong)?;
        millis = number
            .checked_mul(*length)
            .and_then(|part| millis.checked_add(part))
            .ok_or(DurationError::TooLong)?;
        rest = after.trim_start();
    }
    match Duration::from_millis(millis) {
        Duration::ZERO => Err(DurationError::Zero),
        duration if MAX < duration => Err(DurationError::TooLong),
        duration => Ok(duration),
    }
}

fn split(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !belongs(c)).unwrap_or(text.len()))
}

/// Writes a duration for people: `5 m`, `1 h 30 m`, `2.5 s`.
#[must_use]
pub fn show(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds < 60 {
        let text = format!("{:.1}", duration.as_secs_f64());
        return format!("{} s", text.strip_suffix(".0").unwrap_or(&text));
    }
    let parts = [
        (seconds / 86_400, "d"),
        (seconds % 86_400 / 3_600, "h"),
        (seconds % 3_600 / 60, "m"),
        (seconds % 60, "s"),
    ];
    let parts = parts.iter().filter(|(count, _)| 0 < *count);
    parts.map(|(count, unit)| format!("{count} {unit}")).collect::<Vec<_>>().join(" ")
}

/// Why a text is not a duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DurationError {
    /// The text does not consist of numbers and units.
    #[error("expected a duration such as `5m`, `90s` or `1h30m`")]
    Unreadable,
    /// The duration is zero.
    #[error("a duration cannot be zero")]
    Zero,
    /// The duration is longer than 366 days.
    #[error("a duration is at most 366 days")]
    TooLong,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_carry_their_units() {
        for (text, expected) in [
            ("5m", Ok(300_000)),
            ("1h30m", Ok(5_400_000)),
            ("1h 30m", Ok(5_400_000)),
            ("250ms", Ok(250)),
            ("90 s", Ok(90_000)),
            ("2d", Ok(172_800_000)),
            ("5", Err(DurationError::Unreadable)),
            ("m", Err(DurationError::Unreadable)),
            ("-5m", Err(DurationError::Unreadable)),
            ("1.5h", Err(DurationError::Unreadable)),
            ("5 parsecs", Err(DurationError::Unreadable)),
            ("", Err(DurationError::Unreadable)),
            ("분", Err(DurationError::Unreadable)),
            ("0m", Err(DurationError::Zero)),
            ("367d", Err(DurationError::TooLong)),
            ("99999999999999999999d", Err(DurationError::TooLong)),
            ("18446744073709551615d", Err(DurationError::TooLong)),
        ] {
            assert_eq!(parse(text), expected.map(Duration::from_millis), "{text}");
        }
    }

    #[test]
    fn durations_are_shown_short() {
        for (millis, text) in [
            (250, "0.2 s"),
            (2_500, "2.5 s"),
            (2_000, "2 s"),
            (300_000, "5 m"),
            (5_400_000, "1 h 30 m"),
            (86_401_000, "1 d 1 s"),
        ] {
            assert_eq!(show(Duration::from_millis(millis)), text);
        }
    }
}
