//! What the client tells: partitions that come and go, and that it has failed.
//!
//! All of this runs on the thread that polls. In librdkafka 2.12.1 it was read that
//!
//! - a rebalance must be answered by exactly one (incremental) assign or unassign, which takes
//!   the group on (`rd_kafka_cgrp_incremental_assign`, `_unassign`); an *empty* list will do,
//!   even when nothing is assigned;
//! - partitions may be added and removed at any later time, from any thread
//!   (`rd_kafka_assign0` asks the client's own thread, which never waits for ours);
//! - removing what the client does not have, and adding what it has, are errors that change
//!   nothing (`rd_kafka_assignment_subtract`, `_add`): hence [`Assignment`] keeps account of them;
//! - with an eager protocol the incremental calls are refused, and without a group both work
//!   (`rd_kafka_cgrp_handle_assign_op`).
//!
//! One race is left, and harmless: a partition that is moved to another position at the very
//! moment when others are revoked answers that revocation early, so that another member may
//! start before our lanes have drained. Whoever stores is fenced by an epoch, and whoever is
//! not may do twice what was not committed, as after any crash.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::topic_partition_list::{TopicPartitionList, TopicPartitionListElem};
use rdkafka::types::RDKafkaRespErr;
use tokio::sync::mpsc;
use tracing::{debug, error, info, warn};

use super::GroupEvent;
use super::signal::Signals;
use super::trouble::{self, Present, Source, Trouble};
use crate::assignment::Assignment;
use crate::client_log;
use crate::settings::{Membership, Settings};

/// Hears what the client tells.
pub(super) struct Context {
    pub(super) topic: String,
    pub(super) signals: Signals,
    /// `None` for a reader without a group.
    pub(super) events: Option<mpsc::Sender<GroupEvent>>,
    pub(super) cooperative: bool,
    pub(super) drain: Duration,
    pub(super) closing: AtomicBool,
    pub(super) fatal: OnceLock<String>,
    pub(super) assignment: Mutex<Assignment>,
    pub(super) drained: Condvar,
    /// Whether the group's last event was an assignment. It is false before the first one, and from
    /// a revocation or a loss to the next assignment.
    pub(super) is_member: AtomicBool,
    trouble: Mutex<Present>,
}

impl Context {
    pub(super) fn new(
        settings: &Settings,
        topic: &str,
        events: Option<mpsc::Sender<GroupEvent>>,
    ) -> Self {
        Self {
            topic: topic.to_owned(),
            signals: Signals::default(),
            events,
            cooperative: settings.membership == Membership::Cooperative,
            drain: settings.drain,
            closing: AtomicBool::new(false),
            fatal: OnceLock::new(),
            assignment: Mutex::default(),
            drained: Condvar::new(),
            is_member: AtomicBool::new(false),
            trouble: Mutex::default(),
        }
    }

    /// Whose partitions are whose.
    pub(super) fn assignment(&self) -> MutexGuard<'_, Assignment> {
        self.assignment.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The client is of no use any more.
    pub(super) fn fail(&self, cause: &str) {
        if self.fatal.set(cause.to_owned()).is_ok() {
            error!(kafka.topic = self.topic, "reading has failed for good: {cause}");
            self.signals.wake_all();
            self.tell(GroupEvent::Failed { cause: cause.to_owned() });
        }
    }

    /// What keeps the client as a whole from its work, or its group from taking it in, if so.
    pub(super) fn trouble(&self) -> Option<Trouble> {
        self.present().get().cloned()
    }

    /// The client says that it cannot go on for now.
    pub(super) fn note_trouble(&self, error: &KafkaError) {
        let cause = trouble::cause(error);
        if client_log::is_of_a_connection(error) {
            debug!(kafka.topic = self.topic, "{cause}");
        } else if self.present().begin(Source::Client, &cause, Instant::now()) {
            warn!(kafka.topic = self.topic, cause, "the client cannot work");
        }
    }

    /// The group has answered.
    fn note_answer(&self) {
        if self.present().end() {
            info!(kafka.topic = self.topic, "the client works again");
        }
    }

    fn present(&self) -> MutexGuard<'_, Present> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, event: GroupEvent) {
        let Some(events) = &self.events else { return };
        if let Err(mpsc::error::TrySendError::Full(_)) = events.try_send(event) {
            self.fail("nobody takes the events of the group");
        }
    }

    fn assigned(&self, consumer: &BaseConsumer<Self>, partitions: Vec<i32>) {
        self.is_member.store(true, Ordering::Release);
        let mut assignment = self.assignment();
        let (generation, stale) = assignment.assigned(&partitions);
        info!(kafka.topic = self.topic, ?partitions, generation, "partitions assigned");
        self.note_answer();
        if !stale.is_empty() {
            self.noted(consumer.incremental_unassign(&self.list(&stale)));
        }
        self.signals.invalidate(&partitions);
        // Positions are not known yet; the lanes add their partitions when they read.
        let nothing = TopicPartitionList::new();
        self.noted(if self.cooperative {
            consumer.incremental_assign(&nothing)
        } else {
            assign_all(consumer, &nothing)
        });
        drop(assignment);
        self.tell(GroupEvent::Assigned { partitions, generation });
    }

    fn revoked(&self, consumer: &BaseConsumer<Self>, partitions: Vec<i32>) {
        self.is_member.store(false, Ordering::Release);
        let deadline = Instant::now() + self.drain;
        let generation = self.assignment().revoked(&partitions);
        info!(kafka.topic = self.topic, ?partitions, generation, "partitions revoked");
        self.signals.invalidate(&partitions);
        self.tell(GroupEvent::Revoked { partitions, generation, deadline });
        let mut assignment = self.await_drained(deadline);
        self.give_up(consumer, &assignment.given_away());
    }

    fn lost(&self, consumer: &BaseConsumer<Self>, partitions: Vec<i32>) {
        self.is_member.store(false, Ordering::Release);
        let mut assignment = self.assignment();
        let (generation, removed) = assignment.lost(&partitions);
        info!(kafka.topic = self.topic, ?partitions, generation, "partitions given up");
        self.give_up(consumer, &removed);
        drop(assignment);
        self.signals.invalidate(&partitions);
        self.tell(GroupEvent::Lost { partitions, generation });
    }

    /// Returns once no lane has anything at hand, at the deadline at the latest.
    fn await_drained(&self, deadline: Instant) -> MutexGuard<'_, Assignment> {
        let mut assignment = self.assignment();
        while assignment.is_draining() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || self.closing.load(Ordering::Acquire) {
                warn!(kafka.topic = self.topic, "partitions given away before their lanes ended");
                break;
            }
            let waited = self.drained.wait_timeout(assignment, left);
            assignment = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        assignment
    }

    fn give_up(&self, consumer: &BaseConsumer<Self>, partitions: &[i32]) {
        if self.cooperative {
            let unassign = |partitions: &[i32]| {
                let done = consumer.incremental_unassign(&self.list(partitions));
                self.noted(done.clone());
                done
            };
            give_up_each(partitions, unassign);
        } else {
            settle(consumer);
            self.noted(consumer.unassign());
        }
    }

    /// What the client refuses to add is added when its lane reads next.
    pub(super) fn noted(&self, done: KafkaResult<()>) {
        if let Err(error) = done {
            warn!(kafka.topic = self.topic, "assignment refused by the client: {error}");
        }
    }

    pub(super) fn list(&self, partitions: &[i32]) -> TopicPartitionList {
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for partition in partitions {
            list.add_partition(&self.topic, *partition);
        }
        list
    }
}

/// Takes partitions from the client. It refuses all of them for one that it does not have, and
/// the group waits until it was answered once: then each goes by itself, and nothing at the end.
fn give_up_each(partitions: &[i32], unassign: impl Fn(&[i32]) -> KafkaResult<()>) {
    if unassign(partitions).is_ok() {
        return;
    }
    for partition in partitions {
        // The refusal was told; the others go on.
        let _ = unassign(&[*partition]);
    }
    let _ = unassign(&[]);
}

/// Makes an eager assignment as a whole. Whoever calls holds the lock of the assignment, so that
/// nothing comes between.
pub(super) fn assign_all(
    consumer: &BaseConsumer<Context>,
    all: &TopicPartitionList,
) -> KafkaResult<()> {
    settle(consumer);
    consumer.assign(all)
}

/// Has the client finish what it is stopping.
///
/// A partition that is stopped a second time before it has stopped aborts the process
/// (`rd_kafka_assignment_partition_stopped` asserts), and an eager assignment stops everything
/// first. The stop and its end are two turns of the client's one queue, so they are over when
/// a question that came after them is answered. Incremental calls need none: between two stops
/// of a partition lies the call that adds it, which is answered by the same queue.
fn settle(consumer: &BaseConsumer<Context>) {
    if let Err(error) = consumer.assignment() {
        debug!("the client does not tell its assignment: {error}");
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        client_log::line(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if client_log::is_fatal(&error, reason) {
            self.fail(reason);
        }
    }
}

impl ConsumerContext for Context {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        what: RDKafkaRespErr,
        list: &mut TopicPartitionList,
    ) {
        let partitions = list.elements().iter().map(TopicPartitionListElem::partition).collect();
        if what == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            self.assigned(consumer, partitions);
        } else if consumer.assignment_lost() || self.closing.load(Ordering::Acquire) {
            self.lost(consumer, partitions);
        } else {
            self.revoked(consumer, partitions);
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        match result {
            Ok(()) => self.note_answer(),
            Err(error) => debug!(kafka.topic = self.topic, "offset not committed: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use rdkafka::error::RDKafkaErrorCode;

    use super::*;

    /// What is asked of a client that has some partitions, and refuses a list as a whole.
    fn given_up(has: &[i32], partitions: &[i32]) -> (Vec<Vec<i32>>, Vec<i32>) {
        let has = RefCell::new(has.to_vec());
        let asked = RefCell::new(Vec::new());
        give_up_each(partitions, |partitions| {
            asked.borrow_mut().push(partitions.to_vec());
            let mut has = has.borrow_mut();
            if partitions.iter().any(|partition| !has.contains(partition)) {
                return Err(KafkaError::Rebalance(RDKafkaErrorCode::InvalidArgument));
            }
            has.retain(|partition| !partitions.contains(partition));
            Ok(())
        });
        (asked.into_inner(), has.into_inner())
    }

    #[test]
    fn a_revocation_is_answered_whatever_the_client_has() {
        assert_eq!(given_up(&[0, 1, 2], &[0, 1]), (vec![vec![0, 1]], vec![2]));
        assert_eq!(given_up(&[0], &[]), (vec![vec![]], vec![0]));
        let (asked, left) = given_up(&[0, 2, 3], &[0, 1, 2]);
        assert_eq!(asked, [vec![0, 1, 2], vec![0], vec![1], vec![2], vec![]]);
        assert_eq!(left, [3], "the one that it did not have holds up no other");
    }
}
