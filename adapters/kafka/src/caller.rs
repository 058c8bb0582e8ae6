//! Single calls: one request, its reply, no campaign.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use catchment_domain::ports::{self, CallChannel, Clock};
use catchment_domain::{Change, Reply, Request, RequestId, ShopId};
use catchment_request_reply::NotClosed;
use catchment_request_reply::pending::Counters;
use catchment_request_reply::requester::{self, CallError, Requester};
use thiserror::Error;
use uuid::Uuid;

use crate::wire;

/// Asks for one change at one shop, and waits for what becomes of it. Cheap to clone.
#[derive(Clone)]
pub struct Caller {
    requester: Requester,
    clock: Arc<dyn Clock>,
}

/// Why a call has no outcome.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CallerError {
    /// There was no reply.
    #[error(transparent)]
    Call(#[from] CallError),
    /// There was one, and it says nothing that can be understood.
    #[error("the reply cannot be understood; the request may have taken effect")]
    Unreadable,
}

impl Caller {
    pub(crate) fn new(requester: Requester, clock: Arc<dyn Clock>) -> Self {
        Self { requester, clock }
    }

    /// Asks for a change at a shop, and waits so long for its outcome.
    ///
    /// Each call is a request of its own, with a `UUIDv7`. A caller that stops waiting cannot know
    /// whether the request took effect. A deadline in the change bounds how long it may.
    ///
    /// # Errors
    ///
    /// Each at once, and each by what the caller can do.
    pub async fn call(
        &self,
        shop: ShopId,
        change: Change,
        within: Duration,
    ) -> Result<Reply, CallerError> {
        let deadline = Instant::now() + within;
        let request = Request { id: RequestId(Uuid::now_v7()), shop, change };
        let (mut value, now) = (Vec::new(), wire::written_instant(self.clock.now()));
        wire::write_request(&request, &now, &mut value);
        let message = requester::Request {
            id: request.id.0,
            key: Some(request.shop.as_str().as_bytes().to_vec()),
            value: Some(value),
            headers: Vec::new(),
        };
        let reply = self.requester.call(message, deadline).await?;
        wire::parse_reply(reply.value()).ok_or(CallerError::Unreadable)
    }

    /// How many calls wait.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.requester.pending()
    }

    /// What became of calls and replies since the start.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.requester.counters()
    }

    /// Fails every call at once, and gives clients of its own some time to end.
    ///
    /// # Errors
    ///
    /// When they did not end in time: then the process should.
    pub async fn close(&self, within: Duration) -> Result<(), NotClosed> {
        self.requester.close(within).await
    }

    /// Fails every call at once, and takes no more.
    pub fn stop(&self) {
        self.requester.stop();
    }
}

#[async_trait]
impl CallChannel for Caller {
    async fn call(
        &self,
        shop: ShopId,
        change: Change,
        within: Duration,
    ) -> Result<Reply, ports::CallError> {
        Self::call(self, shop, change, within).await.map_err(|error| match error {
            CallerError::Call(_) => ports::CallError::NoReply(error.into()),
            CallerError::Unreadable => ports::CallError::Unreadable(error.into()),
        })
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller").field("pending", &self.pending()).finish_non_exhaustive()
    }
}
