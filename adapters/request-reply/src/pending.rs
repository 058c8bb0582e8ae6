//! The calls that wait for their replies. Pure: instants come in as arguments.
//!
//! What a reply does depends on what its correlation id is to us, and there is a line for each:
//!
//! | the id is | a reply | the deadline | the caller gives up |
//! |---|---|---|---|
//! | open | completes the call | ends the call | ends the call |
//! | answered a while ago | is a *duplicate* | | |
//! | given up a while ago | is *late* | | |
//! | anything else | is *foreign* | | |
//! | missing | is *broken* | | |
//!
//! Table and memory are bounded: who wants to call when the table is full is told so, and an id
//! that was forgotten is foreign.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Instant;

use thiserror::Error;

use crate::correlation::CorrelationId;

/// The calls that wait for their replies, each with a `T` that is handed back when it ends.
#[derive(Debug)]
pub struct Pending<T> {
    capacity: usize,
    memory: usize,
    calls: HashMap<CorrelationId, Call<T>>,
    // INVARIANT: holds exactly the open ones of `calls`.
    deadlines: BTreeSet<(Instant, CorrelationId)>,
    // INVARIANT: names every closed one of `calls` with its closing, oldest first.
    closed: VecDeque<(CorrelationId, u64)>,
    closings: u64,
    counters: Counters,
}

#[derive(Debug)]
enum Call<T> {
    Open { deadline: Instant, waiter: T },
    Closed { ending: Ending, closing: u64 },
}

#[derive(Clone, Copy, Debug)]
enum Ending {
    Answered,
    GivenUp,
}

/// What became of calls and replies since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Calls that were answered.
    pub answered: u64,
    /// Calls whose deadline passed.
    pub timed_out: u64,
    /// Calls that ended otherwise: not sent, dropped by their callers, closed.
    pub given_up: u64,
    /// Replies to calls that had ended without one.
    pub late: u64,
    /// Replies to calls that had been answered.
    pub duplicate: u64,
    /// Replies to nothing that we know of.
    pub foreign: u64,
    /// Replies without a correlation id; and replies to calls with neither a value nor a failure,
    /// whose calls count as answered, too.
    pub broken: u64,
}

/// Why a call cannot wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotPending {
    /// As many calls wait as there may be.
    #[error("{capacity} calls wait already, and no more may")]
    Full {
        /// How many may wait.
        capacity: usize,
    },
    /// A call with this correlation id waits already.
    #[error("a call with correlation id {id:?} waits already")]
    Duplicate {
        /// The id.
        id: CorrelationId,
    },
}

/// What a reply is to us.
#[derive(Debug, PartialEq, Eq)]
pub enum Matched<T> {
    /// The answer that a call waited for.
    Call(T),
    /// The answer to a call that has ended without one.
    Late,
    /// Another answer to a call.
    Duplicate,
    /// None of ours, as far as we remember.
    Foreign,
    /// Without a correlation id.
    Broken,
}

impl<T> Pending<T> {
    /// A table for `capacity` calls, which remembers the last `memory` that ended.
    #[must_use]
    pub fn new(capacity: usize, memory: usize) -> Self {
        Self {
            capacity,
            memory,
            calls: HashMap::new(),
            deadlines: BTreeSet::new(),
            closed: VecDeque::new(),
            closings: 0,
            counters: Counters::default(),
        }
    }

    /// Lets a call wait until its deadline.
    ///
    /// # Errors
    ///
    /// When the table is full, or the same call waits already.
    pub fn add(
        &mut self,
        id: CorrelationId,
        deadline: Instant,
        waiter: T,
    ) -> Result<(), NotPending> {
        if let Some(Call::Open { .. }) = self.calls.get(&id) {
            return Err(NotPending::Duplicate { id });
        }
        if self.deadlines.len() >= self.capacity {
            return Err(NotPending::Full { capacity: self.capacity });
        }
        self.deadlines.insert((deadline, id));
        self.calls.insert(id, Call::Open { deadline, waiter });
        Ok(())
    }

    /// Says what a reply is, and ends the call that it answers.
    pub fn answer(&mut self, correlation_id: Option<CorrelationId>) -> Matched<T> {
        let Some(id) = correlation_id else {
            self.count_broken();
            return Matched::Broken;
        };
        match self.calls.get(&id) {
            Some(Call::Open { .. }) => {
                self.close(id, Ending::Answered).map_or(Matched::Foreign, Matched::Call)
            }
            Some(Call::Closed { ending: Ending::Answered, .. }) => {
                self.counters.duplicate += 1;
                Matched::Duplicate
            }
            Some(Call::Closed { ending: Ending::GivenUp, .. }) => {
                self.counters.late += 1;
                Matched::Late
            }
            None => {
                self.counters.foreign += 1;
                Matched::Foreign
            }
        }
    }

    /// Counts a reply that says nothing, whatever it answers.
    pub const fn count_broken(&mut self) {
        self.counters.broken += 1;
    }

    /// Ends the calls whose deadline has passed, the oldest deadline first.
    pub fn expire(&mut self, now: Instant) -> Vec<T> {
        let mut expired = Vec::new();
        while let Some(&(deadline, id)) = self.deadlines.first()
            && deadline <= now
        {
            expired.extend(self.close(id, Ending::GivenUp));
        }
        self.counters.timed_out += expired.len() as u64;
        expired
    }

    /// Ends a call that nobody waits for any more; `None` where it has ended already.
    pub fn give_up(&mut self, id: CorrelationId) -> Option<T> {
        let waiter = self.close(id, Ending::GivenUp)?;
        self.counters.given_up += 1;
        Some(waiter)
    }

    /// Ends all calls.
    pub fn give_up_all(&mut self) -> Vec<T> {
        let mut waiters = Vec::with_capacity(self.deadlines.len());
        while let Some(&(_, id)) = self.deadlines.first() {
            waiters.extend(self.give_up(id));
        }
        waiters
    }

    /// How many calls wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.deadlines.len()
    }

    /// Whether no call waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.deadlines.is_empty()
    }

    /// What became of calls and replies since the start.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// Ends an open call and remembers how; one that is not open is left alone.
    fn close(&mut self, id: CorrelationId, ending: Ending) -> Option<T> {
        let call = self.calls.get_mut(&id)?;
        let Call::Open { deadline, .. } = call else { return None };
        self.deadlines.remove(&(*deadline, id));
        self.closings += 1;
        let closed = Call::Closed { ending, closing: self.closings };
        let Call::Open { waiter, .. } = std::mem::replace(call, closed) else { return None };
        if matches!(ending, Ending::Answered) {
            self.counters.answered += 1;
        }
        self.closed.push_back((id, self.closings));
        self.forget();
        Some(waiter)
    }

    /// Forgets the oldest of what is remembered, where that is too much.
    fn forget(&mut self) {
        while self.closed.len() > self.memory {
            let Some((id, forgotten)) = self.closed.pop_front() else { return };
            // The same call may have been made again since, and be open or closed later.
            if let Some(Call::Closed { closing, .. }) = self.calls.get(&id)
                && *closing == forgotten
            {
                self.calls.remove(&id);
            }
        }
    }
}
