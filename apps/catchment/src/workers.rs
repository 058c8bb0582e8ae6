//! Who does the work of campaigns that a command starts for itself.

use async_trait::async_trait;

use crate::engine::Engine;

/// Who applies and answers requests: the engine of this process, or processes of their own.
#[async_trait]
pub(crate) trait Workers: Send + Sync {
    /// Returns only when they cannot go on, with the reason.
    async fn failure(&mut self) -> anyhow::Error;

    /// Stops them after the work in hand.
    ///
    /// # Errors
    ///
    /// When a process ended badly.
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
