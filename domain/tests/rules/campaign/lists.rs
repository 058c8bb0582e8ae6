//! Lists of shops, and tallies.

use catchment_domain::{ShopId, ShopList, Slot, Status, Tally, lost_chunks};
use proptest::prelude::*;

use super::{Applied, Closed, Expired, Idle, Open};

#[test]
fn a_tally_tells_only_what_there_is() {
    let mut tally = Tally::default();
    tally.add(&[Open, Idle, Closed(Applied)]);
    tally.add(&[Closed(Applied), Closed(Expired)]);
    assert_eq!((tally.open, tally.answered()), (1, 3));
    assert!(tally.iter().eq([(Applied, 2), (Expired, 1)]));
}

#[test]
fn chunks_are_lost_where_a_number_is_missing_or_shops_are_behind_the_last() {
    type Ends<'a> = &'a [(u32, Option<u32>)];
    // (shops, number and end of each chunk that is there, lost)
    let table: [(u32, Ends<'_>, &[u32]); 11] = [
        (5, &[(0, Some(2)), (1, Some(5))], &[]),
        (5, &[(1, Some(5))], &[0]),
        (5, &[(3, Some(5))], &[0, 1, 2]),
        (5, &[(0, Some(2)), (2, Some(5))], &[1]),
        (5, &[(0, Some(2))], &[1]),
        (5, &[(1, Some(3))], &[0, 2]),
        (5, &[], &[0]),
        (0, &[], &[]),
        // Where a chunk ends that cannot be read is not known.
        (5, &[(0, Some(2)), (1, None)], &[]),
        (5, &[(0, None), (1, Some(5))], &[]),
        (5, &[(0, Some(5)), (u32::MAX, None)], &[]),
    ];
    for (shops, there, lost) in table {
        let ends = there.iter().copied().collect();
        assert_eq!(lost_chunks(shops, &ends), lost, "{shops} shops, {there:?}");
    }
}

fn any_slot() -> impl Strategy<Value = Slot> {
    prop_oneof![Just(Idle), Just(Open), prop::sample::select(Status::ALL.to_vec()).prop_map(Closed)]
}

proptest! {
    #[test]
    fn prop_what_is_lost_is_named_unless_the_last_that_is_there_cannot_be_read(
        sizes in prop::collection::vec(1_u32..4, 1..8), is_there in prop::collection::vec(any::<bool>(), 8)
    ) {
        let ends = sizes.iter().scan(0, |end, size| { *end += size; Some(*end) });
        let chunks: Vec<(u32, u32)> = (0..).zip(ends).collect();
        let shops = sizes.iter().sum();
        let (there, lost): (Vec<_>, Vec<_>) =
            chunks.into_iter().zip(is_there).partition(|(_, is_there)| *is_there);
        let there = there.into_iter().map(|((number, end), _)| (number, Some(end))).collect();
        let named = lost_chunks(shops, &there);
        let lost: Vec<u32> = lost.into_iter().map(|((number, _), _)| number).collect();
        // Of those behind the last that is there, only the first is known.
        let highest = there.keys().next_back().map_or(0, |last| last + 1);
        let expected: Vec<u32> = lost.into_iter().filter(|number| *number <= highest).collect();
        prop_assert_eq!(named, expected);
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
