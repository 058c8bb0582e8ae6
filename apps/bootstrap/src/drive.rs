//! The loop that steps a service's work until it has to stop.

use std::future::pending;
use std::time::Duration;

use catchment_domain::service::Step;
use tokio::sync::watch;
use tokio::time::timeout;

/// Work that is done step by step.
pub trait Stepper: Send {
    /// Why it cannot go on.
    type Error: Send;

    /// Takes one step, and reports what it has to report.
    fn step(&mut self) -> impl Future<Output = Result<Step, Self::Error>> + Send;

    /// Returns once there may be something to do. Called after a step that found nothing to do.
    fn wait(&mut self) -> impl Future<Output = ()> + Send;

    /// Returns once a pause may end early. Otherwise a pause ends only when its time is over.
    fn wait_in_pause(&mut self) -> impl Future<Output = ()> + Send {
        pending()
    }
}

/// Takes steps as long as `goes_on` returns `true`, which is asked before each step. An idle
/// stepper is asked again after `nap` at the latest.
///
/// A change of the signal ends a rest, and never a step: after an interrupted step, nobody would
/// know what became of it.
///
/// # Errors
///
/// When a step fails.
pub async fn drive<W: Stepper, S: Send + Sync>(
    stepper: &mut W,
    (nap, signal): (Duration, &mut watch::Receiver<S>),
    goes_on: impl Fn(&mut W, &S) -> bool + Send,
) -> Result<(), W::Error> {
    while goes_on(stepper, &signal.borrow_and_update()) {
        // A timeout is fine: the next step finds out what there is to do.
        match stepper.step().await? {
            Step::Worked => tokio::task::yield_now().await,
            Step::Idle => drop(timeout(nap, either(stepper.wait(), changed(signal))).await),
            Step::Pause { after, .. } => {
                drop(timeout(after, either(stepper.wait_in_pause(), changed(signal))).await);
            }
        }
    }
    Ok(())
}

async fn either(one: impl Future<Output = ()> + Send, other: impl Future<Output = ()> + Send) {
    tokio::select! { () = one => {}, () = other => {} }
}

/// Waits for a change. If no change can come any more, waits for ever.
async fn changed<S: Send + Sync>(signal: &mut watch::Receiver<S>) {
    if signal.changed().await.is_err() {
        pending::<()>().await;
    }
}
