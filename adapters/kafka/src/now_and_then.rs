//! Log lines that could come by the thousand.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How long one line stands for all that follow.
const EVERY: Duration = Duration::from_mins(1);

/// Lets something be said now, and then again after a while.
#[derive(Debug, Default)]
pub(crate) struct NowAndThen(Mutex<Option<Instant>>);

impl NowAndThen {
    /// Whether it is time to say it.
    pub(crate) fn is_time(&self) -> bool {
        let mut said_at = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_time = said_at.is_none_or(|at| EVERY <= at.elapsed());
        if is_time {
            *said_at = Some(Instant::now());
        }
        is_time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_is_said_once_in_a_while() {
        let warnings = NowAndThen::default();
        assert!(warnings.is_time());
        assert!(!warnings.is_time());
        tokio::time::advance(EVERY).await;
        assert!(warnings.is_time());
        assert!(!warnings.is_time());
    }
}
