//! Repeats transactions that met other transactions.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use catchment_domain::ports::{CommandError, StoreError};
use sea_orm::DbErr;
use thiserror::Error;

use crate::error::{Failure, InTheWay};

/// How often a transaction is tried before its caller gets the error.
const ATTEMPTS: u32 = 4;

/// Runs a whole transaction, and repeats it a few times while other transactions write the same
/// rows. Each failed attempt was rolled back, so nothing happens twice.
///
/// Rows that stayed locked for the whole `lock_timeout` are reported at once. A service tries again
/// by itself, and must be able to name the cause, give a lane away or end in the meantime.
pub(crate) async fn while_busy<T, E, F>(attempt: impl FnMut() -> F) -> Result<T, E>
where
    E: MayBeBusy,
    F: Future<Output = Result<T, E>>,
{
    while_in_the_way(attempt, Failure::is_of_a_moment).await
}

/// Does the same as [`while_busy`], but also repeats the transaction while rows stay locked. This
/// is for commands, which end with the error, and so wait until a frozen process is evicted.
pub(crate) async fn while_busy_or_locked<T, E, F>(attempt: impl FnMut() -> F) -> Result<T, E>
where
    E: MayBeBusy,
    F: Future<Output = Result<T, E>>,
{
    while_in_the_way(attempt, |failure| failure.is_of_a_moment() || failure == Failure::Locked)
        .await
}

async fn while_in_the_way<T, E, F>(
    mut attempt: impl FnMut() -> F,
    is_tried_again: impl Fn(Failure) -> bool,
) -> Result<T, E>
where
    E: MayBeBusy,
    F: Future<Output = Result<T, E>>,
{
    let mut number = 1;
    loop {
        match attempt().await {
            Err(error) if number < ATTEMPTS && error.in_the_way().is_some_and(&is_tried_again) => {
                tokio::time::sleep(pause(number)).await;
                number += 1;
            }
            result => return result,
        }
    }
}

/// Returns a pause that grows with each attempt, and differs between waiting transactions.
fn pause(attempt: u32) -> Duration {
    let jitter = RandomState::new().hash_one(attempt) % 20;
    Duration::from_millis(u64::from(attempt) * 10 + jitter)
}

/// An error that may say that another transaction was in the way.
pub(crate) trait MayBeBusy {
    /// Returns the failure that may be gone later.
    fn in_the_way(&self) -> Option<Failure>;
}

impl MayBeBusy for DbErr {
    fn in_the_way(&self) -> Option<Failure> {
        Some(Failure::of(self))
    }
}

impl MayBeBusy for StoreError {
    fn in_the_way(&self) -> Option<Failure> {
        match self {
            Self::Unavailable(source) if source.is::<ChangedMeanwhile>() => Some(Failure::Busy),
            Self::Unavailable(source) => {
                source.downcast_ref().and_then(|it: &InTheWay| it.source.in_the_way())
            }
            Self::Fenced
            | Self::BadData { .. }
            | Self::Refused { .. }
            | Self::Older(_)
            | Self::OtherLanes(_) => None,
        }
    }
}

impl MayBeBusy for CommandError {
    fn in_the_way(&self) -> Option<Failure> {
        match self {
            Self::Store(error) => error.in_the_way(),
            Self::Campaign(_) => None,
        }
    }
}

/// Another program changed rows between our reading and our writing. Our own transactions never do
/// that: each holds the row that locks the others.
#[derive(Debug, Error)]
#[error("another program changed rows of {0} between our reading and writing them")]
pub(crate) struct ChangedMeanwhile(pub(crate) &'static str);

/// Fails if fewer or more rows were written than wanted.
pub(crate) fn check_written(
    table: &'static str,
    written: u64,
    wanted: usize,
) -> Result<(), StoreError> {
    if written == wanted as u64 {
        return Ok(());
    }
    Err(StoreError::Unavailable(ChangedMeanwhile(table).into()))
}
