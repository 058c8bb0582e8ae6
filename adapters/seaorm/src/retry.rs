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
pub(crate) async fn while_busy<T, E, F>(mut attempt: impl FnMut() -> F) -> Result<T, E>
where
    E: MayBeBusy,
    F: Future<Output = Result<T, E>>,
{
    let mut number = 1;
    loop {
        match attempt().await {
            Err(error) if number < ATTEMPTS && error.is_busy() => {
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
    /// Whether another attempt may succeed at once.
    fn is_busy(&self) -> bool;
}

impl MayBeBusy for DbErr {
    fn is_busy(&self) -> bool {
        matches!(Failure::of(self), Failure::Busy | Failure::Locked | Failure::Duplicate)
    }
}

impl MayBeBusy for StoreError {
    fn is_busy(&self) -> bool {
        match self {
            Self::Unavailable(source) => {
                source.is::<ChangedMeanwhile>()
                    || source.downcast_ref().is_some_and(|it: &InTheWay| it.source.is_busy())
            }
            Self::Fenced | Self::BadData { .. } | Self::Refused { .. } => false,
        }
    }
}

impl MayBeBusy for CommandError {
    fn is_busy(&self) -> bool {
        match self {
            Self::Store(error) => error.is_busy(),
            Self::Campaign(_) => false,
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
