//! Lists of shops, tallies, and the order in which chunks are sent.

use std::collections::BTreeMap;

use catchment_domain::{Lane, ShopId, ShopList, Slot, Status, Tally, sending_order};
use proptest::prelude::*;

use super::{Applied, Closed, Expired, Idle, Open};

#[test]
fn lanes_take_turns_and_each_keeps_its_order() {
    let chunks =
        [(0, Lane(0)), (1, Lane(0)), (2, Lane(0)), (3, Lane(1)), (4, Lane(2)), (5, Lane(2))];
    assert_eq!(sending_order(&chunks, false), [0, 3, 4, 1, 5, 2]);
    assert_eq!(sending_order(&chunks, true), [2, 5, 1, 4, 3, 0]);
    assert_eq!(sending_order(&[], false), [0_u32; 0]);
}

#[test]
fn a_tally_tells_only_what_there_is() {
    let mut tally = Tally::default();
    tally.add(&[Open, Idle, Closed(Applied)]);
    tally.add(&[Closed(Applied), Closed(Expired)]);
    assert_eq!((tally.open, tally.answered()), (1, 3));
    assert!(tally.iter().eq([(Applied, 2), (Expired, 1)]));
}

fn any_slot() -> impl Strategy<Value = Slot> {
    prop_oneof![Just(Idle), Just(Open), prop::sample::select(Status::ALL.to_vec()).prop_map(Closed)]
}

proptest! {
    /// Whenever a lane is sent, no lane that has chunks left is behind it.
    #[test]
    fn prop_each_chunk_is_sent_once_and_no_lane_waits(
        lanes in prop::collection::vec(0_u16..5, 0..40)
    ) {
        let chunks: Vec<(u32, Lane)> = (0..).zip(lanes.into_iter().map(Lane)).collect();
        let lane_of: BTreeMap<u32, Lane> = chunks.iter().copied().collect();
        let order = sending_order(&chunks, false);
        let mut left: BTreeMap<Lane, Vec<u32>> = BTreeMap::new();
        for (number, lane) in &chunks {
            left.entry(*lane).or_default().push(*number);
        }
        let mut sent: BTreeMap<Lane, usize> = left.keys().map(|lane| (*lane, 0)).collect();
        for number in &order {
            let lane = lane_of[number];
            let waiting = left.iter().filter(|(_, chunks)| !chunks.is_empty());
            prop_assert!(waiting.map(|(lane, _)| sent[lane]).all(|others| sent[&lane] <= others));
            prop_assert_eq!(left.get_mut(&lane).unwrap().remove(0), *number);
            *sent.get_mut(&lane).unwrap() += 1;
        }
        prop_assert!(left.values().all(Vec::is_empty));
        let mut backwards = sending_order(&chunks, true);
        backwards.reverse();
        prop_assert_eq!(backwards, order);
    }

    #[test]
    fn prop_a_list_holds_the_shops_that_were_put_in(
        names in prop::collection::vec("[a-z가-힣0-9]{1,12}", 0..20), other in "[a-z]{1,3}"
    ) {
        let ids: Vec<ShopId> = names.iter().map(|name| name.parse().unwrap()).collect();
        let list: ShopList = ids.iter().cloned().collect();
        prop_assert_eq!((list.len(), list.is_empty()), (ids.len(), ids.is_empty()));
        prop_assert!(list.iter().eq(names.iter()));
        let other: ShopId = other.parse().unwrap();
        for (place, id) in ids.iter().enumerate() {
            prop_assert_eq!(list.get(place), Some(id.as_str()));
            prop_assert!(list.is(place, id));
            prop_assert_eq!(list.is(place, &other), *id == other);
        }
        prop_assert_eq!(list.get(ids.len()), None);
    }

    #[test]
    fn prop_a_tally_counts_every_slot_once(slots in prop::collection::vec(any_slot(), 0..60)) {
        let mut tally = Tally::default();
        tally.add(&slots);
        let count = |slot| slots.iter().filter(|other| **other == slot).count();
        prop_assert_eq!(tally.open as usize, count(Open));
        for status in Status::ALL {
            prop_assert_eq!(tally.of(status) as usize, count(Closed(status)));
        }
        let counted = tally.open as usize + tally.answered() as usize;
        prop_assert_eq!(counted, slots.len() - count(Idle));
    }
}
