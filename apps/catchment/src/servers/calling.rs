//! Single calls over Kafka, by this process.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use catchment_bootstrap::SystemClock;
use catchment_bootstrap::settings::Settings;
use catchment_domain::{Change, Reply, ShopId};
use catchment_kafka::Caller;

use super::topics;

/// A command waits for one reply at a time.
const PENDING: usize = 1;
/// How long leaving Kafka may take; the process ends after that all the same.
const LEAVE: Duration = Duration::from_secs(2);

/// Who calls, and where replies arrive.
pub(crate) struct Calling(Caller);

impl Calling {
    /// Opens a reply lane: the last one, which requesters lease last. Another's replies there
    /// are passed over.
    ///
    /// # Errors
    ///
    /// When Kafka cannot be reached, or the topic of replies is missing.
    pub(crate) async fn start(settings: &Settings) -> anyhow::Result<Self> {
        let cluster = topics::connect(settings).await?;
        let caller = cluster.caller(PENDING, Arc::new(SystemClock)).await;
        Ok(Self(caller.context("could not open a reply lane")?))
    }

    /// Asks a shop, and waits for the reply.
    ///
    /// # Errors
    ///
    /// When there is none in time; the request may take effect nevertheless.
    pub(crate) async fn call(
        &self,
        shop: ShopId,
        change: Change,
        timeout: Duration,
    ) -> anyhow::Result<Reply> {
        Ok(self.0.call(shop, change, timeout).await?)
    }

    /// Leaves.
    pub(crate) async fn end(self) {
        if let Err(error) = self.0.close(LEAVE).await {
            tracing::debug!(%error, "could not leave Kafka in order");
        }
    }
}
