//! Which lanes this member of the group works on: what events do to that, and nothing else.

use std::collections::BTreeMap;

use catchment_domain::Lane;

/// Which assignment of the group an event belongs to.
pub(crate) type Generation = u64;

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Begin to work on a lane.
    Start(Lane),
    /// End the work on a lane after the step in hand.
    Stop(Lane),
    /// Tell the group that a revoked lane is done with.
    Drained(Lane, Generation),
}

/// How a lane stands that is worked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Post {
    Working,
    /// The step in hand is the last one.
    Ending {
        /// The revocation that waits for it.
        revoked: Option<Generation>,
        /// Whether the lane has come back meanwhile.
        again: bool,
    },
}

/// The lanes that are worked on. A lane has one worker at most: one that comes back while its
/// last step is under way is begun anew behind it.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    posts: BTreeMap<Lane, Post>,
    /// No work is begun any more.
    leaving: bool,
}

impl Roster {
    /// The lane is this member's; one that leaves leaves it to the next member.
    pub(crate) fn assigned(&mut self, lane: Lane) -> Option<Effect> {
        if self.leaving {
            return None;
        }
        match self.posts.get_mut(&lane) {
            None => {
                self.posts.insert(lane, Post::Working);
                Some(Effect::Start(lane))
            }
            Some(Post::Working) => None,
            Some(Post::Ending { again, .. }) => {
                *again = true;
                None
            }
        }
    }

    /// The lane will be another member's, once this one says that it is done with it.
    pub(crate) fn revoked(&mut self, lane: Lane, generation: Generation) -> Option<Effect> {
        self.end(lane, Some(generation))
    }

    /// The lane is another member's already.
    pub(crate) fn lost(&mut self, lane: Lane) -> Option<Effect> {
        self.end(lane, None)
    }

    /// Every lane is to end, and none to begin.
    pub(crate) fn leave(&mut self) -> Vec<Effect> {
        self.leaving = true;
        let lanes: Vec<Lane> = self.posts.keys().copied().collect();
        lanes.into_iter().filter_map(|lane| self.end(lane, None)).collect()
    }

    fn end(&mut self, lane: Lane, generation: Option<Generation>) -> Option<Effect> {
        match self.posts.get_mut(&lane) {
            None => generation.map(|generation| Effect::Drained(lane, generation)),
            Some(post @ Post::Working) => {
                *post = Post::Ending { revoked: generation, again: false };
                Some(Effect::Stop(lane))
            }
            Some(Post::Ending { revoked, again }) => {
                *again = false;
                *revoked = generation.or(*revoked);
                None
            }
        }
    }

    /// The work on a lane has ended.
    pub(crate) fn ended(&mut self, lane: Lane) -> Vec<Effect> {
        match self.posts.remove(&lane) {
            None | Some(Post::Working) => Vec::new(),
            Some(Post::Ending { revoked, again }) => {
                let drained = revoked.map(|generation| Effect::Drained(lane, generation));
                let started = again.then(|| self.assigned(lane)).flatten();
                drained.into_iter().chain(started).collect()
            }
        }
    }

    /// Whether no lane is worked on.
    pub(crate) fn is_empty(&self) -> bool {
        self.posts.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LANE: Lane = Lane(3);
    const START: Option<Effect> = Some(Effect::Start(LANE));
    const STOP: Option<Effect> = Some(Effect::Stop(LANE));

    #[test]
    fn a_lane_is_worked_on_from_its_assignment_to_its_revocation() {
        let mut roster = Roster::default();
        assert_eq!(roster.assigned(LANE), START);
        assert_eq!(roster.revoked(LANE, 1), STOP);
        assert_eq!(roster.ended(LANE), [Effect::Drained(LANE, 1)]);
        assert!(roster.is_empty());
    }

    #[test]
    fn an_assignment_that_says_nothing_new_changes_nothing() {
        let mut roster = Roster::default();
        assert_eq!(roster.assigned(LANE), START);
        assert_eq!(roster.assigned(LANE), None);
    }

    #[test]
    fn only_what_is_revoked_ends() {
        let mut roster = Roster::default();
        roster.assigned(LANE);
        roster.assigned(Lane(4));
        assert_eq!(roster.revoked(LANE, 1), STOP);
        roster.ended(LANE);
        assert!(!roster.is_empty());
        assert_eq!(roster.leave(), [Effect::Stop(Lane(4))]);
    }

    #[test]
    fn a_lane_that_is_not_worked_on_is_drained_at_once() {
        let mut roster = Roster::default();
        assert_eq!(roster.revoked(LANE, 7), Some(Effect::Drained(LANE, 7)));
        assert_eq!(roster.lost(LANE), None);
    }

    #[test]
    fn a_lane_that_comes_back_while_it_drains_is_begun_behind_the_step_in_hand() {
        let mut roster = Roster::default();
        roster.assigned(LANE);
        roster.revoked(LANE, 1);
        assert_eq!(roster.assigned(LANE), None);
        assert_eq!(roster.ended(LANE), [Effect::Drained(LANE, 1), Effect::Start(LANE)]);
        assert_eq!(roster.revoked(LANE, 2), STOP);
    }

    #[test]
    fn a_lane_that_comes_and_goes_again_while_it_drains_is_not_begun() {
        let mut roster = Roster::default();
        roster.assigned(LANE);
        roster.revoked(LANE, 1);
        roster.assigned(LANE);
        assert_eq!(roster.revoked(LANE, 2), None);
        assert_eq!(roster.ended(LANE), [Effect::Drained(LANE, 2)]);
    }

    #[test]
    fn nobody_waits_for_a_lane_that_was_lost() {
        let mut roster = Roster::default();
        roster.assigned(LANE);
        assert_eq!(roster.lost(LANE), STOP);
        assert_eq!(roster.ended(LANE), []);
    }

    #[test]
    fn a_lane_that_is_lost_while_it_drains_still_says_that_it_is_done() {
        let mut roster = Roster::default();
        roster.assigned(LANE);
        roster.revoked(LANE, 1);
        assert_eq!(roster.lost(LANE), None);
        assert_eq!(roster.ended(LANE), [Effect::Drained(LANE, 1)]);
    }

    #[test]
    fn a_member_that_leaves_begins_nothing_new() {
        let mut roster = Roster::default();
        roster.assigned(LANE);
        assert_eq!(roster.leave(), [Effect::Stop(LANE)]);
        assert_eq!(roster.assigned(LANE), None);
        assert_eq!(roster.assigned(Lane(4)), None);
        assert_eq!(roster.ended(LANE), []);
        assert!(roster.is_empty());
        assert_eq!(roster.revoked(Lane(4), 2), Some(Effect::Drained(Lane(4), 2)));
    }

    #[test]
    fn a_lane_that_came_back_before_the_member_leaves_is_not_begun() {
        let mut roster = Roster::default();
        roster.assigned(LANE);
        roster.revoked(LANE, 1);
        roster.assigned(LANE);
        assert_eq!(roster.leave(), []);
        assert_eq!(roster.ended(LANE), [Effect::Drained(LANE, 1)]);
        assert!(roster.is_empty());
    }

    #[test]
    fn work_that_ended_by_itself_is_not_begun_anew() {
        let mut roster = Roster::default();
        roster.assigned(LANE);
        assert_eq!(roster.ended(LANE), []);
        assert!(roster.is_empty());
    }
}
