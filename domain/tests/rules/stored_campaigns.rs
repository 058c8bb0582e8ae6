//! What is stored of a campaign: which shops its chunks hold, and whether all of it fits together.

use std::collections::BTreeMap;

use catchment_domain::{
    Attempt, Campaign, CampaignState, Chunk, ChunkOutline, Damage, Deadline, Found, Lane, Replaced,
    Revision, ShopId, ShopList, Slot, Status, StoredItem, Timestamp, check_campaign, first_places,
    is_lane_listed, may_have_left_a_cause,
};
use proptest::prelude::*;

use crate::repair::campaign;

/// A chunk of lane 0 of which everything can be read.
const fn whole(first: u32, shops: u32) -> ChunkOutline {
    let (lane, shops, first) = (Some(Lane(0)), Some(shops), Some(first));
    ChunkOutline { lane, listed: shops, shops, first }
}

fn numbered<const N: usize>(chunks: [(u32, ChunkOutline); N]) -> BTreeMap<u32, ChunkOutline> {
    chunks.into()
}

#[test]
fn the_place_of_a_chunk_is_what_all_tell_that_tell_it() {
    let unread = ChunkOutline::default();
    let without_first = |shops| ChunkOutline { first: None, ..whole(0, shops) };
    let check = |chunks, expected: &[(u32, u32)]| {
        assert_eq!(first_places(&chunks).into_iter().collect::<Vec<_>>(), expected, "{chunks:?}");
    };
    check(numbered([(0, whole(0, 2)), (1, whole(2, 3))]), &[(0, 0), (1, 2)]);
    // The chunk before tells, or the one behind.
    check(numbered([(0, whole(0, 2)), (1, without_first(3))]), &[(0, 0), (1, 2)]);
    check(numbered([(1, without_first(3)), (2, whole(5, 1))]), &[(1, 2), (2, 5)]);
    check(numbered([(0, unread), (1, whole(2, 3))]), &[(0, 0), (1, 2)]);
    // Nothing tells.
    check(numbered([(0, unread), (1, without_first(3)), (2, unread)]), &[(0, 0)]);
    // Two tell different places.
    check(numbered([(0, whole(0, 2)), (1, whole(3, 3))]), &[(0, 0)]);
    check(numbered([(0, whole(0, 2)), (1, without_first(2)), (2, whole(5, 1))]), &[(0, 0), (2, 5)]);
    // List and outcomes tell different numbers of shops, so where the next one stands is not known.
    let short = ChunkOutline { listed: Some(1), ..whole(0, 2) };
    check(numbered([(0, short), (1, without_first(1))]), &[(0, 0)]);
}

#[test]
fn a_lane_is_listed_where_no_list_can_hold_another_shop_of_it() {
    let here = whole(0, 2);
    let there = ChunkOutline { lane: Some(Lane(1)), ..whole(2, 3) };
    let check = |shops, chunks, expected: [bool; 2]| {
        let listed = [Lane(0), Lane(1)].map(|lane| is_lane_listed(shops, &chunks, lane));
        assert_eq!(listed, expected, "{shops:?} {chunks:?}");
    };
    let unlisted = ChunkOutline { listed: None, ..there };
    let truncated = ChunkOutline { listed: Some(2), ..there };
    check(Some(5), numbered([(0, here), (1, there)]), [true, true]);
    check(Some(5), numbered([(0, here), (1, unlisted)]), [true, false]);
    check(Some(5), numbered([(0, here), (1, ChunkOutline { lane: None, ..unlisted })]), [false; 2]);
    check(Some(5), numbered([(0, here), (1, ChunkOutline { shops: None, ..there })]), [true; 2]);
    // A list that is too short lacks somebody.
    check(None, numbered([(0, here), (1, truncated)]), [true, false]);
    check(Some(5), numbered([(0, here), (1, truncated)]), [false, false]);
    // A chunk is lost with its list: before the others, behind them, all.
    check(Some(5), numbered([(1, there)]), [false, false]);
    check(Some(5), numbered([(0, here)]), [false, false]);
    check(Some(5), BTreeMap::new(), [false, false]);
    // Of a campaign that cannot be read the number of shops is not known.
    check(None, numbered([(0, here), (1, there)]), [true, true]);
    check(None, numbered([(1, there)]), [false, false]);
}

#[test]
fn a_campaign_that_is_over_for_good_left_no_cause() {
    let mut ended = campaign(1, "3km");
    let passed = ended.deadline;
    let before = Deadline::at(Timestamp::from_millis(passed.instant().millis() - 1));
    ended.state = CampaignState::Ended;
    assert!(!may_have_left_a_cause(&ended, passed));
    assert!(may_have_left_a_cause(&ended, before), "a late copy may take effect");
    for state in [
        CampaignState::Sending { open: 1 },
        CampaignState::Settled,
        CampaignState::Ending { open: 1 },
    ] {
        assert!(may_have_left_a_cause(&Campaign { state, ..ended.clone() }, passed));
    }
    assert!(may_have_left_a_cause(&Campaign { unreleased: 1, ..ended.clone() }, passed));
    let replaces = Some(Replaced { campaign: campaign(2, "1km").name, deadline: passed });
    assert!(may_have_left_a_cause(&Campaign { replaces, ..ended }, passed));
}

/// A campaign over two chunks of two shops and one, and what is stored of it.
fn stored() -> (Campaign, Vec<Chunk>, Vec<(u32, ShopList)>) {
    let list =
        |ids: &[&str]| -> ShopList { ids.iter().map(|id| id.parse::<ShopId>().unwrap()).collect() };
    let state = CampaignState::Sending { open: 3 };
    let chunks = vec![Chunk::new(0, Lane(0), 0, 2), Chunk::new(1, Lane(1), 2, 1)];
    let begun = Campaign { shops: 3, state, ..campaign(5, "3km") };
    (begun, chunks, vec![(0, list(&["a", "b"])), (1, list(&["c"]))])
}

fn check_items(
    change: impl FnOnce(&mut Campaign, &mut Found<Vec<Chunk>>, &mut Found<Vec<(u32, ShopList)>>),
    expected: &[StoredItem],
) {
    let (mut campaign, chunks, lists) = stored();
    let (mut chunks, mut lists) = (Found::whole(chunks), Found::whole(lists));
    change(&mut campaign, &mut chunks, &mut lists);
    let revision = campaign.name.revision;
    let damages = check_campaign(revision, Some(&campaign), chunks, lists);
    let items: Vec<StoredItem> = damages.into_iter().map(|damage| damage.item).collect();
    assert_eq!(items, expected);
}

#[test]
fn what_does_not_fit_together_is_named() {
    let revision = Revision(5);
    let [list, last_list] = [0, 1].map(|number| StoredItem::List(revision, number));
    let [outcomes, last_outcomes] = [0, 1].map(|number| StoredItem::Outcomes(revision, number));
    let campaign = [StoredItem::Campaign(revision)];
    let damage = |item: &StoredItem| Damage { item: item.clone(), what: "bad".to_owned() };
    check_items(|_, _, _| (), &[]);
    // What could not be read is named once.
    check_items(
        |_, chunks, _| {
            chunks.found.remove(0);
            chunks.damaged.push(damage(&outcomes));
        },
        std::slice::from_ref(&outcomes),
    );
    // What is lost: one half, both, the last ones, all.
    check_items(|_, chunks, _| drop(chunks.found.remove(0)), std::slice::from_ref(&outcomes));
    check_items(|_, _, lists| drop(lists.found.remove(1)), std::slice::from_ref(&last_list));
    check_items(
        |_, chunks, lists| {
            chunks.found.remove(1);
            lists.found.remove(1);
        },
        &[last_list, last_outcomes.clone()],
    );
    check_items(
        |_, chunks, lists| {
            chunks.found.clear();
            lists.found.clear();
        },
        &[list.clone(), outcomes],
    );
    // As many shops as outcomes, one chunk behind the other, and as many as the campaign has.
    let short = || ["a".parse::<ShopId>().unwrap()].into_iter().collect();
    check_items(|_, _, lists| lists.found[0].1 = short(), &[list]);
    check_items(|_, chunks, _| chunks.found[1].first = 7, &[last_outcomes]);
    check_items(|campaign, _, _| campaign.shops = 2, &campaign);
}

#[test]
fn counts_that_do_not_fit_the_chunks_are_named() {
    let counts = [StoredItem::Counts(Revision(5))];
    let states = [
        CampaignState::Sending { open: 2 },
        CampaignState::Settled,
        CampaignState::Ending { open: 4 },
        CampaignState::Ended,
    ];
    for state in states {
        check_items(|campaign, _, _| campaign.state = state, &counts);
    }
    check_items(|campaign, _, _| campaign.unreleased = 1, &counts);
    // Every outcome is there, and one release was rejected.
    let close = |chunks: &mut Found<Vec<Chunk>>| {
        let applied = Slot::Closed(Status::Applied);
        let releases = vec![Slot::Closed(Status::Rejected)];
        chunks.found = vec![
            Chunk::restore((0, Lane(0), 0), None, vec![applied; 2], vec![applied; 2], Vec::new()),
            Chunk::restore((1, Lane(1), 2), None, vec![applied], releases, Vec::new()),
        ];
    };
    let ended = |unreleased| {
        move |campaign: &mut Campaign, chunks: &mut Found<Vec<Chunk>>, _: &mut Found<_>| {
            (campaign.state, campaign.unreleased) = (CampaignState::Ended, unreleased);
            close(chunks);
        }
    };
    check_items(ended(1), &[]);
    check_items(ended(0), &counts);
    check_items(|_, chunks, _| close(chunks), &counts);
}

/// The chunks were restored from a backup that is older than the end of their campaign.
#[test]
fn chunks_from_before_the_end_of_their_campaign_are_named_and_ended_again() {
    let applied = Slot::Closed(Status::Applied);
    let attempt = campaign(5, "3km").attempt;
    let older = |sent, release| {
        let one = (vec![applied; 2], vec![release; 2]);
        let other = (vec![applied], vec![applied]);
        vec![
            Chunk::restore((0, Lane(0), 0), sent, one.0, one.1, Vec::new()),
            Chunk::restore((1, Lane(1), 2), Some(attempt), other.0, other.1, Vec::new()),
        ]
    };
    let counts = [StoredItem::Counts(Revision(5))];
    for (sent, release, replaced_by, expected) in [
        (Some(attempt), Slot::Idle, None, &counts[..]),
        (Some(attempt), Slot::Idle, Some(Revision(6)), &[]),
        (Some(attempt), applied, None, &[]),
        (None, Slot::Idle, None, &[]),
    ] {
        let change = |campaign: &mut Campaign, chunks: &mut Found<Vec<Chunk>>, _: &mut Found<_>| {
            (campaign.state, campaign.replaced_by) = (CampaignState::Ended, replaced_by);
            chunks.found = older(sent, release);
        };
        check_items(change, expected);
    }
    let ended = Campaign { shops: 3, state: CampaignState::Ended, ..campaign(5, "3km") };
    let mut chunks = older(Some(attempt), Slot::Idle);
    let mended = ended.clone().fitted(&mut chunks);
    assert_eq!(mended.state, CampaignState::Ending { open: 2 });
    assert_eq!(mended.attempt, Attempt(ended.attempt.0 + 1));
    assert_eq!(chunks, older(Some(attempt), Slot::Open));
}

proptest! {
    /// With any part unreadable: every place that is returned is right, and a place is returned if
    /// the chunk itself, or all chunks before it, can be read.
    #[test]
    fn prop_places_are_right(
        chunks in proptest::collection::vec((1_u32..5, any::<[bool; 3]>(), any::<bool>()), 0..12),
    ) {
        let (mut outlines, mut truth, mut first) = (BTreeMap::new(), Vec::new(), 0);
        let mut is_counted = true;
        for (number, (shops, [listed, outcomes, stored], is_there)) in (0..).zip(chunks) {
            let is_told = is_counted || is_there && stored;
            if is_there {
                let outline = ChunkOutline {
                    lane: Some(Lane(0)),
                    listed: listed.then_some(shops),
                    shops: outcomes.then_some(shops),
                    first: stored.then_some(first),
                };
                outlines.insert(number, outline);
                truth.push((number, first, is_told));
            }
            is_counted = is_there && is_told && (listed || outcomes);
            first += shops;
        }
        let places = first_places(&outlines);
        for (number, first, is_told) in truth {
            let place = places.get(&number);
            prop_assert!(place.is_none_or(|place| *place == first));
            prop_assert!(!is_told || place.is_some());
        }
    }

    /// Every shop of a lane that is listed stands in a list that can be read.
    #[test]
    fn prop_a_listed_lane_lacks_no_shop(
        chunks in proptest::collection::vec((1_u32..5, 0_u16..3, any::<[bool; 4]>()), 0..8),
        is_read: bool,
    ) {
        let (mut outlines, mut lacking, mut shops, mut last) = (BTreeMap::new(), Vec::new(), 0, None);
        for (number, (of, lane, [listed, outcomes, lane_known, is_lost])) in (0..).zip(chunks) {
            shops += of;
            if is_lost || !listed {
                lacking.push((number, lane));
            }
            if !is_lost {
                last = Some(number);
                let outline = ChunkOutline {
                    lane: (listed || lane_known).then_some(Lane(lane)),
                    listed: listed.then_some(of),
                    shops: outcomes.then_some(of),
                    first: None,
                };
                outlines.insert(number, outline);
            }
        }
        for lane in 0..3 {
            let is_listed = is_lane_listed(is_read.then_some(shops), &outlines, Lane(lane));
            // Chunks behind the last known one of an unreadable campaign are not noticed.
            let is_noticed = |number: u32| is_read || last.is_some_and(|last| number < last);
            let lacks = lacking.iter().any(|(number, of)| {
                *of == lane && (is_noticed(*number) || outlines.contains_key(number))
            });
            prop_assert!(!(is_listed && lacks));
        }
    }
}
