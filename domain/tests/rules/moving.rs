//! What must be drained before a move, and that the lists of campaigns keep their outcomes in it.

use std::collections::BTreeMap;
use std::num::NonZeroU16;
use std::time::Duration;

use catchment_domain::{
    AnyLane, Attempt, BeforeMove, Behind, CHUNK_SHOPS, Campaign, CampaignId, CampaignRef,
    CampaignState, Chunk, Code, Damage, Deadline, Detail, Epoch, Found, Lane, LaneBeforeMove,
    LaneProblem, LaneProgress, LaneRemains, Lanes, LogIdentity, Mismatch, MoveTerms, Nonce,
    NotDrained, Phase, Position, ReplyLane, ReplyLaneBeforeMove, ReplyLaneRow, Revision, ShopId,
    ShopList, Slot, Status, StoredItem, StoredLane, StoredReplyLane, Timestamp, relane,
};
use proptest::prelude::*;
use uuid::Uuid;

const LASTING: LogIdentity = LogIdentity { id: 1, lasting: true };
const PASSING: LogIdentity = LogIdentity { id: 3, lasting: false };
const LANE: Lane = Lane(2);
const REPLIES: ReplyLane = ReplyLane(1);

fn lanes(count: u16) -> Lanes {
    Lanes(NonZeroU16::new(count).unwrap())
}

fn campaign(revision: u64, state: CampaignState, reply_lane: Option<ReplyLane>) -> Campaign {
    Campaign {
        name: CampaignRef { revision: Revision(revision), id: CampaignId(Uuid::nil()) },
        nonce: Nonce::from_random(1),
        kind: "rider_shortage".parse().unwrap(),
        limit: "3km".parse().unwrap(),
        reason: String::new(),
        shops: 3,
        created_at: Timestamp::from_millis(0),
        timeout: Duration::from_secs(5),
        until: None,
        replaces: None,
        replaced_by: None,
        reply_lane,
        attempt: Attempt::FIRST,
        deadline: Deadline::MIN,
        state,
        unreleased: 0,
    }
}

/// A request lane that was read in a log: applied and answered up to there.
fn requests(
    log: Option<LogIdentity>,
    (applied, replied): (u64, u64),
    behind: Behind,
) -> LaneBeforeMove {
    let (applied_next, replied_next) = (Position(applied), Position(replied));
    let progress = LaneProgress { lane: LANE, log, epoch: Epoch(4), applied_next, replied_next };
    let stored = StoredLane::Known { progress, last_id: None, left: Vec::new() };
    LaneBeforeMove { lane: LANE, stored, mismatch: None, behind }
}

fn reply_row(holder: Option<&str>) -> StoredReplyLane {
    let (epoch, position) = (Epoch(1), Position(7));
    let holder = holder.map(ToOwned::to_owned);
    let row = Some(Ok(ReplyLaneRow { log: LASTING, epoch, position, holder }));
    StoredReplyLane { lane: REPLIES, row }
}

fn replies(behind: Behind) -> ReplyLaneBeforeMove {
    ReplyLaneBeforeMove { stored: reply_row(None), mismatch: None, behind }
}

const OPEN: Behind = Behind::OpenTransaction { from: Position(5) };

fn problem(mismatch: Mismatch) -> Vec<NotDrained> {
    vec![NotDrained::Problem(LaneProblem::of(LANE, mismatch))]
}

#[test]
fn requests_are_drained_once_they_are_applied_and_answered() {
    let log = Some(LASTING);
    let unapplied = |from| vec![NotDrained::Unapplied { lane: LANE, from: Position(from) }];
    let from = Position(6);
    let unanswered = vec![NotDrained::Unanswered { lane: LANE, from }];
    let open =
        vec![NotDrained::OpenTransaction { lane: AnyLane::Requests(LANE), from: Position(5) }];
    let differs = |mismatch: Mismatch| LaneBeforeMove {
        mismatch: Some(mismatch),
        ..requests(log, (9, 6), Behind::Records)
    };
    let remains = LaneRemains::default();
    let lost = LaneBeforeMove {
        stored: StoredLane::Lost { unreadable: None, remains },
        mismatch: Some(Mismatch::NoRow),
        ..requests(log, (9, 9), Behind::Nothing)
    };
    for (lane, expected) in [
        (requests(log, (9, 9), Behind::Nothing), vec![]),
        (requests(log, (9, 9), Behind::Records), unapplied(9)),
        (requests(log, (9, 6), Behind::Records), unapplied(9)),
        (requests(log, (9, 6), Behind::Nothing), unanswered),
        (requests(log, (9, 9), OPEN), open),
        (requests(None, (0, 0), Behind::Nothing), vec![]),
        (requests(None, (0, 0), Behind::Records), unapplied(0)),
        // Its records are gone with its process.
        (requests(Some(PASSING), (9, 6), Behind::Nothing), vec![]),
        (requests(Some(PASSING), (9, 9), Behind::Records), unapplied(0)),
        (differs(Mismatch::OtherLog), problem(Mismatch::OtherLog)),
        (differs(Mismatch::LeftLog), vec![]),
        (lost, problem(Mismatch::NoRow)),
    ] {
        let before = BeforeMove { requests: vec![lane], ..BeforeMove::default() };
        assert_eq!(before.not_drained(), expected, "{before:?}");
    }
}

#[test]
fn replies_are_drained_once_those_that_count_are_recorded() {
    let from = Position(7);
    let unrecorded = vec![NotDrained::Unrecorded { lane: REPLIES, from }];
    let open =
        vec![NotDrained::OpenTransaction { lane: AnyLane::Replies(REPLIES), from: Position(5) }];
    let mismatch = Mismatch::NoPartition { partitions: 1 };
    let gone = ReplyLaneBeforeMove { mismatch: Some(mismatch), ..replies(Behind::Nothing) };
    let lost =
        NotDrained::Problem(LaneProblem::of_replies(REPLIES, gone.mismatch.clone().unwrap()));
    let held = ReplyLaneBeforeMove { stored: reply_row(Some("r-1")), ..replies(Behind::Nothing) };
    let leased = NotDrained::Leased { lane: REPLIES, holder: "r-1".to_owned() };
    let other = Some(ReplyLane(3));
    for (lane, of_campaign, expected) in [
        (replies(Behind::Nothing), Some(REPLIES), vec![]),
        (replies(Behind::Records), Some(REPLIES), unrecorded),
        (replies(Behind::Records), other, vec![]),
        (replies(Behind::Records), None, vec![]),
        (replies(OPEN), Some(REPLIES), open),
        (replies(OPEN), other, vec![]),
        (gone, other, vec![lost]),
        (held, other, vec![leased]),
    ] {
        let campaigns = vec![campaign(4, CampaignState::Settled, of_campaign)];
        let before = BeforeMove {
            replies: vec![lane],
            campaigns: Found::whole(campaigns),
            ..BeforeMove::default()
        };
        assert_eq!(before.not_drained(), expected, "{before:?}");
    }
}

#[test]
fn campaigns_are_drained_without_open_shops() {
    let (sending, ending) = (CampaignState::Sending { open: 2 }, CampaignState::Ending { open: 1 });
    let states = [CampaignState::Settled, sending, ending, CampaignState::Ended];
    let campaigns = (4..).zip(states).map(|(revision, state)| campaign(revision, state, None));
    let item = StoredItem::Campaign(Revision(9));
    let damaged = vec![Damage { item, what: "campaign 9 cannot be read".to_owned() }];
    let member = "`consumer` at /10.0.0.1".to_owned();
    let before = BeforeMove {
        members: vec![member.clone()],
        campaigns: Found { found: campaigns.collect(), damaged: damaged.clone() },
        ..BeforeMove::default()
    };
    let open = |campaign, state| NotDrained::Open { campaign: Revision(campaign), state };
    let expected = [
        NotDrained::Member { member },
        NotDrained::Damaged(damaged[0].clone()),
        open(5, sending),
        open(6, ending),
    ];
    assert_eq!(before.not_drained(), expected);
}

#[test]
fn a_partition_without_a_lane_is_drained_without_requests() {
    let beyond = vec![(Lane(4), Position(0)), (Lane(6), Position(3))];
    let expected: Vec<NotDrained> =
        beyond.iter().map(|&(partition, from)| NotDrained::NoLane { partition, from }).collect();
    let before = BeforeMove { beyond, ..BeforeMove::default() };
    assert_eq!(before.not_drained(), expected);
}

#[test]
fn each_line_says_what_to_do() {
    let from = Position(7);
    let what = "campaign 9 cannot be read".to_owned();
    let holder = "r-1".to_owned();
    for (not_drained, line) in [
        (
            NotDrained::Member { member: "`consumer` at /10.0.0.1".to_owned() },
            "stop all consumers: `consumer` at /10.0.0.1 is in the consumers' group; a consumer \
             that was killed leaves it after `kafka.session_timeout`",
        ),
        (
            NotDrained::Leased { lane: REPLIES, holder },
            "stop all requesters, or the command that works on the database file: reply lane 1 is \
             leased by r-1; the lease of a process that was killed ends after `engine.lease`",
        ),
        (
            NotDrained::Damaged(Damage { item: StoredItem::Campaign(Revision(9)), what }),
            "campaign 9 cannot be read: run `catchment repair` first, which mends it or says what \
             else to do",
        ),
        (
            NotDrained::Open { campaign: Revision(3), state: CampaignState::Sending { open: 2 } },
            "campaign 3 is sending: wait until it has no open shop (`catchment campaign watch 3`), \
             or give its open shops up (`catchment campaign give-up 3`)",
        ),
        (
            NotDrained::Unapplied { lane: LANE, from },
            "lane 2: its requests from 7 on are not applied: let the consumers work until they are",
        ),
        (
            NotDrained::Unanswered { lane: LANE, from },
            "lane 2: its requests from 7 on were applied and not answered: let the consumers work \
             until they are",
        ),
        (
            NotDrained::NoLane { partition: Lane(12), from },
            "partition 12 of the request topic has requests from 7 on, and the database has no \
             lane for it, so they are never applied: send them again after the move, and remove \
             them here by `kafka-delete-records.sh`",
        ),
        (
            NotDrained::Unrecorded { lane: REPLIES, from },
            "reply lane 1: its replies from 7 on are not recorded: let as many requesters work as \
             the reply topic has partitions, until they are",
        ),
        (
            NotDrained::OpenTransaction { lane: AnyLane::Replies(REPLIES), from },
            "reply lane 1: an open transaction holds back its records from 7 on: wait until Kafka \
             ends it, or end it by `kafka-transactions.sh`",
        ),
        (
            NotDrained::Changed(AnyLane::Requests(LANE)),
            "lane 2 changed since it was looked at: stop all services, and repeat the move",
        ),
    ] {
        assert_eq!(not_drained.to_string(), line);
    }
}

#[test]
fn a_lane_that_changed_since_it_was_drained_is_named() {
    let (one, other) =
        (requests(None, (0, 0), Behind::Nothing), requests(Some(LASTING), (9, 9), Behind::Nothing));
    let leased = reply_row(Some("r-1"));
    let (free, other_reply_lane) =
        (reply_row(None), StoredReplyLane { row: None, ..leased.clone() });
    let of_requests = Err(NotDrained::Changed(AnyLane::Requests(LANE)));
    let of_replies = Err(NotDrained::Changed(AnyLane::Replies(REPLIES)));
    let in_force = Err(NotDrained::Leased { lane: REPLIES, holder: "r-1".to_owned() });
    let stored = |lanes: &[&LaneBeforeMove]| -> Vec<_> {
        lanes.iter().map(|lane| (lane.lane, lane.stored.clone())).collect()
    };
    for (requests, replies, expected) in [
        (stored(&[&one]), vec![free.clone()], Ok(())),
        (stored(&[&other]), vec![free.clone()], of_requests.clone()),
        (stored(&[]), vec![free.clone()], of_requests.clone()),
        (stored(&[&one, &other]), vec![free.clone()], of_requests),
        (stored(&[&one]), vec![leased], in_force),
        (stored(&[&one]), vec![other_reply_lane.clone()], of_replies.clone()),
        (stored(&[&one]), vec![], of_replies.clone()),
        (stored(&[&one]), vec![free.clone(), other_reply_lane], of_replies),
    ] {
        let before = BeforeMove {
            requests: vec![one.clone()],
            replies: vec![ReplyLaneBeforeMove { stored: free.clone(), ..replies_drained() }],
            ..BeforeMove::default()
        };
        let terms = MoveTerms::new(lanes(4), before, false);
        let checked = terms.check(&requests, &replies, &Found::default());
        assert_eq!(checked, expected, "{requests:?} {replies:?}");
    }
    let sending = campaign(3, CampaignState::Sending { open: 2 }, None);
    let open = NotDrained::Open { campaign: Revision(3), state: sending.state };
    let terms = MoveTerms::new(lanes(4), BeforeMove::default(), false);
    assert_eq!(terms.check(&[], &[], &Found::whole(vec![sending])), Err(open));
}

fn replies_drained() -> ReplyLaneBeforeMove {
    replies(Behind::Nothing)
}

/// What the ledger says of a shop: the attempt in which it may have been sent, its outcomes, and why
/// they are what they are.
type Told = (Option<Attempt>, Slot, Slot, Vec<(Phase, Code, Option<Box<str>>)>);

/// The ledger, one shop at a time.
fn told(chunks: &[Chunk], lists: &[ShopList]) -> BTreeMap<String, Told> {
    let mut told = BTreeMap::new();
    for (chunk, list) in chunks.iter().zip(lists) {
        assert_eq!(chunk.len(), list.len());
        for (place, id) in list.iter().enumerate() {
            let details = [Phase::Activation, Phase::Release].map(|phase| {
                let detail = chunk.detail(phase, place)?;
                Some((phase, detail.code, detail.message.clone()))
            });
            let details = details.into_iter().flatten().collect();
            let shop = (chunk.sent, chunk.activations()[place], chunk.releases()[place], details);
            assert_eq!(told.insert(id.to_owned(), shop), None, "{id} stands there twice");
        }
    }
    told
}

/// A chunk of these shops, of which nothing is known but how they were sent and answered.
fn chunk(
    (number, first): (u32, u32),
    sent: Option<u16>,
    shops: &[(&str, Slot, Slot)],
) -> (Chunk, ShopList) {
    let slots = |slot: fn(&(&str, Slot, Slot)) -> Slot| shops.iter().map(slot).collect();
    let mut details = Vec::new();
    for (place, (id, activation, release)) in (0_u16..).zip(shops) {
        for (phase, slot) in [(Phase::Release, release), (Phase::Activation, activation)] {
            let has_detail = matches!(slot, Slot::Closed(status) if *status != Status::Applied);
            let message = Some(format!("{id} {}", phase.as_str()).into());
            let detail = Detail { phase, place, code: Code::GivenUp, message };
            details.extend(has_detail.then_some(detail));
        }
    }
    let (activations, releases) = (slots(|shop| shop.1), slots(|shop| shop.2));
    let name = (number, Lane(0), first);
    let chunk = Chunk::restore(name, sent.map(Attempt), activations, releases, details);
    let id = |(id, ..): &(&str, Slot, Slot)| -> ShopId { id.parse().unwrap() };
    (chunk, shops.iter().map(id).collect())
}

#[test]
fn a_list_goes_by_lane_then_by_how_it_was_sent_then_by_id() {
    let (applied, failed) = (Slot::Closed(Status::Applied), Slot::Closed(Status::Failed));
    let first = [("a", applied, Slot::Idle), ("b", failed, Slot::Idle), ("c", applied, Slot::Open)];
    let second = [("d", applied, failed), ("e", applied, Slot::Idle)];
    let third = [("f", failed, Slot::Idle), ("g", failed, Slot::Idle)];
    let (chunks, lists): (Vec<_>, Vec<_>) = [
        chunk((0, 0), Some(1), &first),
        chunk((1, 3), Some(2), &second),
        chunk((2, 5), None, &third),
    ]
    .into_iter()
    .unzip();
    let (after, after_lists) = relane(&chunks, &lists, lanes(2)).unwrap();
    let lane = |id: &str| lanes(2).lane_of(&id.parse().unwrap()).0;
    let found: Vec<_> = after
        .iter()
        .zip(&after_lists)
        .map(|(chunk, list)| {
            let ids: String = list.iter().collect();
            (chunk.number, chunk.first, chunk.lane.0, chunk.sent.map(|sent| sent.0), ids)
        })
        .collect();
    let in_lane = |wanted, ids: &str| -> String {
        ids.chars().filter(|id| lane(&id.to_string()) == wanted).collect()
    };
    let (mut expected, mut number, mut first) = (Vec::new(), 0, 0);
    for wanted in [0, 1] {
        for (sent, ids) in [(None, "fg"), (Some(1), "abc"), (Some(2), "de")] {
            let ids = in_lane(wanted, ids);
            let shops = u32::try_from(ids.len()).unwrap();
            if 0 < shops {
                expected.push((number, first, wanted, sent, ids));
                (number, first) = (number + 1, first + shops);
            }
        }
    }
    assert_eq!(found, expected);
    assert!(3 < found.len(), "both lanes have shops: {found:?}");
    assert_eq!(told(&after, &after_lists), told(&chunks, &lists));
}

#[test]
fn a_lane_with_many_shops_has_several_chunks() {
    let ids: Vec<String> = (0..CHUNK_SHOPS + 500).map(|number| format!("s-{number}")).collect();
    let shops: Vec<_> = ids.iter().map(|id| (id.as_str(), Slot::Open, Slot::Idle)).collect();
    let (front, back) = shops.split_at(CHUNK_SHOPS);
    let front_shops = u32::try_from(front.len()).unwrap();
    let (chunks, lists): (Vec<_>, Vec<_>) =
        [chunk((0, 0), None, front), chunk((1, front_shops), None, back)].into_iter().unzip();
    let (after, after_lists) = relane(&chunks, &lists, lanes(1)).unwrap();
    let sizes: Vec<usize> = after.iter().map(Chunk::len).collect();
    assert_eq!(sizes, [CHUNK_SHOPS, 500]);
    assert_eq!((after[1].number, after[1].first), (1, front_shops));
    assert!(after_lists.iter().flat_map(ShopList::iter).is_sorted());
    assert_eq!(relane(&after, &after_lists, lanes(1)).unwrap(), (after, after_lists));
}

fn any_slot() -> impl Strategy<Value = Slot> {
    let closed = prop::sample::select(Status::ALL.to_vec()).prop_map(Slot::Closed);
    prop_oneof![Just(Slot::Idle), Just(Slot::Open), closed]
}

/// The shops of a chunk, and the attempt in which they may have been sent.
type Shops = (Option<u16>, Vec<(Slot, Slot)>);

fn chunks() -> impl Strategy<Value = Vec<Shops>> {
    let sent = prop::option::of(1_u16..4);
    let shops = prop::collection::vec((any_slot(), any_slot()), 1..20);
    prop::collection::vec((sent, shops), 0..8)
}

proptest! {
    #[test]
    fn prop_relaned_is_same_as_naive(drawn in chunks(), count in 1_u16..6, then in 1_u16..6) {
        let (mut before, mut before_lists, mut number) = (Vec::new(), Vec::new(), 0_u32);
        for (sent, slots) in drawn {
            let first = number;
            let ids: Vec<String> = slots
                .iter()
                .map(|_| { number += 1; format!("shop-{}", number * 7_919 % 10_007) })
                .collect();
            let shops: Vec<_> = ids
                .iter()
                .zip(slots)
                .map(|(id, (activation, release))| (id.as_str(), activation, release))
                .collect();
            let name = (u32::try_from(before.len()).unwrap(), first);
            let (chunk, list) = chunk(name, sent, &shops);
            before.push(chunk);
            before_lists.push(list);
        }
        let (after, lists) = relane(&before, &before_lists, lanes(count)).unwrap();
        prop_assert_eq!(told(&after, &lists), told(&before, &before_lists));
        let mut first = 0;
        for (number, (chunk, list)) in (0..).zip(after.iter().zip(&lists)) {
            prop_assert_eq!((chunk.number, chunk.first), (number, first));
            prop_assert!(!chunk.is_empty() && chunk.len() <= CHUNK_SHOPS);
            first = chunk.end();
            let mut ids = list.iter().map(|id| id.parse::<ShopId>().unwrap());
            prop_assert!(ids.all(|id| lanes(count).lane_of(&id) == chunk.lane));
            prop_assert!(list.iter().is_sorted());
        }
        prop_assert!(after.is_sorted_by_key(|chunk| (chunk.lane, chunk.sent)));
        let lacking = |chunks: &[Chunk]| -> (u32, u32) {
            let lacking = chunks.iter().map(Chunk::lacking);
            lacking.fold((0, 0), |sum, one| (sum.0 + one.open, sum.1 + one.unreleased))
        };
        prop_assert_eq!(lacking(&after), lacking(&before));
        // What came of it does not depend on the way.
        let (again, again_lists) = relane(&after, &lists, lanes(then)).unwrap();
        let (direct, direct_lists) = relane(&before, &before_lists, lanes(then)).unwrap();
        prop_assert_eq!(&again_lists, &direct_lists);
        prop_assert_eq!(told(&again, &again_lists), told(&direct, &direct_lists));
    }
}
