//! Distances: how far a shop delivers, and what may limit it.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// How far from its shop an order is accepted, in whole metres.
///
/// Always between [`Radius::CLOSED`] and [`Radius::MAX`].
///
/// ```
/// use catchment_domain::Radius;
/// assert_eq!("1.5km".parse(), Radius::try_from(1500));
/// assert!(Radius::try_from(1_000_000_000_000_u64).is_err());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Radius(u32);

impl Radius {
    /// No order is accepted.
    pub const CLOSED: Self = Self(0);
    /// The widest radius there is: 100 km.
    pub const MAX: Self = Self(100_000);

    /// The radius in metres.
    #[must_use]
    pub const fn metres(self) -> u32 {
        self.0
    }
}

impl TryFrom<u64> for Radius {
    type Error = RadiusError;

    fn try_from(metres: u64) -> Result<Self, RadiusError> {
        match u32::try_from(metres) {
            Ok(metres) if metres <= Self::MAX.0 => Ok(Self(metres)),
            _ => Err(RadiusError::TooWide),
        }
    }
}

impl TryFrom<u32> for Radius {
    type Error = RadiusError;

    fn try_from(metres: u32) -> Result<Self, RadiusError> {
        Self::try_from(u64::from(metres))
    }
}

impl TryFrom<i32> for Radius {
    type Error = RadiusError;

    fn try_from(metres: i32) -> Result<Self, RadiusError> {
        Self::try_from(u64::try_from(metres).map_err(|_| RadiusError::Negative)?)
    }
}

/// Reads `3km`, `1.5 km`, `1500m`, or bare whole metres.
impl FromStr for Radius {
    type Err = RadiusError;

    fn from_str(text: &str) -> Result<Self, RadiusError> {
        let text = text.trim();
        if text.starts_with('-') {
            return Err(RadiusError::Negative);
        }
        let (number, decimals) = if let Some(kilometres) = text.strip_suffix("km") {
            (kilometres.trim_end(), 3)
        } else {
            (text.strip_suffix('m').unwrap_or(text).trim_end(), 0)
        };
        Self::try_from(fixed_point(number, decimals).ok_or(RadiusError::Unreadable)?)
    }
}

/// Reads `whole[.fraction]` as a whole number of `10^-decimals`.
fn fixed_point(text: &str, decimals: usize) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || decimals < fraction.len() || !digits(whole) || !digits(fraction) {
        return None;
    }
    // A number too long to be held is still a number, only far too wide.
    Some(format!("{whole}{fraction:0<decimals$}").parse().unwrap_or(u64::MAX))
}

/// Writes `closed`, `3 km`, `1.5 km` or `750 m`.
impl fmt::Display for Radius {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.pad("closed"),
            metres if metres < 1_000 => f.pad(&format!("{metres} m")),
            metres if metres % 1_000 == 0 => f.pad(&format!("{} km", metres / 1_000)),
            metres => {
                let text = format!("{}.{:03}", metres / 1_000, metres % 1_000);
                f.pad(&format!("{} km", text.trim_end_matches('0')))
            }
        }
    }
}

/// Why a text or number is no radius.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RadiusError {
    /// It is below zero.
    #[error("a radius cannot be negative")]
    Negative,
    /// It is above [`Radius::MAX`].
    #[error("a radius is at most {} m", Radius::MAX.0)]
    TooWide,
    /// It is no distance.
    #[error("expected a distance such as `3km` or `1500m`")]
    Unreadable,
}

/// A radius that is not closed: at least 1 m.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OpenRadius(Radius);

impl OpenRadius {
    /// The radius itself.
    #[must_use]
    pub const fn radius(self) -> Radius {
        self.0
    }
}

impl TryFrom<Radius> for OpenRadius {
    type Error = LimitError;

    fn try_from(radius: Radius) -> Result<Self, LimitError> {
        if radius == Radius::CLOSED { Err(LimitError::Zero) } else { Ok(Self(radius)) }
    }
}

/// A share of the base radius, from 1 to 100 per cent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Percent(u8);

impl Percent {
    /// The share in per cent.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }

    /// This share of `base`, rounded down to whole metres.
    #[must_use]
    pub fn of(self, base: Radius) -> Radius {
        // INVARIANT: MAX x 100 fits in 32 bits, and a share of a radius is no wider than it.
        Radius(base.0 * u32::from(self.0) / 100)
    }
}

impl TryFrom<u64> for Percent {
    type Error = LimitError;

    fn try_from(percent: u64) -> Result<Self, LimitError> {
        match u8::try_from(percent) {
            Ok(0) => Err(LimitError::Zero),
            Ok(percent) if percent <= 100 => Ok(Self(percent)),
            _ => Err(LimitError::AboveHundred),
        }
    }
}

/// How far a cause lets a shop deliver at most.
///
/// ```
/// use catchment_domain::Limit;
/// assert_eq!("closed".parse(), Ok(Limit::Closed));
/// assert!("0m".parse::<Limit>().unwrap_err().to_string().contains("closed"));
/// assert!("150%".parse::<Limit>().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Limit {
    /// Not at all, whatever the floor says.
    Closed,
    /// So many metres.
    Metres(OpenRadius),
    /// A share of the shop's base radius.
    Percent(Percent),
}

impl Limit {
    /// The radius that this limit asks for at a shop, before floor and base bound it.
    #[must_use]
    pub fn of(self, base: Radius) -> Radius {
        match self {
            Self::Closed => Radius::CLOSED,
            Self::Metres(metres) => metres.radius(),
            Self::Percent(percent) => percent.of(base),
        }
    }
}

/// Reads `closed`, `50%`, or a distance as [`Radius`] does.
impl FromStr for Limit {
    type Err = LimitError;

    fn from_str(text: &str) -> Result<Self, LimitError> {
        let text = text.trim();
        if text == "closed" {
            return Ok(Self::Closed);
        }
        if let Some(percent) = text.strip_suffix('%') {
            let percent = fixed_point(percent.trim_end(), 0).ok_or(LimitError::Unreadable)?;
            return Ok(Self::Percent(percent.try_into()?));
        }
        let radius: Radius = text.parse().map_err(|error| match error {
            RadiusError::Unreadable => LimitError::Unreadable,
            error => LimitError::Radius(error),
        })?;
        Ok(Self::Metres(radius.try_into()?))
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.pad("closed"),
            Self::Metres(metres) => metres.0.fmt(f),
            Self::Percent(percent) => f.pad(&format!("{} %", percent.0)),
        }
    }
}

/// Why a text is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum LimitError {
    /// It is zero, which could be meant or be a slip.
    #[error("a limit of zero is refused: say `closed`")]
    Zero,
    /// A limit only narrows, so no share is above the whole.
    #[error("a limit is at most 100%")]
    AboveHundred,
    /// The distance is no radius.
    #[error(transparent)]
    Radius(RadiusError),
    /// It is neither a distance, a share nor `closed`.
    #[error("expected a limit such as `3km`, `1500m`, `50%` or `closed`")]
    Unreadable,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_and_refused_as_documented() {
        let metres = |metres: u32| Ok(Limit::Metres(OpenRadius(Radius(metres))));
        let cases: &[(&str, Result<Limit, LimitError>)] = &[
            ("3km", metres(3000)),
            ("1.5km", metres(1500)),
            ("1.5 km", metres(1500)),
            ("0.001km", metres(1)),
            ("1500m", metres(1500)),
            (" 750 ", metres(750)),
            ("100km", metres(100_000)),
            ("closed", Ok(Limit::Closed)),
            ("50%", Ok(Limit::Percent(Percent(50)))),
            ("100 %", Ok(Limit::Percent(Percent(100)))),
            ("0m", Err(LimitError::Zero)),
            ("0.000km", Err(LimitError::Zero)),
            ("0%", Err(LimitError::Zero)),
            ("150%", Err(LimitError::AboveHundred)),
            ("99999999999999999999999%", Err(LimitError::AboveHundred)),
            ("100.001km", Err(LimitError::Radius(RadiusError::TooWide))),
            ("1000000000000", Err(LimitError::Radius(RadiusError::TooWide))),
            ("-1", Err(LimitError::Radius(RadiusError::Negative))),
            ("1.0005km", Err(LimitError::Unreadable)),
            ("1.5m", Err(LimitError::Unreadable)),
            ("3 parsecs", Err(LimitError::Unreadable)),
            ("km", Err(LimitError::Unreadable)),
            (".5km", Err(LimitError::Unreadable)),
            ("+5", Err(LimitError::Unreadable)),
            ("NaN", Err(LimitError::Unreadable)),
            ("", Err(LimitError::Unreadable)),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse(), *expected, "{text}");
        }
    }

    #[test]
    fn a_radius_is_written_so_that_it_can_be_read_back() {
        for (metres, text) in
            [(1, "1 m"), (999, "999 m"), (1000, "1 km"), (1500, "1.5 km"), (1001, "1.001 km")]
        {
            assert_eq!(Radius(metres).to_string(), text);
            assert_eq!(text.parse(), Ok(Radius(metres)));
        }
        assert_eq!(Radius::CLOSED.to_string(), "closed");
    }

    #[test]
    fn a_share_is_rounded_down_and_never_overflows() {
        assert_eq!(Percent(50).of(Radius(2001)), Radius(1000));
        assert_eq!(Percent(1).of(Radius(99)), Radius::CLOSED);
        assert_eq!(Percent(100).of(Radius::MAX), Radius::MAX);
    }
}
