//! Judging allocates nothing per request once its shops have grown their lists.
//!
//! The allocator counts for each thread by itself, so tests beside this one change nothing.

use std::collections::BTreeMap;
use std::num::NonZeroU16;

use catchment_domain::{
    Batch, Change, Deadline, Epoch, Lane, LaneTime, Lanes, Loaded, LoadedShop, Outcome, Policy,
    Position, Radius, Rank, Replaced, Request, RequestRecord, ReturnAddress, Revision, ShopState,
    Status, Timestamp, TriggerRule, judge_batch,
};

use super::requests::{campaign, id_of, loaded};

const LANES: Lanes = Lanes(NonZeroU16::MIN);
const SHOPS: u64 = 500;

fn policy() -> Policy {
    let rule = TriggerRule { rank: Rank(10), default_limit: None };
    Policy { floor: Radius::CLOSED, triggers: BTreeMap::from([("k".parse().unwrap(), rule)]) }
}

fn deadline(hours: u64) -> Deadline {
    Deadline::at(Timestamp::from_millis(i64::try_from(hours).unwrap() * 3_600_000))
}

/// The same change for every shop, in the time of `hour`.
fn batch(change: Change) -> Batch {
    let records = (0..SHOPS).map(|shop| {
        let id = id_of(&change, u32::try_from(shop).unwrap());
        let shop_id = format!("shop-{shop}").parse().unwrap();
        RequestRecord {
            position: Position(shop),
            id,
            return_address: ReturnAddress::default(),
            request: Ok(Request { id, shop: shop_id, change }),
        }
    });
    Batch::new((Lane(0), Epoch(1)), Position(0), Position(0), records.collect())
}

/// The third campaign of an hour replaces the second.
fn activate(revision: u64, hour: u64) -> Change {
    let replaces = (revision % 5 == 2).then(|| revision - 1);
    Change::Activate {
        campaign: campaign(revision),
        kind: "k".parse().unwrap(),
        limit: format!("{}m", 5_000 - revision).parse().unwrap(),
        deadline: deadline(hour),
        replaces: replaces
            .map(|older| Replaced { campaign: campaign(older), deadline: deadline(revision / 5) }),
    }
}

fn release(revision: u64, hour: u64) -> Change {
    Change::Release { campaign: campaign(revision), deadline: deadline(hour) }
}

/// Judges a batch and returns its outcomes and how often that allocated.
fn count(loaded: &mut Loaded, change: Change) -> (Vec<Outcome>, u64) {
    let (batch, policy) = (batch(change), policy());
    let mut outcomes = Vec::new();
    let allocations = allocation_counter::measure(|| {
        outcomes = judge_batch(&batch, loaded, &policy, LANES);
    });
    (outcomes, allocations.count_total)
}

/// Four campaigns come and go, hour after hour, as they do at a shop for months.
fn hour(hour: u64) -> [(Change, Status); 9] {
    let first = hour * 5;
    [
        (activate(first, hour), Status::Applied),
        (activate(first + 1, hour), Status::Applied),
        (activate(first + 1, hour), Status::Applied),
        (activate(first + 2, hour), Status::Applied),
        (release(first + 2, hour), Status::Applied),
        (activate(first + 2, hour), Status::Superseded),
        (activate(first + 3, hour.saturating_sub(1)), Status::Expired),
        (release(first, hour), Status::Applied),
        (release(first, hour), Status::Applied),
    ]
}

#[test]
fn judging_a_warmed_up_batch_allocates_for_its_outcomes_alone() {
    let shop = ShopState::new(Radius::try_from(5_000_u32).unwrap(), Revision(1));
    let mut shops = Loaded {
        time: LaneTime { now: Timestamp::from_millis(0), expired_up_to: Deadline::MIN },
        campaigns: Vec::new(),
        newest: Revision(100),
        shops: (0..SHOPS).map(|_| LoadedShop::new(Some(shop.clone()))).collect(),
    };
    for now in 1..15 {
        shops.time.now = deadline(now).instant();
        for (change, status) in hour(now) {
            let is_over = matches!(change, Change::Release { .. });
            let of_hour = now * 5..now * 5 + 4;
            shops.campaigns =
                of_hour.map(|revision| loaded(activate(revision, now), is_over)).collect();
            let (outcomes, allocations) = count(&mut shops, change);
            assert!(outcomes.iter().all(|outcome| outcome.status == status), "{change:?}");
            // The lists of a shop grow while it is new.
            assert!(now < 5 || allocations == 1, "{allocations} allocations: {change:?}");
        }
    }
}
