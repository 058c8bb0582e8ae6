//! The work on lanes: one task each.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use catchment_bootstrap::{HeldUp, ProcessError, chain};
use catchment_domain::Lane;
use catchment_domain::service::{ConsumerPorts, LaneConsumer, Rules, ServiceError, Step};
use tokio::sync::watch;
use tokio::task::{self, JoinSet};
use tokio::time::timeout;

/// How long a lane waits for the log before it looks around by itself.
const NAP: Duration = Duration::from_secs(1);

/// The lanes that are worked on, a task each. Dropped, they end where they are, and what they
/// left half done is not stored.
pub(crate) struct Lanes {
    ports: ConsumerPorts,
    rules: Arc<Rules>,
    stops: BTreeMap<Lane, watch::Sender<bool>>,
    names: BTreeMap<task::Id, Lane>,
    tasks: JoinSet<Result<(), ServiceError>>,
}

/// How the work on a lane ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) lane: Lane,
    /// Whether it was stopped, or a human must look at the lane, or its task broke off.
    pub(crate) result: Result<(), ProcessError>,
}

impl Lanes {
    pub(crate) fn new(ports: ConsumerPorts, rules: Rules) -> Self {
        let rules = Arc::new(rules);
        let (stops, names) = (BTreeMap::new(), BTreeMap::new());
        Self { ports, rules, stops, names, tasks: JoinSet::new() }
    }

    pub(crate) fn start(&mut self, lane: Lane) {
        let consumer = LaneConsumer::new(lane, self.ports.clone(), Arc::clone(&self.rules));
        let (stop, stopped) = watch::channel(false);
        self.stops.insert(lane, stop);
        let task = self.tasks.spawn(work(lane, consumer, stopped));
        self.names.insert(task.id(), lane);
    }

    /// Ends the work on a lane after the step in hand.
    pub(crate) fn stop(&mut self, lane: Lane) {
        if let Some(stop) = self.stops.remove(&lane) {
            stop.send_replace(true);
        }
    }

    /// Returns once the work on a lane has ended; while there is none, never.
    pub(crate) async fn ended(&mut self) -> Ended {
        loop {
            let (id, result) = match self.tasks.join_next_with_id().await {
                None => std::future::pending().await,
                Some(Ok((id, result))) => (id, result.map_err(Into::into)),
                Some(Err(error)) => {
                    let what = format!("the work on a lane broke off: {error}");
                    (error.id(), Err(ProcessError::Internal(what)))
                }
            };
            if let Some(lane) = self.names.remove(&id) {
                self.stops.remove(&lane);
                return Ended { lane, result };
            }
        }
    }
}

/// Turns a consumer until it is stopped.
async fn work(
    lane: Lane,
    mut consumer: LaneConsumer,
    mut stopped: watch::Receiver<bool>,
) -> Result<(), ServiceError> {
    let mut held_up = HeldUp::default();
    let name = format!("lane {lane}");
    while !*stopped.borrow() {
        let step = consumer.step().await?;
        held_up.note(&name, &step);
        rest(step, &consumer, &mut stopped).await;
    }
    // Whoever owns the lane next answers again what this could not store as answered.
    if let Err(error) = consumer.finish().await {
        tracing::info!(lane = lane.0, error = chain(&error), "the last replies may come twice");
    }
    Ok(())
}

/// What comes between two steps.
async fn rest(step: Step, consumer: &LaneConsumer, stopped: &mut watch::Receiver<bool>) {
    // Running out of time is the other good end of a rest.
    match step {
        Step::Worked => tokio::task::yield_now().await,
        Step::Idle => {
            let _ = timeout(NAP, async {
                tokio::select! { () = consumer.wait() => {}, _ = stopped.changed() => {} }
            })
            .await;
        }
        Step::Pause { after, .. } => {
            let _ = timeout(after, stopped.changed()).await;
        }
    }
}
