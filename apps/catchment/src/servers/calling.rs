//! Makes a single call over Kafka from this process.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use catchment_application::{CallReply, ShopChange, call_shop};
use catchment_bootstrap::SystemClock;
use catchment_bootstrap::settings::Settings;
use catchment_domain::ShopId;

use super::reach;

/// The most calls at a time: a command waits for one reply.
const PENDING: usize = 1;
/// How long leaving Kafka may take. After that, the process ends anyway.
const LEAVE: Duration = Duration::from_secs(2);

/// Sends a request to one shop over Kafka, and returns the reply.
///
/// # Errors
///
/// When Kafka cannot be reached, or there is no reply in time. The request may still take effect.
pub(crate) async fn call(
    settings: &Settings,
    shop: ShopId,
    wanted: ShopChange<'_>,
    timeout: Duration,
) -> anyhow::Result<CallReply> {
    // This opens the last reply lane, because requesters lease it last. Replies to others are
    // ignored.
    let caller = reach(settings).await?.caller(PENDING, Arc::new(SystemClock)).await;
    let caller = caller.context("could not open a reply lane")?;
    let reply = call_shop(&caller, &settings.policy, shop, wanted, timeout).await;
    if let Err(error) = caller.close(LEAVE).await {
        tracing::debug!(%error, "could not leave Kafka in order");
    }
    Ok(reply?)
}
