//! The workers for campaigns that a command starts for itself.

use async_trait::async_trait;

use crate::engine::Engine;

/// Workers that apply and answer requests: the engine of this process, or separate processes.
#[async_trait]
pub(crate) trait Workers: Send + Sync {
    /// Waits until the workers cannot go on, and returns the reason.
    async fn failure(&mut self) -> anyhow::Error;

    /// Stops the workers after their current steps.
    ///
    /// # Errors
    ///
    /// When a process ended with an error.
    async fn stop(self) -> anyhow::Result<()>
    where
        Self: Sized;
}

#[async_trait]
impl Workers for Engine {
    async fn failure(&mut self) -> anyhow::Error {
        Self::failure(self).await
    }

    async fn stop(self) -> anyhow::Result<()> {
        Self::stop(self).await;
        Ok(())
    }
}
