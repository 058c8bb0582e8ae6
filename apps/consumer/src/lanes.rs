//! The work on lanes, with one task for each lane.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use catchment_bootstrap::{HeldUp, ProcessError, Stepper, chain, drive};
use catchment_domain::Lane;
use catchment_domain::service::{ConsumerPorts, LaneConsumer, Rules, ServiceError, Step};
use catchment_kafka::{KafkaRequestLog, Trouble};
use tokio::sync::watch;
use tokio::task::{self, JoinSet};
use tokio::time::Instant;

use crate::progress::Progress;

/// How long a lane waits for a notice of the log before it checks by itself.
const NAP: Duration = Duration::from_secs(1);

/// The lanes in work, with one task each. When this is dropped, the tasks stop where they are, and
/// nothing half done is stored.
pub(crate) struct Lanes {
    ports: ConsumerPorts,
    rules: Arc<Rules>,
    /// Knows what keeps a lane from being read.
    log: KafkaRequestLog,
    progress: Progress,
    stops: BTreeMap<Lane, watch::Sender<bool>>,
    names: BTreeMap<task::Id, Lane>,
    tasks: JoinSet<Result<(), ServiceError>>,
}

/// The end of the work on a lane.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) lane: Lane,
    pub(crate) end: End,
}

/// Why the work on a lane ended.
#[derive(Debug)]
pub(crate) enum End {
    /// The work was stopped.
    Stopped,
    /// A human must look at the lane, or its task has panicked.
    Broken(ProcessError),
    /// Nothing can be read or sent any more in any lane, or the database was restored or moved.
    Closed(ProcessError),
}

impl From<ServiceError> for End {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::Closed | ServiceError::Older(_) | ServiceError::OtherLanes(_) => {
                Self::Closed(error.into())
            }
            error => Self::Broken(error.into()),
        }
    }
}

impl Lanes {
    pub(crate) fn new(
        (ports, log): (ConsumerPorts, KafkaRequestLog),
        rules: Rules,
        progress: Progress,
    ) -> Self {
        let rules = Arc::new(rules);
        let (stops, names) = (BTreeMap::new(), BTreeMap::new());
        Self { ports, rules, log, progress, stops, names, tasks: JoinSet::new() }
    }

    pub(crate) fn start(&mut self, lane: Lane) {
        let consumer = LaneConsumer::new(lane, self.ports.clone(), Arc::clone(&self.rules));
        let (stop, stopped) = watch::channel(false);
        self.stops.insert(lane, stop);
        self.progress.begin(lane, Instant::now());
        let (log, progress) = (self.log.clone(), self.progress.clone());
        let (name, held_up) = (format!("lane {lane}"), HeldUp::default());
        let work = LaneWork { lane, consumer, name, log, progress, held_up, is_going: false };
        let task = self.tasks.spawn(work.run(stopped));
        self.names.insert(task.id(), lane);
    }

    /// Ends the work on a lane after the current step.
    pub(crate) fn stop(&mut self, lane: Lane) {
        if let Some(stop) = self.stops.remove(&lane) {
            stop.send_replace(true);
        }
    }

    /// Waits until the work on a lane has ended. If there is no work, waits for ever.
    pub(crate) async fn ended(&mut self) -> Ended {
        loop {
            let (id, end) = match self.tasks.join_next_with_id().await {
                None => std::future::pending().await,
                Some(Ok((id, worked))) => (id, worked.map_or_else(Into::into, |()| End::Stopped)),
                Some(Err(error)) => {
                    let what = format!("the work on the lane broke off: {error}");
                    (error.id(), End::Broken(ProcessError::Internal(what)))
                }
            };
            if let Some(lane) = self.names.remove(&id) {
                self.stops.remove(&lane);
                return Ended { lane, end };
            }
        }
    }
}

/// The work on a lane, with what is reported about it.
struct LaneWork {
    lane: Lane,
    consumer: LaneConsumer,
    /// The lane's name in log lines.
    name: String,
    log: KafkaRequestLog,
    progress: Progress,
    held_up: HeldUp,
    /// Whether the step before went well.
    is_going: bool,
}

impl Stepper for LaneWork {
    type Error = ServiceError;

    async fn step(&mut self) -> Result<Step, ServiceError> {
        let step = self.consumer.step().await;
        let step = step.inspect_err(|_| self.log.commit_rest(self.lane))?;
        self.note(&step);
        Ok(step)
    }

    async fn wait(&mut self) {
        self.consumer.wait().await;
    }
}

impl LaneWork {
    /// Steps the consumer until it is stopped.
    async fn run(mut self, mut stopped: watch::Receiver<bool>) -> Result<(), ServiceError> {
        drive(&mut self, (NAP, &mut stopped), |_, stopped| !*stopped).await?;
        // If this fails, the next owner of the lane sends the last answers again.
        if let Err(error) = self.consumer.finish().await {
            let lane = self.lane.0;
            tracing::info!(lane, error = chain(&error), "the last replies may come twice");
        }
        self.log.commit_rest(self.lane);
        Ok(())
    }

    /// Records a step. Only the second successful step in a row counts as a move, because the first
    /// may only have claimed the lane. A lane with nothing to do may have something that cannot be
    /// read.
    fn note(&mut self, step: &Step) {
        self.held_up.note(&self.name, step);
        let now = Instant::now();
        let trouble = match step {
            Step::Worked => None,
            Step::Idle => self.log.reader().trouble(self.lane.0.into()).map(|trouble| {
                let Trouble { cause, since } = trouble;
                (cause, since.into())
            }),
            Step::Pause { obstacle, .. } => Some((chain(obstacle), now)),
        };
        let was_going = std::mem::replace(&mut self.is_going, trouble.is_none());
        match trouble {
            Some((cause, since)) => self.progress.held_up(self.lane, cause, since),
            None if was_going => self.progress.moved(self.lane, now),
            None => {}
        }
    }
}
