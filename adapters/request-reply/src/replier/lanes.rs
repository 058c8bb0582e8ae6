//! A lane for each partition that is assigned.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use tokio::task::{AbortHandle, Id, JoinError, JoinSet};

use super::lane::Lane;
use super::{Handler, ReplierError};
use crate::error::ReadError;
use crate::reader::{GroupEvent, GroupEvents};

/// The lanes at work.
pub(super) struct Lanes<H: Handler> {
    lane: Arc<Lane<H>>,
    by_partition: HashMap<i32, AbortHandle>,
    at_work: JoinSet<Ended>,
    /// Revoked, and not finished yet: the generation of the revocation.
    leaving: HashMap<i32, u64>,
}

/// How a partition's lane has ended.
type Ended = (i32, Result<(), ReadError>);

impl<H: Handler> Lanes<H> {
    pub(super) fn new(lane: Lane<H>) -> Self {
        let at_work = JoinSet::new();
        let lane = Arc::new(lane);
        Self { lane, by_partition: HashMap::new(), at_work, leaving: HashMap::new() }
    }

    /// Starts and ends lanes as the group says, until it is to stop or a lane cannot go on.
    pub(super) async fn follow(mut self, mut events: GroupEvents) -> Result<(), ReplierError> {
        let mut stop = self.lane.stop.clone();
        loop {
            tokio::select! {
                Some(event) = events.recv() => self.heard(event)?,
                Some(ended) = self.at_work.join_next_with_id() => self.joined(ended)?,
                _ = stop.wait_for(|stop| *stop) => break,
            }
        }
        while let Some(ended) = self.at_work.join_next_with_id().await {
            self.joined(ended)?;
        }
        Ok(())
    }

    fn heard(&mut self, event: GroupEvent) -> Result<(), ReplierError> {
        match event {
            GroupEvent::Assigned { partitions, .. } => {
                for partition in partitions {
                    self.start(partition);
                }
            }
            GroupEvent::Revoked { partitions, generation, deadline } => {
                for partition in partitions {
                    self.leave(partition, generation, deadline);
                }
            }
            GroupEvent::Lost { partitions, .. } => {
                for partition in partitions {
                    self.abort(partition);
                }
            }
            GroupEvent::Failed { cause } => return Err(ReplierError::Fatal { cause }),
        }
        Ok(())
    }

    fn start(&mut self, partition: i32) {
        // One that did not end in time must not work beside the new one.
        self.abort(partition);
        let lane = Arc::clone(&self.lane);
        let task = self.at_work.spawn(async move { (partition, lane.run(partition).await) });
        self.by_partition.insert(partition, task);
    }

    /// Its lane ends by itself: reading is refused from now on.
    fn leave(&mut self, partition: i32, generation: u64, deadline: Instant) {
        match self.by_partition.get(&partition) {
            Some(lane) if !lane.is_finished() => {
                self.leaving.insert(partition, generation);
                let lane = lane.clone();
                // Beyond the deadline the partition is another's.
                tokio::spawn(async move {
                    tokio::time::sleep_until(deadline.into()).await;
                    lane.abort();
                });
            }
            _ => self.lane.reader.drained(partition, generation),
        }
    }

    fn abort(&mut self, partition: i32) {
        self.leaving.remove(&partition);
        if let Some(lane) = self.by_partition.remove(&partition) {
            lane.abort();
        }
    }

    /// A lane that panicked would leave its partition without one, and nobody would know.
    fn joined(&mut self, ended: Result<(Id, Ended), JoinError>) -> Result<(), ReplierError> {
        match ended {
            Ok((task, (partition, ended))) => self.ended(task, partition, ended),
            Err(error) if error.is_panic() => {
                Err(ReplierError::Fatal { cause: format!("a lane panicked: {error}") })
            }
            // Given up.
            Err(_) => Ok(()),
        }
    }

    fn ended(
        &mut self,
        task: Id,
        partition: i32,
        ended: Result<(), ReadError>,
    ) -> Result<(), ReplierError> {
        // One that was given up before may end after the next has begun.
        if self.by_partition.get(&partition).is_none_or(|lane| lane.id() != task) {
            return Ok(());
        }
        self.by_partition.remove(&partition);
        if let Some(generation) = self.leaving.remove(&partition) {
            self.lane.reader.drained(partition, generation);
        }
        match ended {
            Ok(()) | Err(ReadError::NotAssigned { .. } | ReadError::Closed) => Ok(()),
            Err(cause) => Err(ReplierError::Read { partition, cause }),
        }
    }
}
