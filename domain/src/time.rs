//! Instants as the rules see them: plain numbers that come in from outside.

use std::time::Duration;

/// How long it may take until everything is at work again after a command. A deadline that passes by
/// then would pass before the shops are asked.
pub(crate) const UNTIL_AT_WORK: Duration = Duration::from_mins(1);

/// An instant: milliseconds since 1970-01-01T00:00:00Z by the database's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Before everything.
    pub const MIN: Self = Self(i64::MIN);

    /// The instant so many milliseconds after 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// This instant and `duration` more; the latest one there is at the end of time.
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// How long after `earlier` this is; zero when it is not after it.
    #[must_use]
    pub fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or_default())
    }
}

/// The last instant at which a request may still be applied for the first time
/// (Hohpe and Woolf's *Message Expiration*).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Deadline(Timestamp);

impl Deadline {
    /// Before every other deadline.
    pub const MIN: Self = Self(Timestamp::MIN);
    /// The latest deadline of a campaign, 9999-12-31T23:59:59.999Z. A later deadline cannot be
    /// written in RFC 3339, which has four digits for the year, so it would not come back as it was
    /// stored.
    pub const LAST: Self = Self(Timestamp(253_402_300_799_999));

    /// The deadline at this instant.
    #[must_use]
    pub const fn at(instant: Timestamp) -> Self {
        Self(instant)
    }

    /// The deadline of an attempt that begins now: above `mark`, the highest deadline that any
    /// lane treated as passed, so that a clock that stepped back does not make it late from the
    /// start. Never behind [`Deadline::LAST`].
    #[must_use]
    pub fn of_attempt(now: Timestamp, mark: Self, timeout: Duration) -> Self {
        let timeout = timeout.max(Duration::from_millis(1));
        Self(now.max(mark.0).saturating_add(timeout)).min(Self::LAST)
    }

    /// The instant of this deadline.
    #[must_use]
    pub const fn instant(self) -> Timestamp {
        self.0
    }

    /// Whether `now` lies behind this deadline.
    #[must_use]
    pub fn is_passed(self, now: Timestamp) -> bool {
        self.0 < now
    }
}
