//! Transactions that others are in the way of.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use catchment_domain::ports::{CommandError, StoreError};
use sea_orm::DbErr;
use thiserror::Error;

use crate::error::{Failure, InTheWay};

/// How often a transaction is tried before its caller is told what is in its way.
const ATTEMPTS: u32 = 4;

/// Runs a whole transaction, and again a few times while others are in its way: those that
/// write the same rows, in any order. It was rolled back then, so nothing happens twice.
///
/// Rows that stayed locked for the whole `lock_timeout` are reported at once. A service tries again
/// by itself, and must name what holds it up, give a lane away or end in the meantime.
pub(crate) async fn while_busy<T, E, F>(attempt: impl FnMut() -> F) -> Result<T, E>
where
    E: MayBeBusy,
    F: Future<Output = Result<T, E>>,
{
    while_in_the_way(attempt, Failure::is_of_a_moment).await
}

/// As [`while_busy`], and also while rows stay locked: for commands, which end with what they are
/// told, and so wait until a frozen process is evicted.
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

/// A pause that grows, and is another one for each who waits.
fn pause(attempt: u32) -> Duration {
    let jitter = RandomState::new().hash_one(attempt) % 20;
    Duration::from_millis(u64::from(attempt) * 10 + jitter)
}

/// An error that may say that others are in the way.
pub(crate) trait MayBeBusy {
    /// What is in the way, and may be gone later.
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
            Self::Fenced | Self::BadData { .. } | Self::Refused { .. } | Self::Older(_) => None,
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

/// Rows that a transaction read were changed by another program before it wrote them. Nothing of
/// ours does that: who writes them holds the row that stands for them.
#[derive(Debug, Error)]
#[error("another program changed rows of {0} between our reading and writing them")]
pub(crate) struct ChangedMeanwhile(pub(crate) &'static str);

/// Fails where not as many rows were written as were to be.
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
