//! Base radii from files and from requests: the property against a naive version.

use std::num::NonZeroU16;

use catchment_domain::{
    Change, Code, Deadline, ImportBatch, ImportOrder, ImportTerms, LaneTime, Lanes, Location,
    Policy, Profile, Radius, Request, Revision, ShopImport, ShopState, Status, Timestamp,
    check_request, judge,
};
use proptest::prelude::*;

use super::requests::id_of;

/// What happens to one shop. `place` chooses one of the revisions that were given out: it is any
/// number, and is taken modulo their number.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// A requester takes a revision for a request, or an import takes one when it begins.
    Take,
    /// A request sets the base radius with any revision that was given out, so it may be a copy.
    Request { place: usize, radius: u32 },
    /// A request sets the base radius with a revision that was never given out.
    Forged { radius: u32 },
    /// The batch of an import that took its revision when it began.
    Import { place: usize, radius: u32 },
    /// The batch of an overruling import.
    Overrule { radius: u32 },
}

fn any_event() -> impl Strategy<Value = Event> {
    let (place, radius) = (0_usize..100, 1_u32..9);
    prop_oneof![
        Just(Event::Take),
        (place.clone(), radius.clone())
            .prop_map(|(place, radius)| Event::Request { place, radius }),
        radius.clone().prop_map(|radius| Event::Forged { radius }),
        (place, radius.clone()).prop_map(|(place, radius)| Event::Import { place, radius }),
        radius.prop_map(|radius| Event::Overrule { radius }),
    ]
}

fn kilometres(radius: u32) -> Radius {
    Radius::try_from(radius * 1_000).unwrap()
}

/// A shop, and the revisions that the database gave out.
struct World {
    shop: ShopState,
    newest: Revision,
    /// The naive version: every base radius from a file or a request, with its revision.
    brought: Vec<(Revision, Radius)>,
}

impl World {
    fn take(&mut self) -> Revision {
        self.newest = Revision(self.newest.0 + 1);
        self.newest
    }

    fn given(&self, place: usize) -> Revision {
        Revision(1 + place as u64 % self.newest.0)
    }

    fn request(&mut self, revision: Revision, radius: Radius) -> (Status, Option<Code>) {
        let change = Change::SetBase { revision, radius, deadline: None };
        let request = Request { id: id_of(&change, 0), shop: "a".parse().unwrap(), change };
        let checked = check_request(&request, None, self.newest);
        let policy = Policy { floor: Radius::CLOSED, triggers: [].into() };
        let start = Timestamp::from_millis(0);
        let mut time = LaneTime { now: start, expired_up_to: Deadline::at(start) };
        let outcome = judge(&mut self.shop, &request.change, checked, &policy, &mut time);
        (outcome.status, outcome.code)
    }

    /// Returns whether the receipt names a newer base radius.
    fn import(&mut self, order: ImportOrder, revision: Revision, radius: Radius) -> bool {
        let (name, category, region) = (String::new(), String::new(), String::new());
        let location = Location::new(0.0, 0.0).unwrap();
        let profile = Profile { name, category, region, location };
        let row = ShopImport { id: "a".parse().unwrap(), profile, base: Some(radius) };
        let batches = ImportBatch::split(vec![row], Lanes(NonZeroU16::MIN));
        let terms = ImportTerms { order, default_base: Radius::MAX, floor: Radius::CLOSED };
        let applied = batches[0].apply(vec![Some(self.shop.clone())], terms, revision).pop();
        let (shop, entry) = applied.unwrap();
        self.shop = shop;
        entry.remark.is_some()
    }

    /// The base radius of the highest revision counts. Of one revision, the first that came counts.
    fn expected(&self) -> (Revision, Radius) {
        let mut best = self.brought[0];
        for brought in &self.brought {
            if best.0 < brought.0 {
                best = *brought;
            }
        }
        best
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// An overruling import outranks every revision that was given out before, so no copy undoes
    /// it. Later revisions outrank the import.
    #[test]
    fn prop_the_highest_revision_counts_in_whatever_order_it_comes(
        events in prop::collection::vec(any_event(), 1..30),
    ) {
        let (first, radius) = (Revision(1), kilometres(9));
        let shop = ShopState::new(radius, first);
        let mut world = World { shop, newest: first, brought: vec![(first, radius)] };
        for event in events {
            let before = world.expected();
            match event {
                Event::Take => drop(world.take()),
                Event::Request { place, radius } => {
                    let (revision, radius) = (world.given(place), kilometres(radius));
                    let (status, code) = world.request(revision, radius);
                    let is_late = revision <= before.0 && (revision, radius) != before;
                    prop_assert_eq!(status == Status::Superseded, is_late, "{:?}", event);
                    prop_assert_eq!(code, is_late.then_some(Code::NewerBase));
                    world.brought.push((revision, radius));
                }
                Event::Forged { radius } => {
                    let revision = Revision(world.newest.0 + 1_000);
                    let (status, code) = world.request(revision, kilometres(radius));
                    prop_assert_eq!(status, Status::Rejected);
                    prop_assert_eq!(code, Some(Code::UnknownRevision));
                }
                Event::Import { place, radius } => {
                    // No two imports have the same revision.
                    let revision = world.given(place);
                    if world.brought.iter().all(|(other, _)| *other != revision) {
                        let radius = kilometres(radius);
                        let kept = world.import(ImportOrder::Taken(revision), revision, radius);
                        prop_assert_eq!(kept, revision < before.0);
                        world.brought.push((revision, radius));
                    }
                }
                Event::Overrule { radius } => {
                    let (revision, radius) = (world.take(), kilometres(radius));
                    prop_assert!(!world.import(ImportOrder::Overruling, revision, radius));
                    world.brought.push((revision, radius));
                }
            }
            let base = world.shop.base;
            prop_assert_eq!((base.revision, base.radius), world.expected(), "{:?}", event);
        }
    }
}
