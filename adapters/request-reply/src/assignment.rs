//! Which partitions are this member's, and what is due when they come and go.
//!
//! ```text
//!             assigned            started (not, where the client does not take it)
//!   Foreign ───────────► Granted ─────────► Consuming ─┐ started
//!      ▲                    │ revoked           │ ▲────┘ (moved to another position)
//!      │                    ▼                   ▼ revoked
//!      │                 Draining ──drained──► Drained
//!      └──── given away, lost ─┴──────────────────┘
//! ```
//!
//! *Granted* is an assignment without a position yet: only whoever reads knows it, so the
//! client is given a partition when it is first read (*started*). Whether the client has it is
//! kept along, for what the client does not have must not be taken from it.
//! A rebalance gives and takes any subset, an empty one too; each has a generation, and
//! generations only rise.

use std::collections::BTreeMap;

/// What a partition is to this member. That it is another's is told by its absence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Another's.
    Foreign,
    /// Ours, and not read yet.
    Granted,
    /// Ours, and the client has it.
    Consuming,
    /// To be given away once its lane has finished.
    Draining { started: bool },
    /// To be given away; its lane has finished.
    Drained { started: bool },
}

/// What happens to a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// The group says that it is ours.
    Assigned,
    /// It is read from a position.
    Started,
    /// The client did not take it.
    NotStarted,
    /// The group wants it back.
    Revoked,
    /// Its lane has finished.
    Drained,
    /// All lanes have finished, or their time is over.
    GivenAway,
    /// It is another's already.
    Lost,
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing.
    Nothing,
    /// The client is given the partition.
    Add,
    /// The client is given the partition at another position.
    Move,
    /// The client must give the partition up.
    Remove,
    /// Whoever reads is told that it is not ours.
    Refuse,
}

/// What becomes of a partition, and what is due: every pair.
#[expect(clippy::match_same_arms, reason = "each event has arms of its own")]
fn step(phase: Phase, event: Event) -> (Phase, Effect) {
    use Effect::{Add, Move, Nothing, Refuse, Remove};
    use Event::{Assigned, Drained as Finished, GivenAway, Lost, NotStarted, Revoked, Started};
    use Phase::{Consuming, Drained, Draining, Foreign, Granted};
    match (phase, event) {
        (Foreign | Granted, Assigned) => (Granted, Nothing),
        (Consuming, Assigned) => (Consuming, Nothing),
        // Given back before it was gone: what the client has of it belongs to the old lane.
        (Draining { started: true } | Drained { started: true }, Assigned) => (Granted, Remove),
        (Draining { started: false } | Drained { started: false }, Assigned) => (Granted, Nothing),

        (Granted, Started) => (Consuming, Add),
        (Consuming, Started) => (Consuming, Move),
        (Foreign | Draining { .. } | Drained { .. }, Started) => (phase, Refuse),

        (Consuming, NotStarted) => (Granted, Nothing),
        (Draining { started: true }, NotStarted) => (Draining { started: false }, Nothing),
        (Drained { started: true }, NotStarted) => (Drained { started: false }, Nothing),
        (
            Foreign | Granted | Draining { started: false } | Drained { started: false },
            NotStarted,
        ) => (phase, Nothing),

        (Granted, Revoked) => (Draining { started: false }, Nothing),
        (Consuming, Revoked) => (Draining { started: true }, Nothing),
        (Foreign | Draining { .. } | Drained { .. }, Revoked) => (phase, Nothing),

        (Draining { started }, Finished) => (Drained { started }, Nothing),
        (Foreign | Granted | Consuming | Drained { .. }, Finished) => (phase, Nothing),

        (Draining { started: true } | Drained { started: true }, GivenAway) => (Foreign, Remove),
        (Draining { started: false } | Drained { started: false }, GivenAway) => (Foreign, Nothing),
        (Foreign | Granted | Consuming, GivenAway) => (phase, Nothing),

        (Consuming | Draining { started: true } | Drained { started: true }, Lost) => {
            (Foreign, Remove)
        }
        (Foreign | Granted | Draining { started: false } | Drained { started: false }, Lost) => {
            (Foreign, Nothing)
        }
    }
}

/// The partitions of this member.
#[derive(Debug, Default)]
pub(crate) struct Assignment {
    generation: u64,
    phases: BTreeMap<i32, Phase>,
}

impl Assignment {
    /// The group has given partitions, perhaps none. Says which generation this is, and what
    /// the client must give up first.
    pub(crate) fn assigned(&mut self, partitions: &[i32]) -> (u64, Vec<i32>) {
        self.generation += 1;
        (self.generation, self.removed_by(partitions, Event::Assigned))
    }

    /// The group wants partitions back. Says which generation this is.
    pub(crate) fn revoked(&mut self, partitions: &[i32]) -> u64 {
        self.generation += 1;
        self.removed_by(partitions, Event::Revoked);
        self.generation
    }

    /// Partitions are another's already. Says which generation this is, and what the client
    /// must give up.
    pub(crate) fn lost(&mut self, partitions: &[i32]) -> (u64, Vec<i32>) {
        self.generation += 1;
        (self.generation, self.removed_by(partitions, Event::Lost))
    }

    /// A partition is to be read from a position: is it added, moved or refused?
    pub(crate) fn started(&mut self, partition: i32) -> Effect {
        self.apply(partition, Event::Started)
    }

    /// The client did not take what was started, and does not have it (any more).
    pub(crate) fn not_started(&mut self, partition: i32) {
        self.apply(partition, Event::NotStarted);
    }

    /// A lane has finished; of an older generation this says nothing.
    pub(crate) fn drained(&mut self, partition: i32, generation: u64) {
        if generation == self.generation {
            self.apply(partition, Event::Drained);
        }
    }

    /// Whether lanes have yet to finish.
    pub(crate) fn is_draining(&self) -> bool {
        self.phases.values().any(|phase| matches!(phase, Phase::Draining { .. }))
    }

    /// What was revoked goes now. Says what the client must give up.
    pub(crate) fn given_away(&mut self) -> Vec<i32> {
        let partitions: Vec<_> = self.phases.keys().copied().collect();
        self.removed_by(&partitions, Event::GivenAway)
    }

    /// Whether a partition may be read.
    pub(crate) fn may_read(&self, partition: i32) -> bool {
        matches!(self.phase(partition), Phase::Granted | Phase::Consuming)
    }

    /// What the client has.
    pub(crate) fn consuming(&self) -> Vec<i32> {
        let consuming = self.phases.iter().filter(|(_, phase)| **phase == Phase::Consuming);
        consuming.map(|(partition, _)| *partition).collect()
    }

    fn removed_by(&mut self, partitions: &[i32], event: Event) -> Vec<i32> {
        let removed = partitions.iter().copied();
        removed.filter(|partition| self.apply(*partition, event) == Effect::Remove).collect()
    }

    fn apply(&mut self, partition: i32, event: Event) -> Effect {
        let (phase, effect) = step(self.phase(partition), event);
        match phase {
            Phase::Foreign => self.phases.remove(&partition),
            phase => self.phases.insert(partition, phase),
        };
        effect
    }

    fn phase(&self, partition: i32) -> Phase {
        self.phases.get(&partition).copied().unwrap_or(Phase::Foreign)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_empty_assignment_is_normal() {
        let mut assignment = Assignment::default();
        assert_eq!(assignment.assigned(&[]), (1, vec![]));
        assert_eq!(assignment.revoked(&[]), 2);
        assert!(!assignment.is_draining());
        assert_eq!(assignment.given_away(), Vec::<i32>::new());
    }

    #[test]
    fn a_revocation_takes_a_part_and_leaves_the_rest() {
        let mut assignment = Assignment::default();
        assignment.assigned(&[0, 1, 2]);
        for partition in [0, 1] {
            assert_eq!(assignment.started(partition), Effect::Add);
        }
        let generation = assignment.revoked(&[1, 2]);
        assert!(assignment.may_read(0) && !assignment.may_read(1) && !assignment.may_read(2));
        assert_eq!(assignment.started(1), Effect::Refuse);
        assignment.drained(1, generation);
        assert!(assignment.is_draining(), "one lane is still at work");
        assignment.drained(2, generation);
        assert!(!assignment.is_draining());
        assert_eq!(assignment.given_away(), [1], "the client never had the other");
        assert_eq!(assignment.consuming(), [0]);
    }

    #[test]
    fn what_is_assigned_again_while_it_drains_starts_anew() {
        let mut assignment = Assignment::default();
        assignment.assigned(&[0, 1]);
        assignment.started(0);
        let old = assignment.revoked(&[0, 1]);
        let (_, removed) = assignment.assigned(&[0, 1]);
        assert_eq!(removed, [0]);
        assignment.drained(0, old);
        assert_eq!(assignment.started(0), Effect::Add);
        assert_eq!(assignment.given_away(), Vec::<i32>::new());
    }

    #[test]
    fn what_the_client_did_not_take_is_not_taken_from_it() {
        let mut assignment = Assignment::default();
        assignment.assigned(&[0, 1]);
        for partition in [0, 1] {
            assignment.started(partition);
        }
        assignment.not_started(1);
        assert!(assignment.may_read(1), "it is ours");
        assignment.revoked(&[0, 1]);
        assert_eq!(assignment.given_away(), [0]);
    }

    #[test]
    fn a_lane_that_is_late_stops_nobody() {
        let mut assignment = Assignment::default();
        assignment.assigned(&[0]);
        assignment.started(0);
        assignment.revoked(&[0]);
        assert!(assignment.is_draining());
        assert_eq!(assignment.given_away(), [0]);
        assert_eq!(assignment.given_away(), Vec::<i32>::new(), "once");
    }

    #[test]
    fn what_was_lost_is_gone_at_once() {
        let mut assignment = Assignment::default();
        assignment.assigned(&[0, 1]);
        assignment.started(0);
        let (_, removed) = assignment.lost(&[0, 1]);
        assert_eq!(removed, [0]);
        assert!(!assignment.may_read(0) && !assignment.may_read(1));
    }

    #[derive(Clone, Debug)]
    enum Change {
        Assign(Vec<i32>),
        Revoke(Vec<i32>),
        Lose(Vec<i32>),
        Start(i32),
        StartInVain(i32),
        Drain(i32, u64),
        GiveAway,
    }

    fn change() -> impl Strategy<Value = Change> {
        let some = || prop::collection::btree_set(0..5, 0..4).prop_map(Vec::from_iter);
        prop_oneof![
            3 => some().prop_map(Change::Assign),
            2 => some().prop_map(Change::Revoke),
            1 => some().prop_map(Change::Lose),
            4 => (0..5).prop_map(Change::Start),
            1 => (0..5).prop_map(Change::StartInVain),
            3 => ((0..5), 0_u64..3).prop_map(|(partition, ago)| Change::Drain(partition, ago)),
            2 => Just(Change::GiveAway),
        ]
    }

    /// The client: taking what it has not, or giving what it has, is an error there.
    #[derive(Default)]
    struct Client(BTreeSet<i32>);

    impl Client {
        fn remove(&mut self, partitions: Vec<i32>) {
            for partition in partitions {
                assert!(self.0.remove(&partition), "{partition} was not the client's");
            }
        }

        fn start(&mut self, partition: i32, effect: Effect) {
            match effect {
                Effect::Add => assert!(self.0.insert(partition), "{partition} is there already"),
                Effect::Move => assert!(self.0.contains(&partition), "{partition} cannot move"),
                Effect::Refuse => {}
                Effect::Nothing | Effect::Remove => panic!("{effect:?} on a start"),
            }
        }
    }

    proptest! {
        /// The client is given each partition once and gives it up once; what may be read is
        /// never draining; generations only rise.
        #[test]
        fn prop_the_client_always_agrees(changes in prop::collection::vec(change(), 1..100)) {
            let mut assignment = Assignment::default();
            let mut client = Client::default();
            for change in changes {
                let before = assignment.generation;
                match change {
                    Change::Assign(some) => client.remove(assignment.assigned(&some).1),
                    Change::Revoke(some) => { assignment.revoked(&some); }
                    Change::Lose(some) => client.remove(assignment.lost(&some).1),
                    Change::Start(one) => client.start(one, assignment.started(one)),
                    Change::StartInVain(one) => {
                        if assignment.started(one) != Effect::Refuse {
                            client.0.remove(&one);
                            assignment.not_started(one);
                        }
                    }
                    Change::Drain(one, ago) => assignment.drained(one, before.saturating_sub(ago)),
                    Change::GiveAway => {
                        client.remove(assignment.given_away());
                        prop_assert!(!assignment.is_draining());
                    }
                }
                prop_assert!(before <= assignment.generation);
                for partition in 0..5 {
                    let phase = assignment.phase(partition);
                    let started = match phase {
                        Phase::Foreign | Phase::Granted => false,
                        Phase::Consuming => true,
                        Phase::Draining { started } | Phase::Drained { started } => started,
                    };
                    prop_assert_eq!(started, client.0.contains(&partition), "{:?}", phase);
                    let at_once = assignment.may_read(partition)
                        && matches!(phase, Phase::Draining { .. } | Phase::Drained { .. });
                    prop_assert!(!at_once);
                }
            }
        }
    }
}
