//! How many requests a requester may have under way: in each request lane, and in all together.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::chunk::CHUNK_SHOPS;
use crate::lane::{Lane, Lanes};
use crate::time::Timestamp;

/// How long a request should wait for its answer while a campaign runs.
const TARGET: Duration = Duration::from_millis(250);
/// A request that waits longer is late: its lane is slow, or does not answer at all.
const LATE: Duration = Duration::from_secs(1);
/// How long answers are counted before the size for all lanes is steered.
const MEASURED: Duration = Duration::from_millis(100);

/// The most requests that may be under way, whatever the answers say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowLimits {
    /// How many request lanes there are.
    pub lanes: Lanes,
    /// In all lanes together, and with that a bound on memory.
    pub total: u32,
    /// In one lane.
    pub lane: u32,
    /// The part of the total that is divided evenly among the lanes. A lane's share is free for
    /// it whatever is under way in the others.
    pub reserve: u32,
}

impl WindowLimits {
    /// The limits for so many lanes: 64,000 requests, 16,000 in a lane, 8,000 in reserve.
    #[must_use]
    pub const fn new(lanes: Lanes) -> Self {
        Self { lanes, total: 64_000, lane: 16_000, reserve: 8_000 }
    }

    /// A lane's share of the reserve.
    fn share(self) -> u32 {
        (self.reserve / u32::from(self.lanes.count())).max(1)
    }

    /// All shares together.
    fn reserved(self) -> u32 {
        self.share().saturating_mul(self.lanes.count().into())
    }

    /// What is not reserved.
    fn shared(self) -> u32 {
        self.total.saturating_sub(self.reserved())
    }
}

/// Steers how many requests are under way so that each waits about 250 ms for its answer. So a
/// second campaign or a single call does not queue behind 300,000 others, and a lane that does
/// not answer holds up no other.
///
/// 1. Each lane has a window, at first the size of a chunk. It grows by what was answered within
///    250 ms, while at least half of it is used.
/// 2. A lane's window is halved while its oldest request waits for more than a second, at most
///    every 250 ms, down to the lane's share of the reserve. So a lane that does not answer
///    loses its window, and gets it back by answering.
/// 3. The window of all lanes is the answers per second times 250 ms (Little's law), at least
///    the reserve, at most what is not reserved. A lane counts there for no more than its own
///    window, so what does not answer takes nothing from the others.
/// 4. The [limits](WindowLimits) hold whatever was steered.
/// 5. As many requests as are asked for are granted where half of them have room: a whole chunk
///    is cheaper to store than its parts. A lane with nothing under way is granted a part.
///
/// ```
/// use catchment_domain::{Lane, Lanes, Timestamp, Window, WindowLimits};
/// let now = Timestamp::from_millis(0);
/// let mut window = Window::new(WindowLimits::new(Lanes(12.try_into().unwrap())), now);
/// assert_eq!(window.grant(Lane(3), 2_000), 2_000);
/// window.sent(Lane(3), 2_000, now);
/// assert_eq!(window.grant(Lane(3), 2_000), 0);
/// assert_eq!(window.grant(Lane(4), 2_000), 2_000);
/// ```
#[derive(Clone, Debug)]
pub struct Window {
    limits: WindowLimits,
    lanes: BTreeMap<Lane, LaneWindow>,
    sums: Sums,
    /// The size for all lanes together.
    size: u32,
    /// Answers since then.
    answered: u32,
    since: Timestamp,
    /// The newest time that was heard of.
    now: Timestamp,
}

/// One lane's part.
#[derive(Clone, Debug)]
struct LaneWindow {
    size: u32,
    under_way: u32,
    /// When how many of them were sent, the oldest first.
    sent: VecDeque<(Timestamp, u32)>,
    halved_at: Option<Timestamp>,
}

/// What all lanes come to.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    under_way: u32,
    /// Where a lane counts for no more than its window.
    counted: u32,
    /// What exceeds the lanes' shares of the reserve.
    beyond_shares: u32,
}

impl Window {
    /// A window with nothing under way, measured from `now` on.
    #[must_use]
    pub fn new(limits: WindowLimits, now: Timestamp) -> Self {
        let size = limits.reserved();
        let (lanes, sums) = (BTreeMap::new(), Sums::default());
        Self { limits, lanes, sums, size, answered: 0, since: now, now }
    }

    /// How many requests are under way.
    #[must_use]
    pub const fn under_way(&self) -> u32 {
        self.sums.under_way
    }

    /// How many requests are under way in a lane.
    #[must_use]
    pub fn under_way_in(&self, lane: Lane) -> u32 {
        self.lanes.get(&lane).map_or(0, |window| window.under_way)
    }

    /// How many of so many requests may be sent in a lane now.
    #[must_use]
    pub fn grant(&self, lane: Lane, wanted: u32) -> u32 {
        let (size, under_way) = match self.lanes.get(&lane) {
            Some(window) => (window.size, window.under_way),
            None => (self.first_size(), 0),
        };
        let in_all = self.size.saturating_sub(self.sums.counted);
        let room = size.saturating_sub(under_way).min(in_all);
        let allowed = self.allowed(under_way);
        if wanted <= allowed && wanted.div_ceil(2) <= room {
            wanted
        } else if under_way == 0 {
            wanted.min(room).min(allowed)
        } else {
            0
        }
    }

    /// Takes so many requests for under way from now on.
    pub fn sent(&mut self, lane: Lane, count: u32, now: Timestamp) {
        self.pass_time(now);
        if count == 0 {
            return;
        }
        if self.sums.under_way == 0 {
            // The pause before says nothing about how fast the answers come.
            (self.answered, self.since) = (0, now);
        }
        self.change(lane, |window, _| {
            window.under_way = window.under_way.saturating_add(count);
            match window.sent.back_mut() {
                Some((at, sent)) if *at == now => *sent = sent.saturating_add(count),
                _ => window.sent.push_back((now, count)),
            }
        });
    }

    /// So many requests of a lane were answered.
    pub fn answered(&mut self, lane: Lane, count: u32, now: Timestamp) {
        self.pass_time(now);
        self.change(lane, |window, limits| {
            let is_used = window.size.div_ceil(2) <= window.under_way;
            if is_used && window.waited(now) <= TARGET {
                window.size = window.size.saturating_add(count).min(limits.lane);
            }
            window.take(count);
        });
        self.answered = self.answered.saturating_add(count);
        self.steer();
    }

    /// So many requests of a lane are not waited for any more, the oldest first.
    pub fn forgotten(&mut self, lane: Lane, count: u32) {
        self.change(lane, |window, _| window.take(count));
    }

    /// Nothing is waited for any more. The sizes stay.
    pub fn forget_all(&mut self) {
        for window in self.lanes.values_mut() {
            window.take(u32::MAX);
        }
        self.sums = Sums::default();
    }

    /// Halves the windows of lanes that are late. A clock that steps back begins anew with what
    /// it measures.
    pub fn pass_time(&mut self, now: Timestamp) {
        if now == self.now {
            return;
        }
        if now < self.now {
            (self.answered, self.since) = (0, now);
            self.lanes.values_mut().for_each(|window| window.step_back(now));
        }
        self.now = now;
        let least = self.limits.share().min(self.limits.lane);
        let mut sums = Sums::default();
        for window in self.lanes.values_mut() {
            window.halve_if_late(least, now);
            sums.add(window, self.limits);
        }
        self.sums = sums;
    }

    /// Goes half way towards the size that the answers ask for, so that one odd pause does not
    /// swing it.
    fn steer(&mut self) {
        let elapsed = self.now.saturating_since(self.since);
        if elapsed < MEASURED {
            return;
        }
        let waiting = u128::from(self.answered) * TARGET.as_millis() / elapsed.as_millis();
        let waiting = u32::try_from(waiting).unwrap_or(u32::MAX);
        let least = self.limits.reserved();
        let size = waiting.clamp(least, self.limits.shared().max(least));
        self.size = u32::midpoint(self.size, size);
        (self.answered, self.since) = (0, self.now);
    }

    /// How many more requests the limits allow in a lane with so many under way.
    fn allowed(&self, under_way: u32) -> u32 {
        let limits = self.limits;
        let of_share = limits.share().saturating_sub(under_way);
        let shared = limits.shared().saturating_sub(self.sums.beyond_shares);
        let in_lane = limits.lane.saturating_sub(under_way);
        let in_all = limits.total.saturating_sub(self.sums.under_way);
        of_share.saturating_add(shared).min(in_lane).min(in_all)
    }

    /// The size of a lane's window at first: a chunk.
    fn first_size(&self) -> u32 {
        let chunk = u32::try_from(CHUNK_SHOPS).unwrap_or(u32::MAX);
        chunk.max(self.limits.share()).min(self.limits.lane)
    }

    /// Changes one lane's part, and the sums with it.
    fn change(&mut self, lane: Lane, change: impl FnOnce(&mut LaneWindow, WindowLimits)) {
        let (limits, size) = (self.limits, self.first_size());
        let window = self.lanes.entry(lane).or_insert_with(|| LaneWindow::new(size));
        self.sums.subtract(window, limits);
        change(window, limits);
        self.sums.add(window, limits);
    }
}

impl LaneWindow {
    const fn new(size: u32) -> Self {
        Self { size, under_way: 0, sent: VecDeque::new(), halved_at: None }
    }

    /// How long its oldest request has waited.
    fn waited(&self, now: Timestamp) -> Duration {
        self.sent.front().map_or(Duration::ZERO, |(at, _)| now.saturating_since(*at))
    }

    /// Takes the oldest away.
    fn take(&mut self, count: u32) {
        let mut left = count.min(self.under_way);
        self.under_way -= left;
        while 0 < left
            && let Some((_, sent)) = self.sent.front_mut()
        {
            let taken = left.min(*sent);
            left -= taken;
            *sent -= taken;
            if *sent == 0 {
                self.sent.pop_front();
            }
        }
    }

    fn halve_if_late(&mut self, least: u32, now: Timestamp) {
        let is_due = self.halved_at.is_none_or(|at| TARGET <= now.saturating_since(at));
        if LATE < self.waited(now) && is_due {
            self.size = (self.size / 2).max(least);
            self.halved_at = Some(now);
        }
    }

    /// Nothing was later than now.
    fn step_back(&mut self, now: Timestamp) {
        self.sent.iter_mut().for_each(|(at, _)| *at = now.min(*at));
        self.halved_at = self.halved_at.map(|at| now.min(at));
    }
}

impl Sums {
    fn of(window: &LaneWindow, limits: WindowLimits) -> [u32; 3] {
        let under_way = window.under_way;
        [under_way, under_way.min(window.size), under_way.saturating_sub(limits.share())]
    }

    fn add(&mut self, window: &LaneWindow, limits: WindowLimits) {
        let [under_way, counted, beyond_shares] = Self::of(window, limits);
        self.under_way = self.under_way.saturating_add(under_way);
        self.counted = self.counted.saturating_add(counted);
        self.beyond_shares = self.beyond_shares.saturating_add(beyond_shares);
    }

    fn subtract(&mut self, window: &LaneWindow, limits: WindowLimits) {
        let [under_way, counted, beyond_shares] = Self::of(window, limits);
        self.under_way = self.under_way.saturating_sub(under_way);
        self.counted = self.counted.saturating_sub(counted);
        self.beyond_shares = self.beyond_shares.saturating_sub(beyond_shares);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LANE: Lane = Lane(1);
    const OTHER: Lane = Lane(2);

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    /// Ten lanes with a share of 800 each.
    fn window() -> Window {
        Window::new(WindowLimits::new(Lanes(10.try_into().unwrap())), at(0))
    }

    fn size_of(window: &Window, lane: Lane) -> u32 {
        window.lanes[&lane].size
    }

    #[test]
    fn a_lane_grows_by_what_is_answered_in_time_while_it_is_used() {
        for (sent, answered, after, expected) in [
            (2_000, 2_000, 250, 4_000),
            (2_000, 500, 10, 2_500),
            (1_000, 1_000, 10, 3_000),
            (999, 999, 10, 2_000),
            (2_000, 2_000, 251, 2_000),
            (2_000, 2_000, 1_000, 2_000),
            (2_000, 2_000, 1_001, 1_000),
        ] {
            let mut window = window();
            window.sent(LANE, sent, at(0));
            window.answered(LANE, answered, at(after));
            assert_eq!(size_of(&window, LANE), expected, "{answered} of {sent} after {after} ms");
        }
    }

    #[test]
    fn a_lane_never_grows_beyond_its_limit() {
        let mut window = window();
        for turn in 0..20 {
            let (now, size) = (at(turn), window.lanes.get(&LANE).map_or(2_000, |lane| lane.size));
            window.sent(LANE, size, now);
            window.answered(LANE, size, now);
        }
        assert_eq!(size_of(&window, LANE), 16_000);
    }

    #[test]
    fn a_lane_that_does_not_answer_keeps_its_share_alone_and_gets_the_rest_back_by_answering() {
        let mut window = window();
        window.sent(LANE, 2_000, at(0));
        for (now, expected) in [(1_000, 2_000), (1_001, 1_000), (1_250, 1_000), (1_251, 800)] {
            window.pass_time(at(now));
            assert_eq!(size_of(&window, LANE), expected, "after {now} ms");
        }
        window.pass_time(at(60_000));
        assert_eq!((size_of(&window, LANE), window.grant(LANE, 1)), (800, 0));

        window.answered(LANE, 2_000, at(60_000));
        assert_eq!(window.grant(LANE, 2_000), 800, "a part of a chunk");
        window.sent(LANE, 800, at(60_000));
        window.answered(LANE, 800, at(60_100));
        assert_eq!((size_of(&window, LANE), window.grant(LANE, 2_000)), (1_600, 2_000));
    }

    #[test]
    fn lanes_that_do_not_answer_take_nothing_from_the_others() {
        let mut window = window();
        for lane in (1..=3).map(Lane) {
            window.sent(lane, 2_000, at(0));
        }
        window.sent(Lane(4), 1_900, at(0));
        assert_eq!(window.grant(Lane(5), 2_000), 100, "all of 8,000 is used but for 100");
        window.pass_time(at(1_500));
        window.pass_time(at(2_000));
        assert_eq!(window.grant(Lane(5), 2_000), 2_000);
        assert_eq!(window.under_way(), 7_900);
    }

    #[test]
    fn the_size_for_all_lanes_follows_the_answers_within_its_bounds() {
        for (per_second, expected) in [(0, 8_000), (100_000, 25_000), (10_000_000, 56_000)] {
            let mut window = window();
            for tick in 1..=50 {
                window.answered(LANE, per_second / 10, at(tick * 100));
            }
            assert!(window.size.abs_diff(expected) <= expected / 100, "{per_second}/s");
        }
    }

    #[test]
    fn a_pause_does_not_count_as_slow_answers() {
        let mut window = window();
        for tick in 1..=50 {
            window.answered(LANE, 10_000, at(tick * 100));
        }
        window.sent(LANE, 10_000, at(1_000_000));
        window.answered(LANE, 10_000, at(1_000_100));
        assert!(24_000 < window.size, "{}", window.size);
    }

    #[test]
    fn a_clock_that_steps_back_does_not_stop_the_steering() {
        let mut window = window();
        window.sent(OTHER, 2_000, at(1_000_000));
        for tick in 0..50 {
            window.answered(LANE, 10_000, at(tick * 100));
        }
        assert!(20_000 < window.size);
        assert_eq!(size_of(&window, OTHER), 800, "it is late by the new time");
    }

    #[test]
    fn a_chunk_is_granted_whole_where_half_of_it_has_room() {
        for (under_way, wanted, expected) in [
            (0, 2_000, 2_000),
            (0, 4_000, 4_000),
            (0, 4_001, 2_000),
            (1_000, 2_000, 2_000),
            (1_001, 2_000, 0),
            (1_001, 20, 20),
            (1_990, 20, 20),
            (1_991, 20, 0),
            (0, 0, 0),
        ] {
            let mut window = window();
            window.sent(LANE, under_way, at(0));
            assert_eq!(window.grant(LANE, wanted), expected, "{wanted} beside {under_way}");
        }
    }

    #[test]
    fn the_limits_hold_whatever_was_steered() {
        let lanes = Lanes(4.try_into().unwrap());
        let limits = WindowLimits { lanes, total: 100, lane: 60, reserve: 40 };
        for (in_lane, in_other, expected) in
            [(0, 0, 60), (50, 0, 10), (0, 60, 20), (5, 60, 15), (10, 60, 10), (10, 70, 0)]
        {
            let mut window = Window::new(limits, at(0));
            window.size = u32::MAX;
            window.sent(LANE, in_lane, at(0));
            window.sent(OTHER, in_other, at(0));
            window.lanes.values_mut().for_each(|lane| lane.size = u32::MAX);
            let granted = (0..=100).rev().find(|wanted| window.grant(LANE, *wanted) == *wanted);
            assert_eq!(granted, Some(expected), "{in_lane} and {in_other}");
        }
    }

    #[test]
    fn what_is_forgotten_makes_room() {
        let mut window = window();
        window.sent(LANE, 2_000, at(0));
        window.sent(OTHER, 2_000, at(0));
        window.forgotten(LANE, 1_500);
        assert_eq!((window.under_way_in(LANE), window.under_way()), (500, 2_500));
        window.forget_all();
        assert_eq!((window.under_way_in(LANE), window.under_way()), (0, 0));
        assert_eq!(window.grant(OTHER, 2_000), 2_000);
    }
}
