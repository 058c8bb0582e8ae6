//! The window of requests under way, beside a naive one that keeps every request by itself, and
//! what it promises to lanes that answer beside others that do not.

use std::time::Duration;

use catchment_domain::{Lane, Lanes, Timestamp, Window, WindowLimits};
use proptest::prelude::*;

/// A lane, and as many requests of it.
type Part = (Lane, u32);

#[derive(Clone, Debug)]
enum Event {
    /// Asks for a grant, and sends what is granted.
    Send(Part),
    Answered(Part),
    Forgotten(Part),
    Passes(u64),
    StepsBack(u64),
}

/// Every request by itself, and the rules from their words alone.
struct Naive {
    limits: WindowLimits,
    /// Lane and time of sending of each request under way, the oldest first.
    requests: Vec<(Lane, i64)>,
    /// Size, and when it was halved.
    lanes: Vec<(u32, Option<i64>)>,
    size: u32,
    answered: u32,
    since: i64,
    now: i64,
}

impl Naive {
    fn new(limits: WindowLimits) -> Self {
        let first = 2_000.max(share(limits)).min(limits.lane);
        let lanes = limits.lanes.iter().map(|_| (first, None)).collect();
        let size = share(limits) * u32::from(limits.lanes.count());
        Self { limits, requests: Vec::new(), lanes, size, answered: 0, since: 0, now: 0 }
    }

    fn under_way(&self, lane: Lane) -> u32 {
        let of_lane = self.requests.iter().filter(|(of, _)| *of == lane);
        u32::try_from(of_lane.count()).unwrap()
    }

    fn sum(&self, of_lane: impl Fn(Lane) -> u32) -> u32 {
        self.limits.lanes.iter().map(of_lane).sum()
    }

    fn grant(&self, lane: Lane, wanted: u32) -> u32 {
        let size = |lane: Lane| self.lanes[usize::from(lane.0)].0;
        let counted = self.sum(|lane| self.under_way(lane).min(size(lane)));
        let mine = self.under_way(lane);
        let room = size(lane).saturating_sub(mine).min(self.size.saturating_sub(counted));
        let allowed = (0..=wanted).rev().find(|more| self.is_allowed(lane, *more)).unwrap();
        if wanted == allowed && wanted <= 2 * room {
            return wanted;
        }
        if mine == 0 { room.min(allowed) } else { 0 }
    }

    /// The limits hold with so many more, and each other lane's share of the reserve is left.
    fn is_allowed(&self, lane: Lane, more: u32) -> bool {
        let WindowLimits { total, lane: limit, .. } = self.limits;
        let then = |other: Lane| self.under_way(other) + if other == lane { more } else { 0 };
        let with_reserve = self.sum(|other| then(other).max(share(self.limits)));
        let is_within_share = then(lane) <= share(self.limits);
        then(lane) <= limit && self.sum(then) <= total && (with_reserve <= total || is_within_share)
    }

    fn pass(&mut self, now: i64) {
        if now < self.now {
            (self.answered, self.since) = (0, now);
            self.requests.iter_mut().for_each(|(_, at)| *at = now.min(*at));
            self.lanes.iter_mut().for_each(|(_, at)| *at = at.map(|at| now.min(at)));
        }
        self.now = now;
        for lane in self.limits.lanes.iter() {
            let waited = self.waited(lane);
            let (size, halved_at) = &mut self.lanes[usize::from(lane.0)];
            if 1_000 < waited && halved_at.is_none_or(|at| 250 <= now - at) {
                *size = (*size / 2).max(share(self.limits).min(self.limits.lane));
                *halved_at = Some(now);
            }
        }
    }

    fn waited(&self, lane: Lane) -> i64 {
        let oldest = self.requests.iter().find(|(of, _)| *of == lane);
        oldest.map_or(0, |(_, at)| self.now - at)
    }

    fn send(&mut self, (lane, count): Part) {
        if self.requests.is_empty() && 0 < count {
            (self.answered, self.since) = (0, self.now);
        }
        self.requests.extend((0..count).map(|_| (lane, self.now)));
    }

    fn answer(&mut self, (lane, count): Part) {
        let (before, in_time) = (self.under_way(lane), self.waited(lane) <= 250);
        let (size, _) = &mut self.lanes[usize::from(lane.0)];
        if *size <= 2 * before && in_time {
            *size = (*size + count).min(self.limits.lane);
        }
        self.take((lane, count));
        self.answered += count;
        let elapsed = self.now - self.since;
        if 100 <= elapsed {
            let least = share(self.limits) * u32::from(self.limits.lanes.count());
            let most = (self.limits.total - least).max(least);
            let ideal = i64::from(self.answered) * 250 / elapsed;
            let ideal = u32::try_from(ideal).unwrap().clamp(least, most);
            self.size = u32::midpoint(self.size, ideal);
            (self.answered, self.since) = (0, self.now);
        }
    }

    fn take(&mut self, (lane, count): Part) {
        for _ in 0..count {
            let oldest = self.requests.iter().position(|(of, _)| *of == lane);
            oldest.map(|oldest| self.requests.remove(oldest));
        }
    }
}

fn share(limits: WindowLimits) -> u32 {
    (limits.reserve / u32::from(limits.lanes.count())).max(1)
}

fn lanes(count: u16) -> Lanes {
    Lanes(count.try_into().unwrap())
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// Small limits, so that all of them are met.
fn limits() -> impl Strategy<Value = WindowLimits> {
    (1_u16..5, 0_u32..30, 1_u32..60, 0_u32..60).prop_map(|(count, reserve, lane, more)| {
        let total = reserve.max(u32::from(count)) + more;
        WindowLimits { lanes: lanes(count), total, lane, reserve }
    })
}

fn event() -> impl Strategy<Value = Event> {
    let part = || (0_u16..4, 0_u32..30).prop_map(|(lane, count)| (Lane(lane), count));
    prop_oneof![
        4 => part().prop_map(Event::Send),
        3 => part().prop_map(Event::Answered),
        1 => part().prop_map(Event::Forgotten),
        3 => (1_u64..600).prop_map(Event::Passes),
        1 => (1_u64..3_000).prop_map(Event::StepsBack),
    ]
}

proptest! {
    /// It grants what a naive window grants, and never more than the limits.
    #[test]
    fn prop_same_as_naive(
        limits in limits(), events in prop::collection::vec(event(), 1..120)
    ) {
        let (mut window, mut naive) = (Window::new(limits, at(0)), Naive::new(limits));
        let in_range = |(lane, count): Part| (Lane(lane.0 % limits.lanes.count()), count);
        for event in events {
            let mut now = naive.now;
            match event {
                Event::Send(part) => {
                    let (lane, wanted) = in_range(part);
                    let granted = window.grant(lane, wanted);
                    prop_assert_eq!(granted, naive.grant(lane, wanted));
                    window.sent(lane, granted, at(now));
                    naive.send((lane, granted));
                }
                Event::Answered(part) => {
                    let (lane, count) = in_range(part);
                    window.answered(lane, count, at(now));
                    naive.answer((lane, count));
                }
                Event::Forgotten(part) => {
                    let (lane, count) = in_range(part);
                    window.forgotten(lane, count);
                    naive.take((lane, count));
                }
                Event::Passes(millis) => now += i64::try_from(millis).unwrap(),
                Event::StepsBack(millis) => now -= i64::try_from(millis).unwrap(),
            }
            window.pass_time(at(now));
            naive.pass(now);
            for lane in limits.lanes.iter() {
                prop_assert_eq!(window.under_way_in(lane), naive.under_way(lane));
                prop_assert!(window.under_way_in(lane) <= limits.lane.max(1));
            }
            prop_assert_eq!(window.under_way() as usize, naive.requests.len());
            prop_assert!(window.under_way() <= limits.total);
        }
    }

    /// Whatever was sent before: once the other lanes have been silent for a while, a lane gets
    /// at least its share of the reserve.
    #[test]
    fn prop_silent_lanes_leave_the_others_their_share(
        lanes_and_total in (2_u16..40, 0_u32..60_000),
        parts in prop::collection::vec((1_u16..40, 1_u32..5_000), 0..200),
    ) {
        let (count, more) = lanes_and_total;
        let limits = WindowLimits::new(lanes(count));
        let limits = WindowLimits { total: limits.reserve + more, ..limits };
        let mut window = Window::new(limits, at(0));
        for (lane, wanted) in parts {
            let lane = Lane(1 + lane % (count - 1));
            let granted = window.grant(lane, wanted);
            window.sent(lane, granted, at(0));
        }
        for tick in 0..20 {
            window.pass_time(at(1_001 + tick * 250));
        }
        let share = share(limits);
        prop_assert_eq!(window.grant(Lane(0), share), share);
    }

    /// A lane that answers again has its window back after a few answers.
    #[test]
    fn prop_a_lane_that_answers_again_gets_its_window_back(
        count in 1_u16..100, silence in 1_u64..100_000
    ) {
        let mut window = Window::new(WindowLimits::new(lanes(count)), at(0));
        let mut now = at(0);
        window.sent(Lane(0), window.grant(Lane(0), 2_000), now);
        let end = now.saturating_add(Duration::from_millis(silence));
        while now < end {
            now = now.saturating_add(Duration::from_millis(50));
            window.pass_time(now);
        }
        for _ in 0..8 {
            window.answered(Lane(0), window.under_way_in(Lane(0)), now);
            window.sent(Lane(0), window.grant(Lane(0), 2_000), now);
            now = now.saturating_add(Duration::from_millis(100));
        }
        prop_assert_eq!(window.under_way_in(Lane(0)), 2_000);
    }
}
