//! An interrupt ends a measurement, and what it has made is removed.

use thiserror::Error;
use tokio::signal::ctrl_c;
use tokio::signal::unix::{SignalKind, signal};

/// The user has interrupted this program.
#[derive(Clone, Copy, Debug, Error)]
#[error("interrupted")]
pub(crate) struct Interrupted;

/// Does the work unless this program is interrupted or told to end.
///
/// # Errors
///
/// When the work fails, or [`Interrupted`].
pub(crate) async fn unless_interrupted<T>(
    work: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<T> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        done = work => done,
        _ = ctrl_c() => Err(Interrupted.into()),
        _ = terminate.recv() => Err(Interrupted.into()),
    }
}
