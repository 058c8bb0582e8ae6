//! Checks that timeouts fit each other, so that no timeout makes another useless.

use std::time::Duration;

use super::{Settings, SettingsError};
use crate::duration::show;

/// Checks that
///
/// 1. a consumer that drains still owns its lanes,
/// 2. librdkafka accepts the two intervals of a group's member,
/// 3. a frozen consumer's transaction is over when another consumer takes its lane,
/// 4. a consumer that waits for a lock is not taken for dead.
pub(super) fn check(settings: &Settings) -> Result<(), SettingsError> {
    let Settings { database, kafka, drain, .. } = settings;
    let session = ("kafka.session_timeout", kafka.session_timeout);
    let max_poll = ("max.poll.interval.ms", kafka.max_poll_interval()?);
    let idle = database.idle_in_transaction_session_timeout;
    below(("shutdown.drain", *drain), session)?;
    not_above(session, max_poll)?;
    below(("database.idle_in_transaction_session_timeout", idle), session)?;
    below(("database.lock_timeout", database.lock_timeout), session)
}

/// A setting's key and value.
type Span = (&'static str, Duration);

fn below(lower: Span, upper: Span) -> Result<(), SettingsError> {
    if lower.1 < upper.1 { Ok(()) } else { Err(refusal(lower, "below", upper)) }
}

fn not_above(lower: Span, upper: Span) -> Result<(), SettingsError> {
    if lower.1 <= upper.1 { Ok(()) } else { Err(refusal(lower, "at most", upper)) }
}

fn refusal((key, value): Span, relation: &str, (limit, bound): Span) -> SettingsError {
    let (value, bound) = (show(value), show(bound));
    SettingsError(format!("`{key}` is {value}: it must be {relation} `{limit}`, which is {bound}"))
}
