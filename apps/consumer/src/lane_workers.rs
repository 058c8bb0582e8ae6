//! The lanes that this member of the group works on. Events change them, and nothing else does.

use std::collections::BTreeMap;

use catchment_domain::Lane;

/// The number of the group's assignment to which an event belongs.
pub(crate) type Generation = u64;

/// An action that follows from an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Begin to work on a lane.
    Start(Lane),
    /// End the work on a lane after the current step.
    Stop(Lane),
    /// Tell the group that the work on a revoked lane is done.
    Drained(Lane, Generation),
    /// Leave a lane alone for a while because a human must look at it, and then try it again.
    SetAside(Lane),
    /// End the process: no lane can be worked on, and none ever could.
    GiveUp,
}

/// The state of a lane of this member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LaneState {
    Working,
    /// A human must look at the lane. The lane stays with this member: another one would fail, too.
    SetAside,
    /// The current step is the last one.
    Ending {
        /// The revocation that waits for the step.
        revoked: Option<Generation>,
        /// Whether the lane was assigned again meanwhile.
        again: bool,
    },
}

/// The lanes of this member. A lane has at most one worker: if a lane comes back during its last
/// step, new work begins after that step.
#[derive(Debug)]
pub(crate) struct LaneWorkers {
    states: BTreeMap<Lane, LaneState>,
    /// The number of all lanes, with those of other members.
    lanes: usize,
    /// Whether a lane has moved since the process began.
    has_moved: bool,
    /// Whether the member is leaving, so that no new work begins.
    leaving: bool,
}

impl LaneWorkers {
    /// Makes a member without lanes. `lanes` is the number of all lanes.
    pub(crate) const fn new(lanes: usize) -> Self {
        Self { states: BTreeMap::new(), lanes, has_moved: false, leaving: false }
    }

    /// Handles that the lane was assigned to this member. A member that is leaving does not start
    /// it.
    ///
    /// A lane that the database does not have is left alone: partitions were added to the topic.
    /// The member cannot wait for its revocation. Where the topic was made again with fewer
    /// partitions, the assignor of librdkafka 2.12.1 was seen to leave partitions that are gone to
    /// the members that had them.
    pub(crate) fn assigned(&mut self, lane: Lane) -> Option<Effect> {
        if self.leaving || self.lanes <= usize::from(lane.0) {
            return None;
        }
        match self.states.get_mut(&lane) {
            None => {
                self.states.insert(lane, LaneState::Working);
                Some(Effect::Start(lane))
            }
            Some(LaneState::Working | LaneState::SetAside) => None,
            Some(LaneState::Ending { again, .. }) => {
                *again = true;
                None
            }
        }
    }

    /// Handles that the lane was revoked. Another member gets it once this one says that its work
    /// is done.
    pub(crate) fn revoked(&mut self, lane: Lane, generation: Generation) -> Option<Effect> {
        self.end(lane, Some(generation))
    }

    /// Handles that the lane was lost: another member may already have it.
    pub(crate) fn lost(&mut self, lane: Lane) -> Option<Effect> {
        self.end(lane, None)
    }

    /// Ends the work on every lane, and starts no other.
    pub(crate) fn leave(&mut self) -> Vec<Effect> {
        self.leaving = true;
        let lanes: Vec<Lane> = self.states.keys().copied().collect();
        lanes.into_iter().filter_map(|lane| self.end(lane, None)).collect()
    }

    fn end(&mut self, lane: Lane, generation: Option<Generation>) -> Option<Effect> {
        let drained = || generation.map(|generation| Effect::Drained(lane, generation));
        match self.states.get_mut(&lane) {
            None => drained(),
            Some(LaneState::SetAside) => {
                self.states.remove(&lane);
                drained()
            }
            Some(state @ LaneState::Working) => {
                *state = LaneState::Ending { revoked: generation, again: false };
                Some(Effect::Stop(lane))
            }
            Some(LaneState::Ending { revoked, again }) => {
                *again = false;
                *revoked = generation.or(*revoked);
                None
            }
        }
    }

    /// Handles that the work on a lane has ended.
    pub(crate) fn ended(&mut self, lane: Lane) -> Vec<Effect> {
        match self.states.remove(&lane) {
            None | Some(LaneState::Working | LaneState::SetAside) => Vec::new(),
            Some(LaneState::Ending { revoked, again }) => {
                let drained = revoked.map(|generation| Effect::Drained(lane, generation));
                let started = again.then(|| self.assigned(lane)).flatten();
                drained.into_iter().chain(started).collect()
            }
        }
    }

    /// Handles that the work on a lane has ended because a human must look at the lane.
    ///
    /// 1. If the lane was revoked or lost, it goes.
    /// 2. Otherwise the lane is set aside, and the other lanes go on.
    /// 3. If this member has all lanes, all of them are set aside, and none has moved since the
    ///    process began, the process gives up: it was started with something that does not fit.
    pub(crate) fn broke(&mut self, lane: Lane) -> Vec<Effect> {
        match self.states.get_mut(&lane) {
            Some(state @ LaneState::Working) => *state = LaneState::SetAside,
            None | Some(LaneState::Ending { .. } | LaneState::SetAside) => return self.ended(lane),
        }
        let is_hopeless = !self.has_moved
            && self.states.len() == self.lanes
            && self.states.values().all(|state| *state == LaneState::SetAside);
        vec![if is_hopeless { Effect::GiveUp } else { Effect::SetAside(lane) }]
    }

    /// Starts a lane that was set aside for long enough.
    pub(crate) fn try_again(&mut self, lane: Lane) -> Option<Effect> {
        match self.states.get_mut(&lane) {
            Some(state @ LaneState::SetAside) => {
                *state = LaneState::Working;
                Some(Effect::Start(lane))
            }
            None | Some(LaneState::Working | LaneState::Ending { .. }) => None,
        }
    }

    /// Records that a lane has moved.
    pub(crate) const fn moved(&mut self) {
        self.has_moved = true;
    }

    /// Returns whether the lane belongs to this member.
    pub(crate) fn has(&self, lane: Lane) -> bool {
        self.states.contains_key(&lane)
    }

    /// Returns whether this member has no lanes.
    pub(crate) fn is_empty(&self) -> bool {
        self.states.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LANE: Lane = Lane(0);
    const START: Option<Effect> = Some(Effect::Start(LANE));
    const STOP: Option<Effect> = Some(Effect::Stop(LANE));
    const DRAINED: Option<Effect> = Some(Effect::Drained(LANE, 1));

    /// Makes a member of a group with two lanes.
    fn workers() -> LaneWorkers {
        LaneWorkers::new(2)
    }

    #[test]
    fn a_lane_is_worked_on_from_its_assignment_to_its_revocation() {
        let mut workers = workers();
        assert_eq!(workers.assigned(LANE), START);
        assert_eq!(workers.revoked(LANE, 1), STOP);
        assert_eq!(workers.ended(LANE), [Effect::Drained(LANE, 1)]);
        assert!(workers.is_empty());
    }

    #[test]
    fn a_partition_that_is_no_lane_of_the_database_is_never_worked_on() {
        let mut workers = workers();
        assert_eq!(workers.assigned(LANE), START);
        assert_eq!(workers.assigned(Lane(2)), None);
        assert!(!workers.has(Lane(2)));
        assert_eq!(workers.try_again(Lane(2)), None);
        assert_eq!(workers.revoked(Lane(2), 1), Some(Effect::Drained(Lane(2), 1)));
        assert_eq!(workers.leave(), [Effect::Stop(LANE)]);
    }

    #[test]
    fn an_assignment_that_says_nothing_new_changes_nothing() {
        let mut workers = workers();
        assert_eq!(workers.assigned(LANE), START);
        assert_eq!(workers.assigned(LANE), None);
    }

    #[test]
    fn only_what_is_revoked_ends() {
        let mut workers = workers();
        workers.assigned(LANE);
        workers.assigned(Lane(1));
        assert_eq!(workers.revoked(LANE, 1), STOP);
        workers.ended(LANE);
        assert!(!workers.is_empty());
        assert_eq!(workers.leave(), [Effect::Stop(Lane(1))]);
    }

    #[test]
    fn a_lane_that_is_not_worked_on_is_drained_at_once() {
        let mut workers = workers();
        assert_eq!(workers.revoked(LANE, 7), Some(Effect::Drained(LANE, 7)));
        assert_eq!(workers.lost(LANE), None);
    }

    #[test]
    fn a_lane_that_comes_back_while_it_drains_is_begun_behind_the_step_in_hand() {
        let mut workers = workers();
        workers.assigned(LANE);
        workers.revoked(LANE, 1);
        assert_eq!(workers.assigned(LANE), None);
        assert_eq!(workers.ended(LANE), [Effect::Drained(LANE, 1), Effect::Start(LANE)]);
        assert_eq!(workers.revoked(LANE, 2), STOP);
    }

    #[test]
    fn a_lane_that_comes_and_goes_again_while_it_drains_is_not_begun() {
        let mut workers = workers();
        workers.assigned(LANE);
        workers.revoked(LANE, 1);
        workers.assigned(LANE);
        assert_eq!(workers.revoked(LANE, 2), None);
        assert_eq!(workers.ended(LANE), [Effect::Drained(LANE, 2)]);
    }

    #[test]
    fn nobody_waits_for_a_lane_that_was_lost() {
        let mut workers = workers();
        workers.assigned(LANE);
        assert_eq!(workers.lost(LANE), STOP);
        assert_eq!(workers.ended(LANE), []);
    }

    #[test]
    fn a_lane_that_is_lost_while_it_drains_still_says_that_it_is_done() {
        let mut workers = workers();
        workers.assigned(LANE);
        workers.revoked(LANE, 1);
        assert_eq!(workers.lost(LANE), None);
        assert_eq!(workers.ended(LANE), [Effect::Drained(LANE, 1)]);
    }

    #[test]
    fn a_member_that_leaves_begins_nothing_new() {
        let mut workers = workers();
        workers.assigned(LANE);
        assert_eq!(workers.leave(), [Effect::Stop(LANE)]);
        assert_eq!(workers.assigned(LANE), None);
        assert_eq!(workers.assigned(Lane(1)), None);
        assert_eq!(workers.ended(LANE), []);
        assert!(workers.is_empty());
        assert_eq!(workers.revoked(Lane(1), 2), Some(Effect::Drained(Lane(1), 2)));
    }

    #[test]
    fn a_lane_that_came_back_before_the_member_leaves_is_not_begun() {
        let mut workers = workers();
        workers.assigned(LANE);
        workers.revoked(LANE, 1);
        workers.assigned(LANE);
        assert_eq!(workers.leave(), []);
        assert_eq!(workers.ended(LANE), [Effect::Drained(LANE, 1)]);
        assert!(workers.is_empty());
    }

    #[test]
    fn work_that_ended_by_itself_is_not_begun_anew() {
        let mut workers = workers();
        workers.assigned(LANE);
        assert_eq!(workers.ended(LANE), []);
        assert!(workers.is_empty());
    }

    #[test]
    fn a_lane_at_which_a_human_must_look_is_set_aside_alone_and_tried_again() {
        let mut workers = workers();
        workers.assigned(LANE);
        workers.assigned(Lane(1));
        assert_eq!(workers.broke(LANE), [Effect::SetAside(LANE)]);
        assert_eq!(workers.assigned(LANE), None, "nothing new");
        assert_eq!(workers.try_again(LANE), START);
        assert_eq!(workers.try_again(LANE), None, "it is worked on already");
        assert_eq!(workers.broke(LANE), [Effect::SetAside(LANE)]);
        assert_eq!(workers.try_again(Lane(1)), None, "it never was set aside");
    }

    /// Checks what becomes of a lane that is set aside when `event` happens.
    fn check(
        event: impl Fn(&mut LaneWorkers) -> Option<Effect>,
        effect: Option<Effect>,
        stays: bool,
    ) {
        let mut workers = workers();
        workers.assigned(LANE);
        workers.broke(LANE);
        assert_eq!(event(&mut workers), effect);
        assert_eq!(workers.has(LANE), stays);
        assert_eq!(workers.try_again(LANE), if stays { START } else { None });
    }

    #[test]
    fn a_lane_that_is_set_aside_stays_until_the_group_takes_it() {
        check(|workers| workers.assigned(LANE), None, true);
        check(|workers| workers.revoked(Lane(1), 1), Some(Effect::Drained(Lane(1), 1)), true);
        check(|workers| workers.revoked(LANE, 1), DRAINED, false);
        check(|workers| workers.lost(LANE), None, false);
        check(|workers| workers.leave().pop(), None, false);
    }

    #[test]
    fn a_lane_that_comes_back_is_tried_at_once() {
        let mut workers = workers();
        workers.assigned(LANE);
        workers.broke(LANE);
        workers.revoked(LANE, 1);
        assert_eq!(workers.assigned(LANE), START);
    }

    #[test]
    fn a_lane_that_breaks_while_it_drains_goes() {
        let mut workers = workers();
        workers.assigned(LANE);
        workers.revoked(LANE, 1);
        assert_eq!(workers.broke(LANE), [Effect::Drained(LANE, 1)]);
        assert!(!workers.has(LANE));
        workers.assigned(LANE);
        workers.revoked(LANE, 2);
        workers.assigned(LANE);
        assert_eq!(workers.broke(LANE), [Effect::Drained(LANE, 2), Effect::Start(LANE)]);
    }

    #[test]
    fn the_process_gives_up_where_no_lane_there_is_ever_moved() {
        for (others, has_moved, effect) in [
            (1, false, Effect::GiveUp),
            (1, true, Effect::SetAside(LANE)),
            // Another member has the second lane, and would get this one, too.
            (0, false, Effect::SetAside(LANE)),
        ] {
            let mut workers = workers();
            for other in (1..).take(others) {
                workers.assigned(Lane(other));
                assert_eq!(workers.broke(Lane(other)), [Effect::SetAside(Lane(other))]);
            }
            if has_moved {
                workers.moved();
            }
            workers.assigned(LANE);
            assert_eq!(workers.broke(LANE), [effect]);
        }
    }

    #[test]
    fn the_process_goes_on_while_a_lane_is_worked_on() {
        let mut workers = workers();
        workers.assigned(LANE);
        workers.assigned(Lane(1));
        assert_eq!(workers.broke(LANE), [Effect::SetAside(LANE)]);
        workers.try_again(LANE);
        assert_eq!(workers.broke(Lane(1)), [Effect::SetAside(Lane(1))]);
        assert_eq!(workers.broke(LANE), [Effect::GiveUp]);
    }
}
