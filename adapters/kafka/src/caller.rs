//! Single calls: one request, its reply, no campaign.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use catchment_domain::ports::{CallChannel, CallError, Clock};
use catchment_domain::{Change, Reply, Request, RequestId, ShopId};
use catchment_request_reply::requester::{self, CallError as Ended, Requester};
use catchment_request_reply::{NotClosed, ReadError, SendError};
use uuid::Uuid;

use crate::wire;

/// Asks for one change at one shop, and waits for what becomes of it. Cheap to clone.
#[derive(Clone)]
pub struct Caller {
    requester: Requester,
    clock: Arc<dyn Clock>,
}

impl Caller {
    pub(crate) fn new(requester: Requester, clock: Arc<dyn Clock>) -> Self {
        Self { requester, clock }
    }

    /// Fails every call at once, and gives the clients some time to end.
    ///
    /// # Errors
    ///
    /// When they did not end in time: then the process should.
    pub async fn close(&self, within: Duration) -> Result<(), NotClosed> {
        self.requester.close(within).await
    }
}

#[async_trait]
impl CallChannel for Caller {
    /// Each call is a request of its own, with a `UUIDv7`. A deadline in the change bounds how long
    /// it may take effect.
    async fn call(
        &self,
        shop: ShopId,
        change: Change,
        within: Duration,
    ) -> Result<Reply, CallError> {
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
        let reply = self.requester.call(message, deadline).await.map_err(call_error)?;
        let reply = wire::parse_reply(reply.value()).filter(|reply| is_of(&request, reply));
        reply.ok_or_else(|| CallError::Unreadable(UNREADABLE.into()))
    }
}

const UNREADABLE: &str = "the reply cannot be understood, or is about another request or shop; the \
                          request may have taken effect";

/// Returns whether a reply is about this request. Its shop is left out if the replier could not
/// read it.
fn is_of(request: &Request, reply: &Reply) -> bool {
    reply.id == request.id && reply.shop.as_ref().is_none_or(|shop| *shop == request.shop)
}

fn call_error(error: Ended) -> CallError {
    match error {
        Ended::Failed { retryable: false, .. }
        | Ended::Undelivered(SendError::Refused { .. } | SendError::TooLarge { .. })
        | Ended::Unreadable(ReadError::Refused { .. }) => CallError::Refused(error.into()),
        Ended::Malformed => CallError::Unreadable(error.into()),
        Ended::NotPending(_)
        | Ended::TimedOut
        | Ended::Closed
        | Ended::Failed { retryable: true, .. }
        | Ended::Undelivered(
            SendError::Undelivered { .. } | SendError::Closed | SendError::Fatal { .. },
        )
        | Ended::Unreadable(_) => CallError::NoReply(error.into()),
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller").field("requester", &self.requester).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use catchment_request_reply::Refusal;

    use super::*;

    #[test]
    fn only_what_may_pass_by_itself_is_called_again() {
        let (text, cause) = (|| "t".to_owned(), || "no".to_owned());
        let failed = |retryable| {
            let (status, code, message) = (text(), text(), text());
            Ended::Failed { status, code, message, retryable }
        };
        let (topic, refusal) = (text(), Refusal::NotAllowed);
        let not_taken = SendError::Refused { topic, refusal, cause: cause() };
        let too_large = SendError::TooLarge { index: 0, bytes: 2, limit: 1 };
        for (ended, may_pass) in [
            (Ended::TimedOut, true),
            (Ended::Closed, true),
            (failed(true), true),
            (failed(false), false),
            (SendError::Undelivered { cause: cause() }.into(), true),
            (not_taken.into(), false),
            (too_large.into(), false),
            (Ended::Unreadable(ReadError::Unavailable { topic: text(), cause: cause() }), true),
            (Ended::Unreadable(ReadError::Refused { topic: text(), cause: cause() }), false),
        ] {
            let said = ended.to_string();
            let error = call_error(ended);
            let kept = match &error {
                CallError::NoReply(_) => may_pass,
                CallError::Refused(_) => !may_pass,
                CallError::Unreadable(_) => false,
            };
            assert!(kept && error.to_string() == said, "{error:?}");
        }
        assert!(matches!(call_error(Ended::Malformed), CallError::Unreadable(_)));
    }
}
