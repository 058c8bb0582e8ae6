//! Folding a batch: as if each request was judged by itself, in the order of the lane.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU16;

use catchment_domain::{
    Batch, CampaignRef, Change, Code, Deadline, Epoch, Invalid, Lane, LaneTime, Lanes, Loaded,
    LoadedCampaign, LoadedShop, Outcome, Policy, Position, Radius, Rank, Receipt, Replaced,
    Request, RequestId, RequestRecord, ReturnAddress, Revision, ShopFingerprint, ShopId, ShopState,
    Status, Ticket, Timestamp, TriggerRule, check_id, check_request, judge, judge_batch,
};
use proptest::prelude::*;
use uuid::Uuid;

use super::requests::{campaign, id_of, loaded};

const LANES: Lanes = Lanes(NonZeroU16::new(2).unwrap());
const LANE: Lane = Lane(0);

fn policy() -> Policy {
    let rule = TriggerRule { rank: Rank(10), default_limit: None };
    let floor = Radius::try_from(500_u32).unwrap();
    Policy { floor, triggers: BTreeMap::from([("k".parse().unwrap(), rule)]) }
}

/// The newest revision that was given out.
const NEWEST: Revision = Revision(3);

/// The stored campaigns are 1 to 3. Campaign 2 is ending.
fn stored_campaigns() -> Vec<LoadedCampaign> {
    (1..=3).map(|revision| loaded(activate_of(revision, 120), revision == 2)).collect()
}

/// The activation of a campaign. Campaign 3 replaces campaign 1.
fn activate_of(revision: u64, until: i64) -> Change {
    let metres = u32::try_from(revision).unwrap() * 1_000;
    activate(revision, metres, (revision == 3).then_some(1), until)
}

fn deadline(millis: i64) -> Deadline {
    Deadline::at(Timestamp::from_millis(millis))
}

/// Ids of the lane of the batch, or of the other one.
fn shop_ids(lane: Lane, count: usize) -> Vec<ShopId> {
    let ids = (0..).map(|n: u32| format!("s{n}").parse().unwrap());
    ids.filter(|id| LANES.lane_of(id) == lane).take(count).collect()
}

fn record(position: u64, request: Result<(ShopId, Change), Invalid>) -> RequestRecord {
    let place = u32::try_from(position).unwrap();
    let change = request.as_ref().map(|(_, change)| *change);
    let id = change.map_or(RequestId(Uuid::nil()), |change| id_of(&change, place));
    RequestRecord {
        position: Position(position),
        id,
        return_address: ReturnAddress::default(),
        request: request.map(|(shop, change)| Request { id, shop, change }),
    }
}

fn batch(records: Vec<RequestRecord>) -> Batch {
    Batch::new((LANE, Epoch(1)), Position(0), Position(0), records)
}

fn activate(revision: u64, metres: u32, replaces: Option<u64>, until: i64) -> Change {
    let replaces =
        replaces.map(|older| Replaced { campaign: campaign(older), deadline: deadline(110) });
    Change::Activate {
        campaign: campaign(revision),
        kind: "k".parse().unwrap(),
        limit: format!("{metres}m").parse().unwrap(),
        deadline: deadline(until),
        replaces,
    }
}

/// What is stored: the shops, and the lane's time.
#[derive(Clone, Debug, PartialEq)]
struct Database {
    shops: BTreeMap<ShopId, ShopState>,
    time: LaneTime,
}

impl Database {
    /// Four shops of 5 km; the fifth id of the lane is nobody's.
    fn new() -> Self {
        let shop = ShopState::new(Radius::try_from(5_000_u32).unwrap(), Revision(1));
        let ids = shop_ids(LANE, 4).into_iter().chain(shop_ids(Lane(1), 1));
        let time = LaneTime { now: Timestamp::from_millis(100), expired_up_to: Deadline::MIN };
        Self { shops: ids.map(|id| (id, shop.clone())).collect(), time }
    }

    /// Applies a batch as a store does: only shops that changed are written.
    fn apply(&mut self, batch: &Batch) -> Vec<Outcome> {
        let load = |id: &ShopId| LoadedShop::new(self.shops.get(id).cloned());
        let mut loaded = Loaded {
            time: self.time,
            campaigns: stored_campaigns(),
            newest: NEWEST,
            shops: batch.shops().iter().map(load).collect(),
        };
        let outcomes = judge_batch(batch, &mut loaded, &policy(), LANES);
        self.time = loaded.time;
        for (id, shop) in batch.shops().iter().zip(loaded.shops) {
            if let (true, Some(state)) = (shop.changed, shop.state) {
                self.shops.insert(id.clone(), state);
            }
        }
        outcomes
    }

    /// Judges one request by itself.
    fn judge(&mut self, record: &RequestRecord) -> Outcome {
        let request = match &record.request {
            Err(invalid) => {
                return Outcome::rejected(invalid.code, Some(invalid.message.clone()));
            }
            Ok(request) => request,
        };
        let name = request.change.campaign();
        if name.is_none() && Ticket::read(request.id).is_some() {
            return Outcome::rejected(Code::ReservedId, None);
        }
        let right = LANES.lane_of(&request.shop);
        if right != LANE {
            let (found, right) = (LANE.0, right.0);
            let message = format!(
                "the request is in partition {found}, but murmur2 of its key chooses partition \
                 {right}"
            );
            return Outcome::rejected(Code::WrongLane, Some(message.into()));
        }
        let campaigns = stored_campaigns();
        let campaign = campaigns.iter().find(|stored| Some(stored.name) == name);
        if name.is_some() && campaign.is_none() {
            return Outcome::rejected(Code::UnknownCampaign, None);
        }
        if let Err(refusal) = check_id(request) {
            return Outcome::rejected(refusal.code, refusal.detail);
        }
        let Some(shop) = self.shops.get_mut(&request.shop) else {
            return Outcome::rejected(Code::UnknownShop, None);
        };
        let checked = check_request(request, campaign, NEWEST);
        judge(shop, &request.change, checked, &policy(), &mut self.time)
    }
}

/// The same record with another id.
fn with_id(mut record: RequestRecord, id: RequestId) -> RequestRecord {
    record.id = id;
    if let Ok(request) = &mut record.request {
        request.id = id;
    }
    record
}

fn unreadable() -> Invalid {
    Invalid { code: Code::Unreadable, message: "not JSON".into(), shop: None }
}

#[test]
fn what_needs_no_shop_is_rejected_in_the_order_of_the_list() {
    let own = shop_ids(LANE, 5);
    let foreign = shop_ids(Lane(1), 2);
    let (known, unknown) = (activate_of(1, 120), activate_of(9, 120));
    let by_hand = Change::ReleaseKind { kind: "k".parse().unwrap(), deadline: None };
    let check_record = |record, expected: Result<Status, Code>| {
        let outcomes = Database::new().apply(&batch(vec![record]));
        let [outcome] = outcomes.as_slice() else { panic!("one outcome for one record") };
        let rejected = |code| (Status::Rejected, Some(code), false);
        let plain = |status| (status, None, true);
        let expected = expected.map_or_else(rejected, plain);
        assert_eq!((outcome.status, outcome.code, outcome.standing.is_some()), expected);
        assert_eq!(outcome.message().is_some(), outcome.status == Status::Rejected);
    };
    let check = |request, expected| check_record(record(0, request), expected);
    check(Ok((own[0].clone(), known)), Ok(Status::Applied));
    check(Err(unreadable()), Err(Code::Unreadable));
    // With the id of a campaign's request, a receipt would take this request for the campaign's.
    check(Ok((own[0].clone(), by_hand)), Ok(Status::Unchanged));
    for shop in [&own[0], &own[4], &foreign[0]] {
        let forged = with_id(record(0, Ok((shop.clone(), by_hand))), id_of(&known, 0));
        check_record(forged, Err(Code::ReservedId));
    }
    // A stored shop, a stored campaign, but another lane; then nothing that is right.
    check(Ok((foreign[0].clone(), known)), Err(Code::WrongLane));
    check(Ok((foreign[1].clone(), unknown)), Err(Code::WrongLane));
    check(Ok((own[0].clone(), unknown)), Err(Code::UnknownCampaign));
    check(Ok((own[4].clone(), unknown)), Err(Code::UnknownCampaign));
    check(Ok((own[4].clone(), known)), Err(Code::UnknownShop));
    // The ids of another campaign's request, of the other phase's request, and of no campaign's.
    let deadline = deadline(120);
    let release = Change::Release { campaign: campaign(1), deadline };
    for shop in [&own[0], &own[4]] {
        for id in [id_of(&activate_of(2, 120), 0), id_of(&release, 0), id_of(&by_hand, 0)] {
            let forged = with_id(record(0, Ok((shop.clone(), known))), id);
            check_record(forged, Err(Code::CampaignDiffers));
        }
    }
    let forged = with_id(record(0, Ok((own[0].clone(), unknown))), id_of(&release, 0));
    check_record(forged, Err(Code::UnknownCampaign));
}

/// Its answer would be taken for the answer to the other request: a release that never happened
/// would be recorded as done.
#[test]
fn a_repeat_under_the_id_of_another_request_is_rejected() {
    let (shop, deadline) = (shop_ids(LANE, 1)[0].clone(), deadline(120));
    let release_of = |revision| Change::Release { campaign: campaign(revision), deadline };
    let mut database = Database::new();
    let first = record(0, Ok((shop.clone(), activate_of(1, 120))));
    database.apply(&batch(vec![first.clone()]));
    let again = |id| with_id(record(1, Ok((shop.clone(), activate_of(1, 120)))), id);
    let before = database.clone();
    for (id, expected) in [
        (first.id, (Status::Applied, None, true)),
        (id_of(&release_of(1), 0), (Status::Rejected, Some(Code::CampaignDiffers), false)),
        (id_of(&activate_of(3, 120), 0), (Status::Rejected, Some(Code::CampaignDiffers), false)),
        (id_of(&release_of(2), 0), (Status::Rejected, Some(Code::CampaignDiffers), false)),
    ] {
        let outcomes = database.apply(&batch(vec![again(id)]));
        let found = (outcomes[0].status, outcomes[0].code, outcomes[0].repeat);
        assert_eq!(found, expected, "{id}");
        assert_eq!(database, before);
    }
}

#[test]
fn an_unreadable_message_is_answered_with_what_is_wrong() {
    let outcomes = Database::new().apply(&batch(vec![record(0, Err(unreadable()))]));
    assert_eq!(outcomes[0].message(), Some("not JSON"));
}

#[test]
fn a_batch_says_where_it_ends_and_what_was_last() {
    let empty = Batch::new((LANE, Epoch(1)), Position(7), Position(5), Vec::new());
    assert_eq!((empty.to(), empty.last_id()), (Position(7), None));
    // Positions have gaps, and an unreadable record counts.
    let records = vec![
        record(8, Ok((shop_ids(LANE, 1)[0].clone(), activate_of(1, 120)))),
        record(20, Err(unreadable())),
    ];
    let batch = Batch::new((LANE, Epoch(1)), Position(7), Position(5), records.clone());
    assert_eq!((batch.to(), batch.last_id()), (Position(21), Some(records[1].id)));
    let outcomes = Database::new().apply(&batch);
    let receipt = Receipt::new(&batch, outcomes.clone());
    assert_eq!((receipt.from, receipt.to), (Position(7), Position(21)));
    let entries = receipt.entries.iter();
    let entries = entries.map(|entry| (entry.position, entry.id, entry.shop, &entry.outcome));
    let expected = records.iter().zip(&outcomes).map(|(record, outcome)| {
        (record.position, record.id, record.shop().map(ShopFingerprint::of), outcome)
    });
    assert!(entries.eq(expected));
    assert_eq!(batch.into_records(), records);
}

fn any_change() -> impl Strategy<Value = Change> {
    // The deadlines lie around 100, which is the clock's time, and up to the campaigns' deadline
    // and later. Campaign 4 is not stored, and revision 4 was never given out.
    prop_oneof![
        9 => (1_u64..=4, 90_i64..=122).prop_map(|(revision, until)| activate_of(revision, until)),
        1 => (1_u64..=4, 1_u32..6_000, prop::option::weighted(0.3, 1_u64..=4))
            .prop_map(|(revision, metres, older)| {
                activate(revision, metres, older.filter(|older| *older < revision), 120)
            }),
        3 => (1_u64..=4, 90_i64..=122).prop_map(|(revision, until)| Change::Release {
            campaign: campaign(revision),
            deadline: deadline(until),
        }),
        1 => (0_u64..5, 0_u32..9_000).prop_map(|(revision, metres)| Change::SetBase {
            revision: Revision(revision),
            radius: Radius::try_from(metres).unwrap(),
            deadline: None,
        }),
        1 => prop::option::of(90_i64..120).prop_map(|until| Change::ReleaseKind {
            kind: "k".parse().unwrap(),
            deadline: until.map(deadline),
        }),
        1 => prop::option::of(90_i64..120).prop_map(|until| Change::ActivateKind {
            kind: "k".parse().unwrap(),
            limit: "2km".parse().unwrap(),
            deadline: until.map(deadline),
        }),
    ]
}

fn any_records() -> impl Strategy<Value = Vec<RequestRecord>> {
    let mut shops = shop_ids(LANE, 5);
    shops.extend(shop_ids(Lane(1), 1));
    let request = prop_oneof![
        1 => Just(Err(unreadable())),
        15 => (prop::sample::select(shops), any_change()).prop_map(Ok),
    ];
    // A record has its own id or the id of another request.
    let id = prop::option::weighted(0.05, any_change());
    prop::collection::vec((request, id), 0..40).prop_map(|requests| {
        // Every other position is a gap.
        let records = (0..).step_by(2).zip(requests).map(|(at, (request, id))| {
            let record = record(at, request);
            id.map_or(record.clone(), |other| with_id(record, id_of(&other, 0)))
        });
        records.collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn prop_any_split_into_batches_is_the_same_as_one_request_at_a_time(
        records in any_records(), sizes in prop::collection::vec(1_usize..12, 40)
    ) {
        let (mut single, mut folded) = (Database::new(), Database::new());
        let expected: Vec<Outcome> = records.iter().map(|record| single.judge(record)).collect();
        let mut rest = records.as_slice();
        let mut outcomes = Vec::new();
        for size in sizes {
            let (head, tail) = rest.split_at(size.min(rest.len()));
            outcomes.extend(folded.apply(&batch(head.to_vec())));
            rest = tail;
        }
        prop_assert_eq!(outcomes, expected);
        prop_assert_eq!(folded, single);
    }

    #[test]
    fn prop_shops_are_sorted_and_distinct_and_campaigns_distinct(records in any_records()) {
        let requests = || records.iter().filter_map(|record| record.request.as_ref().ok());
        let shops: BTreeSet<&ShopId> = requests().map(|request| &request.shop).collect();
        let named: BTreeSet<CampaignRef> =
            requests().filter_map(|request| request.change.campaign()).collect();
        let batch = batch(records.clone());
        prop_assert!(batch.shops().iter().eq(shops));
        let mut campaigns = batch.campaigns();
        campaigns.sort();
        prop_assert!(campaigns.into_iter().eq(named));
    }

    /// A store writes the shops that changed and no other.
    #[test]
    fn prop_exactly_the_shops_that_changed_are_marked(records in any_records()) {
        let before = Database::new();
        let batch = batch(records);
        let mut loaded = Loaded {
            time: before.time,
            campaigns: stored_campaigns(),
            newest: NEWEST,
            shops: batch
                .shops()
                .iter()
                .map(|id| LoadedShop::new(before.shops.get(id).cloned()))
                .collect(),
        };
        judge_batch(&batch, &mut loaded, &policy(), LANES);
        for (id, shop) in batch.shops().iter().zip(&loaded.shops) {
            prop_assert_eq!(shop.changed, shop.state.as_ref() != before.shops.get(id));
        }
    }
}
