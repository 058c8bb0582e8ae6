//! How the list of a campaign is divided into chunks.

use catchment_domain::{CHUNK_SHOPS, CampaignError, Chunk, FrozenList, Lane, ShopId};
use proptest::prelude::*;

fn id(number: usize) -> ShopId {
    format!("shop-{number:06}").parse().unwrap()
}

/// Returns a list with so many shops in each of these lanes.
fn list(lanes: &[(u16, usize)]) -> FrozenList {
    let mut list = FrozenList::default();
    for (lane, shops) in lanes {
        for number in 0..*shops {
            list.push(Lane(*lane), &id(number));
        }
    }
    list
}

#[test]
fn a_chunk_holds_shops_of_one_lane_up_to_the_limit() {
    let most = u32::try_from(CHUNK_SHOPS).unwrap();
    for (lanes, expected) in [
        (&[][..], &[][..]),
        (&[(3, 1)], &[(3, 0, 1)]),
        (&[(0, CHUNK_SHOPS), (1, 2)], &[(0, 0, most), (1, most, 2)]),
        (&[(0, CHUNK_SHOPS + 1), (2, 5)], &[(0, 0, most), (0, most, 1), (2, most + 1, 5)]),
    ] {
        let list = list(lanes);
        let chunks: Vec<Chunk> = list.chunks().map(|(chunk, _)| chunk).collect();
        let found =
            chunks.iter().map(|chunk| (chunk.lane.0, chunk.first, chunk.end() - chunk.first));
        assert!(found.eq(expected.iter().copied()), "{chunks:?}");
        assert!((0..).zip(&chunks).all(|(number, chunk)| chunk.number == number));
        let shops = expected.iter().map(|(.., shops)| shops).sum();
        let count = if shops == 0 { Err(CampaignError::EmptyScope) } else { Ok(shops) };
        assert_eq!(list.count(), count);
    }
}

proptest! {
    /// Together the chunks hold what was added, and a smaller number of chunks could not hold it.
    #[test]
    fn chunks_hold_each_shop_once(sizes in prop::collection::vec(0..3 * CHUNK_SHOPS, 0..6)) {
        let lanes: Vec<(u16, usize)> = (0..).zip(sizes).collect();
        let list = list(&lanes);
        let mut found = Vec::new();
        for (chunk, shops) in list.chunks() {
            prop_assert_eq!(chunk.len(), shops.len());
            prop_assert_eq!(chunk.first as usize, found.len());
            found.extend(shops.iter().map(|shop| (chunk.lane.0, shop.to_owned())));
        }
        let added = lanes.iter().flat_map(|(lane, shops)| {
            (0..*shops).map(|number| (*lane, id(number).as_str().to_owned()))
        });
        prop_assert!(found.into_iter().eq(added));
        let least: usize = lanes.iter().map(|(_, shops)| shops.div_ceil(CHUNK_SHOPS)).sum();
        prop_assert_eq!(list.chunks().count(), least);
    }
}
