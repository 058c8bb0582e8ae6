use std::time::Duration;

use async_trait::async_trait;
use thiserror::Error;

use crate::outcome::Reply;
use crate::ports::BoxError;
use crate::request::Change;
use crate::shop::ShopId;

/// Why a call has no outcome, by what the caller can do about it.
#[derive(Debug, Error)]
pub enum CallError {
    /// Call again later. The source says whether the request may still take effect.
    #[error(transparent)]
    NoReply(BoxError),
    /// A human must look: the same call would fail again. The source says who refuses what.
    #[error(transparent)]
    Refused(BoxError),
    /// A human must look: the reply cannot be understood. The request may have taken effect.
    #[error(transparent)]
    Unreadable(BoxError),
}

/// Sends single requests that belong to no campaign, and waits for their replies.
#[async_trait]
pub trait CallChannel: Send + Sync + 'static {
    /// Sends a request to a shop, and waits so long for its reply. Each call is a request of its
    /// own. A caller that stops waiting cannot know whether the request took effect.
    async fn call(
        &self,
        shop: ShopId,
        change: Change,
        within: Duration,
    ) -> Result<Reply, CallError>;
}
