//! Lists of shops, and tallies.

use catchment_domain::{ShopId, ShopList, Slot, Status, Tally};
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

fn any_slot() -> impl Strategy<Value = Slot> {
    prop_oneof![Just(Idle), Just(Open), prop::sample::select(Status::ALL.to_vec()).prop_map(Closed)]
}

proptest! {
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
