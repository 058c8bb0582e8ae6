//! Makes single calls over Kafka from this process.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use catchment_bootstrap::SystemClock;
use catchment_bootstrap::settings::Settings;
use catchment_domain::{Change, Reply, ShopId};
use catchment_kafka::Caller;

use super::reach;

/// The most calls at a time: a command waits for one reply.
const PENDING: usize = 1;
/// How long leaving Kafka may take. After that, the process ends anyway.
const LEAVE: Duration = Duration::from_secs(2);

/// The caller, with its reply lane.
pub(crate) struct Calling(Caller);

impl Calling {
    /// Opens the last reply lane, because requesters lease it last. Replies to others are ignored.
    ///
    /// # Errors
    ///
    /// When Kafka cannot be reached, or the topic of replies is missing.
    pub(crate) async fn start(settings: &Settings) -> anyhow::Result<Self> {
        let cluster = reach(settings).await?;
        let caller = cluster.caller(PENDING, Arc::new(SystemClock)).await;
        Ok(Self(caller.context("could not open a reply lane")?))
    }

    /// Sends a request to a shop, and waits for the reply.
    ///
    /// # Errors
    ///
    /// When there is no reply in time. The request may still take effect.
    pub(crate) async fn call(
        &self,
        shop: ShopId,
        change: Change,
        timeout: Duration,
    ) -> anyhow::Result<Reply> {
        Ok(self.0.call(shop, change, timeout).await?)
    }

    /// Leaves Kafka.
    pub(crate) async fn end(self) {
        if let Err(error) = self.0.close(LEAVE).await {
            tracing::debug!(%error, "could not leave Kafka in order");
        }
    }
}
