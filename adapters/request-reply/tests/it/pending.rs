//! The table of pending calls against one that keeps everything in lists.

use std::time::{Duration, Instant};

use catchment_request_reply::correlation::CorrelationId;
use catchment_request_reply::pending::{Counters, Matched, NotPending, Pending};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Event {
    Add { id: u8, deadline: u64 },
    Reply { id: u8 },
    ReplyWithoutId,
    GiveUp { id: u8 },
    Pass { seconds: u64 },
    GiveUpAll,
}

/// What a table says to an event.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Added(Result<(), NotPending>),
    Matched(Matched<u64>),
    Ended(Vec<u64>),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let id = 0_u8..8;
    let event = prop_oneof![
        4 => (id.clone(), 0_u64..20).prop_map(|(id, deadline)| Event::Add { id, deadline }),
        4 => id.clone().prop_map(|id| Event::Reply { id }),
        1 => Just(Event::ReplyWithoutId),
        2 => id.prop_map(|id| Event::GiveUp { id }),
        2 => (0_u64..5).prop_map(|seconds| Event::Pass { seconds }),
        1 => Just(Event::GiveUpAll),
    ];
    prop::collection::vec(event, 0..120)
}

fn correlation_id(id: u8) -> CorrelationId {
    CorrelationId::read(&[id])
}

/// The table, with a clock in seconds.
struct Real {
    start: Instant,
    now: u64,
    next_waiter: u64,
    pending: Pending<u64>,
}

impl Real {
    fn at(&self, second: u64) -> Instant {
        self.start + Duration::from_secs(second)
    }

    fn step(&mut self, event: &Event) -> Said {
        match *event {
            Event::Add { id, deadline } => {
                self.next_waiter += 1;
                let deadline = self.at(self.now + deadline);
                Said::Added(self.pending.add(correlation_id(id), deadline, self.next_waiter))
            }
            Event::Reply { id } => Said::Matched(self.pending.answer(Some(correlation_id(id)))),
            Event::ReplyWithoutId => Said::Matched(self.pending.answer(None)),
            Event::GiveUp { id } => {
                Said::Ended(self.pending.give_up(correlation_id(id)).into_iter().collect())
            }
            Event::Pass { seconds } => {
                self.now += seconds;
                Said::Ended(self.pending.expire(self.at(self.now)))
            }
            Event::GiveUpAll => Said::Ended(self.pending.give_up_all()),
        }
    }
}

struct Open {
    id: u8,
    deadline: u64,
    waiter: u64,
}

/// The same with nothing but lists that are searched from end to end.
#[derive(Default)]
struct Naive {
    capacity: usize,
    memory: usize,
    now: u64,
    next_waiter: u64,
    open: Vec<Open>,
    closed: Vec<(u8, bool)>,
    counters: Counters,
}

impl Naive {
    fn step(&mut self, event: &Event) -> Said {
        match *event {
            Event::Add { id, deadline } => Said::Added(self.add(id, self.now + deadline)),
            Event::Reply { id } => Said::Matched(self.reply(id)),
            Event::ReplyWithoutId => {
                self.counters.broken += 1;
                Said::Matched(Matched::Broken)
            }
            Event::GiveUp { id } => Said::Ended(self.give_up(|open| open.id == id)),
            Event::Pass { seconds } => {
                self.now += seconds;
                let now = self.now;
                let expired = self.end(|open| open.deadline <= now, false);
                self.counters.timed_out += expired.len() as u64;
                Said::Ended(expired)
            }
            Event::GiveUpAll => Said::Ended(self.give_up(|_| true)),
        }
    }

    fn add(&mut self, id: u8, deadline: u64) -> Result<(), NotPending> {
        self.next_waiter += 1;
        if self.open.iter().any(|open| open.id == id) {
            return Err(NotPending::Duplicate { id: correlation_id(id) });
        }
        if self.open.len() == self.capacity {
            return Err(NotPending::Full { capacity: self.capacity });
        }
        self.open.push(Open { id, deadline, waiter: self.next_waiter });
        Ok(())
    }

    fn reply(&mut self, id: u8) -> Matched<u64> {
        if let Some(waiter) = self.end(|open| open.id == id, true).pop() {
            self.counters.answered += 1;
            return Matched::Call(waiter);
        }
        let remembered =
            self.closed.iter().rev().take(self.memory).find(|(closed, _)| *closed == id);
        match remembered {
            Some((_, true)) => {
                self.counters.duplicate += 1;
                Matched::Duplicate
            }
            Some((_, false)) => {
                self.counters.late += 1;
                Matched::Late
            }
            None => {
                self.counters.foreign += 1;
                Matched::Foreign
            }
        }
    }

    fn give_up(&mut self, which: impl Fn(&Open) -> bool) -> Vec<u64> {
        let waiters = self.end(which, false);
        self.counters.given_up += waiters.len() as u64;
        waiters
    }

    fn end(&mut self, which: impl Fn(&Open) -> bool, answered: bool) -> Vec<u64> {
        let mut ended: Vec<Open> = self.open.extract_if(.., |open| which(open)).collect();
        ended.sort_by_key(|open| (open.deadline, open.id));
        self.closed.extend(ended.iter().map(|open| (open.id, answered)));
        ended.iter().map(|open| open.waiter).collect()
    }
}

proptest! {
    #[test]
    fn table_does_what_the_lists_do(
        capacity in 0_usize..6, memory in 0_usize..6, events in events()
    ) {
        let pending = Pending::new(capacity, memory);
        let mut real = Real { start: Instant::now(), now: 0, next_waiter: 0, pending };
        let mut naive = Naive { capacity, memory, ..Naive::default() };
        for event in &events {
            prop_assert_eq!(real.step(event), naive.step(event), "{:?}", event);
            prop_assert_eq!(real.pending.counters(), naive.counters, "{:?}", event);
            prop_assert_eq!(real.pending.len(), naive.open.len());
        }
    }
}

#[test]
fn a_call_that_is_made_again_after_its_deadline_can_be_answered() {
    let now = Instant::now();
    let mut pending = Pending::new(1, 1);
    pending.add(correlation_id(1), now, "first").unwrap();
    assert_eq!(pending.expire(now), ["first"]);
    pending.add(correlation_id(1), now, "second").unwrap();
    assert_eq!(pending.answer(Some(correlation_id(1))), Matched::Call("second"));
    assert_eq!(pending.answer(Some(correlation_id(1))), Matched::Duplicate);
}
