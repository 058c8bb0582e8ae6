//! How long the rules take: one request at one shop, a batch folded over its shops, and the
//! precedence rule alone.

#![expect(clippy::unwrap_used, reason = "what is written in a benchmark is known to be right")]

use std::hint::black_box;
use std::num::NonZeroU16;

use catchment_domain::{
    ActiveCause, Attempt, Batch, CampaignId, CampaignRef, CampaignTerms, Change, Deadline, Effect,
    Epoch, Lane, LaneTime, Lanes, Limit, Loaded, LoadedCampaign, LoadedShop, MAX_SHOPS, Nonce,
    Origin, Phase, Policy, Position, Radius, Rank, Request, RequestRecord, ReturnAddress, Revision,
    ShopState, Ticket, Timestamp, TriggerKind, TriggerRule, check_request, judge, judge_batch,
    resolve,
};
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use uuid::Uuid;

const LANES: Lanes = Lanes(NonZeroU16::MIN);
const BATCH: u32 = 2_000;
const KINDS: [&str; 5] =
    ["system_failure", "bad_weather", "order_surge", "rider_shortage", "manual"];

fn kind(name: &str) -> TriggerKind {
    name.parse().unwrap()
}

fn policy() -> Policy {
    let rule = TriggerRule { rank: Rank(10), default_limit: None };
    let floor = Radius::try_from(500_u32).unwrap();
    Policy { floor, triggers: KINDS.map(|name| (kind(name), rule)).into() }
}

fn campaign(revision: u64) -> CampaignRef {
    let id = CampaignId(Uuid::from_u128(u128::from(revision) << 64));
    CampaignRef { revision: Revision(revision), id }
}

/// Causes of different campaigns and kinds, metres and shares in turn.
fn causes(count: u64) -> Vec<ActiveCause> {
    let cause = |(revision, name): (u64, &&str)| {
        let limit: Limit = if revision % 2 == 0 {
            format!("{}m", 5_000 - revision).parse().unwrap()
        } else {
            format!("{}%", 100 - revision).parse().unwrap()
        };
        let origin = Origin::Campaign(Revision(revision));
        ActiveCause { origin, kind: kind(name), rank: Rank(10), limit, effect: Effect::Applied }
    };
    (1..=count).zip(KINDS.iter().cycle()).map(cause).collect()
}

/// A shop of 5 km with 4 causes.
fn shop() -> ShopState {
    let mut shop = ShopState::new(Radius::try_from(5_000_u32).unwrap(), Revision(1));
    shop.active = causes(4).into();
    shop.radius = shop.resolution(Radius::CLOSED).radius;
    shop
}

/// A copy with room for one more cause, as a shop has once its lists have grown.
fn with_room(shop: &ShopState) -> ShopState {
    let mut active = Vec::with_capacity(shop.active.len() + 1);
    active.extend_from_slice(&shop.active);
    ShopState { active: active.into(), released: Vec::with_capacity(1), ..*shop }
}

fn activate(revision: u64) -> Change {
    Change::Activate {
        campaign: campaign(revision),
        kind: kind("system_failure"),
        limit: "1km".parse().unwrap(),
        deadline: Deadline::at(Timestamp::from_millis(1_000)),
        replaces: None,
    }
}

fn release(revision: u64) -> Change {
    let deadline = Deadline::at(Timestamp::from_millis(1_000));
    Change::Release { campaign: campaign(revision), deadline }
}

/// The request of a campaign for the shop at a place of its list.
fn request(place: u32, change: Change) -> Request {
    let is_release = matches!(change, Change::Release { .. });
    let phase = if is_release { Phase::Release } else { Phase::Activation };
    let revision = change.campaign().unwrap().revision;
    let nonce = Nonce::from_random(revision.0);
    let id = Ticket { revision, phase, attempt: Attempt::FIRST, index: place, nonce }.id();
    Request { id, shop: format!("seoul-{place:06}").parse().unwrap(), change }
}

/// The campaign that asks for a change.
fn loaded(change: Change) -> LoadedCampaign {
    let name = change.campaign().unwrap();
    let terms = CampaignTerms {
        nonce: Nonce::from_random(name.revision.0),
        shops: MAX_SHOPS,
        kind: kind("system_failure"),
        limit: "1km".parse().unwrap(),
        replaces: None,
        attempt: Attempt::FIRST,
        deadline: Deadline::at(Timestamp::from_millis(1_000)),
        is_ending_or_ended: matches!(change, Change::Release { .. }),
    };
    LoadedCampaign { name, terms: Ok(terms) }
}

fn time() -> LaneTime {
    LaneTime { now: Timestamp::from_millis(0), expired_up_to: Deadline::MIN }
}

/// One request at a shop with 4 causes, of each way that most requests go.
fn one_request(c: &mut Criterion) {
    let (policy, shop) = (policy(), shop());
    let mut group = c.benchmark_group("judge at 4 causes");
    for (name, change) in
        [("activate", activate(9)), ("release", release(2)), ("repeat", activate(2))]
    {
        let (request, campaign) = (request(0, change), loaded(change));
        // The shop is made anew for each request, and neither that nor its end is timed.
        group.bench_function(name, |bencher| {
            bencher.iter_batched_ref(
                || (with_room(&shop), time()),
                |(shop, time)| {
                    let request = black_box(&request);
                    let checked = check_request(request, Some(&campaign), Revision(9));
                    judge(shop, &request.change, checked, &policy, time)
                },
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

/// A batch over 2,000 shops with 4 causes each: every request changes its shop.
fn a_batch(c: &mut Criterion) {
    let (policy, shop) = (policy(), shop());
    let mut group = c.benchmark_group("judge_batch of 2,000 at 4 causes");
    group.throughput(Throughput::Elements(BATCH.into()));
    for (name, change) in [("activate", activate(9)), ("release", release(2))] {
        let records = (0..BATCH).map(|place| {
            let request = request(place, change);
            RequestRecord {
                position: Position(place.into()),
                id: request.id,
                return_address: ReturnAddress::default(),
                request: Ok(request),
            }
        });
        let batch = Batch::new((Lane(0), Epoch(1)), Position(0), Position(0), records.collect());
        group.bench_function(name, |bencher| {
            bencher.iter_batched_ref(
                || Loaded {
                    time: time(),
                    campaigns: vec![loaded(change)],
                    newest: Revision(9),
                    shops: (0..BATCH).map(|_| LoadedShop::new(Some(with_room(&shop)))).collect(),
                },
                |loaded| judge_batch(black_box(&batch), loaded, &policy, LANES),
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

fn precedence(c: &mut Criterion) {
    let (base, floor) = (Radius::try_from(5_000_u32).unwrap(), Radius::try_from(500_u32).unwrap());
    let mut group = c.benchmark_group("resolve");
    for count in [1, 4, 16] {
        let causes = causes(count);
        group.bench_with_input(BenchmarkId::from_parameter(count), &causes, |bencher, causes| {
            bencher.iter(|| resolve(base, floor, black_box(causes)));
        });
    }
    group.finish();
}

criterion_group!(benches, one_request, a_batch, precedence);
criterion_main!(benches);
