//! Lets the handler work. Its panics end here.

use std::sync::Arc;

use tokio::task::JoinSet;
use tracing::warn;

use super::{Failure, Handler, Outcome};
use crate::reply::LogThrottle;

/// An outcome for each request. What cannot be read, and what a handler leaves out, fails.
pub(super) async fn outcomes<H: Handler>(
    handler: &Arc<H>,
    requests: Vec<&Result<H::Request, Failure>>,
) -> Vec<Outcome> {
    let readable = || requests.iter().filter_map(|request| request.as_ref().ok()).cloned();
    let found = match handle(handler, readable().collect()).await {
        Some(outcomes) => outcomes,
        None => one_by_one(handler, readable().collect()).await,
    };
    let mut found = found.into_iter();
    let outcome = |request: &Result<_, Failure>| match request {
        Ok(_) => found.next().unwrap_or_else(|| Err(failed("no outcome"))),
        Err(failure) => Err(failure.clone()),
    };
    requests.into_iter().map(outcome).collect()
}

/// What the handler says of requests, one outcome each; `None` if it panicked.
async fn handle<H: Handler>(handler: &Arc<H>, requests: Vec<H::Request>) -> Option<Vec<Outcome>> {
    static LINES: LogThrottle = LogThrottle::new();
    let count = requests.len();
    if count == 0 {
        return Some(Vec::new());
    }
    let handler = Arc::clone(handler);
    // On a task of its own, so that its panic ends there. The task ends with whoever waits for it:
    // a partition that is another's must not be worked on.
    let mut task = JoinSet::new();
    task.spawn(async move { handler.handle(requests).await });
    match task.join_next().await {
        Some(Ok(outcomes)) if outcomes.len() == count => Some(outcomes),
        Some(Ok(_)) => {
            let why = "the handler did not say what came of each request";
            if LINES.is_time() {
                warn!(requests = count, "requests failed: {why}");
            }
            Some((0..count).map(|_| Err(failed(why))).collect())
        }
        Some(Err(_)) | None => None,
    }
}

/// The handler panicked: the request that it cannot handle fails, and no other.
async fn one_by_one<H: Handler>(handler: &Arc<H>, requests: Vec<H::Request>) -> Vec<Outcome> {
    static LINES: LogThrottle = LogThrottle::new();
    let count = requests.len();
    let mut outcomes = Vec::with_capacity(count);
    for request in requests {
        let outcome = if count == 1 { None } else { handle(handler, vec![request]).await };
        let panicked = || vec![Err(failed("the handler panicked"))];
        outcomes.extend(outcome.unwrap_or_else(panicked));
    }
    if LINES.is_time() {
        let failed = outcomes.iter().filter(|outcome| outcome.is_err()).count();
        warn!(requests = count, failed, "the handler panicked, and got each request alone");
    }
    outcomes
}

fn failed(why: &'static str) -> Failure {
    Failure::failed("handler_failed", why)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use async_trait::async_trait;
    use tokio::sync::Notify;
    use tokio::time::{Duration, sleep};

    use super::*;
    use crate::record::Incoming;
    use crate::replier::Reply;

    /// Works for long, and says when it has begun and ended.
    #[derive(Default)]
    struct Slow {
        begun: Notify,
        has_ended: AtomicBool,
    }

    #[async_trait]
    impl Handler for Slow {
        type Request = ();

        fn parse(&self, _: &Incoming<'_>) -> Result<(), Failure> {
            Ok(())
        }

        async fn handle(&self, _: Vec<()>) -> Vec<Result<Reply, Failure>> {
            self.begun.notify_one();
            sleep(Duration::from_mins(1)).await;
            self.has_ended.store(true, Ordering::Relaxed);
            Vec::new()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_handler_ends_with_whoever_waits_for_it() {
        let (handler, request) = (Arc::new(Slow::default()), Ok(()));
        tokio::select! {
            _ = outcomes(&handler, vec![&request]) => panic!("it takes long"),
            () = handler.begun.notified() => {}
        }
        sleep(Duration::from_mins(2)).await;
        assert!(!handler.has_ended.load(Ordering::Relaxed));
    }
}
