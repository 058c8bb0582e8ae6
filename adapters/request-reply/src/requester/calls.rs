use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::oneshot;

use super::Reply;
use super::call_error::CallError;
use super::failure;
use super::settings::Keep;
use super::stray::Stray;
use crate::correlation::CorrelationId;
use crate::error::SendError;
use crate::pending::{Counters, Matched, Pending};
use crate::profile::Answer;
use crate::reader::Record;

type Outcome = Result<Reply, CallError>;

/// The calls of a requester, shared by those who wait and the one who reads replies.
#[derive(Clone, Debug)]
pub(super) struct Calls {
    table: Arc<Mutex<Table>>,
    keep: Keep,
}

struct Table {
    pending: Pending<oneshot::Sender<Outcome>>,
    // Once there is a reason, nobody waits any more.
    ended: Option<CallError>,
}

impl Calls {
    pub(super) fn new(capacity: usize, keep: Keep) -> Self {
        // Twice the capacity: a late reply is still recognised after a whole table of newer calls has
        // ended.
        let pending = Pending::new(capacity, capacity.saturating_mul(2));
        Self { table: Arc::new(Mutex::new(Table { pending, ended: None })), keep }
    }

    /// Lets a call wait; dropping what is returned ends it.
    pub(super) fn wait(&self, id: CorrelationId, deadline: Instant) -> Result<Waiting, CallError> {
        let (sender, answer) = oneshot::channel();
        let mut table = self.table();
        if let Some(reason) = &table.ended {
            return Err(reason.clone());
        }
        table.pending.add(id, deadline, sender)?;
        Ok(Waiting { calls: self.clone(), id, answer })
    }

    /// Hands each reply to the call that it answers, and returns the strays among them.
    pub(super) fn answer<'a>(
        &self,
        records: impl IntoIterator<Item = &'a Record<Reply>>,
    ) -> Vec<(&'a Record<Reply>, Stray)> {
        let mut table = self.table();
        let mut strays = Vec::new();
        for record in records {
            let reply = &record.message;
            let stray = match table.pending.answer(reply.correlation_id()) {
                Matched::Call(waiter) => {
                    let outcome = outcome(reply);
                    let is_broken = outcome == Err(CallError::Malformed);
                    // Who has stopped waiting meanwhile does not need it.
                    let _ = waiter.send(outcome);
                    if !is_broken {
                        continue;
                    }
                    table.pending.count_broken();
                    Stray::Broken
                }
                Matched::Foreign if self.keep == Keep::All => continue,
                Matched::Foreign => Stray::Foreign,
                Matched::Late => Stray::Late,
                Matched::Duplicate => Stray::Duplicate,
                Matched::Broken => Stray::Broken,
            };
            strays.push((record, stray));
        }
        strays
    }

    /// Ends the calls whose deadline has passed.
    pub(super) fn expire(&self, now: Instant) {
        let expired = self.table().pending.expire(now);
        for waiter in expired {
            let _ = waiter.send(Err(CallError::TimedOut));
        }
    }

    /// Ends all calls, and every later one, for one reason. The first reason stays.
    pub(super) fn end(&self, reason: &CallError) {
        let mut table = self.table();
        table.ended.get_or_insert_with(|| reason.clone());
        for waiter in table.pending.give_up_all() {
            let _ = waiter.send(Err(reason.clone()));
        }
    }

    /// What became of calls and replies. Where replies are read in batches, none is foreign: most
    /// answer requests that are no calls, and the reader of batches knows which.
    pub(super) fn counters(&self) -> Counters {
        let counters = self.table().pending.counters();
        match self.keep {
            Keep::Nothing => counters,
            Keep::All => Counters { foreign: 0, ..counters },
        }
    }

    pub(super) fn len(&self) -> usize {
        self.table().pending.len()
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Table").field("len", &self.pending.len()).finish_non_exhaustive()
    }
}

fn outcome(reply: &Reply) -> Outcome {
    match reply.answer() {
        Answer::Value(_) => Ok(reply.clone()),
        Answer::Failure(words) => Err(failure::read(words)),
        Answer::Malformed => Err(CallError::Malformed),
    }
}

/// A call that waits.
#[derive(Debug)]
pub(super) struct Waiting {
    calls: Calls,
    id: CorrelationId,
    answer: oneshot::Receiver<Outcome>,
}

impl Waiting {
    /// Waits for the reply while the request is sent, and then until the deadline.
    pub(super) async fn until(
        mut self,
        deadline: Instant,
        sent: impl Future<Output = Result<(), SendError>>,
    ) -> Outcome {
        let timer = tokio::time::sleep_until(deadline.into());
        tokio::pin!(timer, sent);
        let mut is_sent = false;
        loop {
            tokio::select! {
                biased;
                answer = &mut self.answer => return answer.unwrap_or(Err(CallError::Closed)),
                result = &mut sent, if !is_sent => {
                    result?;
                    is_sent = true;
                }
                // This call is among those that expire, so the next turn ends it.
                () = &mut timer, if !timer.is_elapsed() => self.calls.expire(deadline),
            }
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.calls.table().pending.give_up(self.id);
    }
}
