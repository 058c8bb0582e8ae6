//! The promises of [`ReplyLanes`](catchment_domain::ports::ReplyLanes).

use std::time::Duration;

use catchment_domain::ports::{Lease, StoreError};
use catchment_domain::{
    Draft, LONGEST_LEASE, Lane, LogIdentity, Phase, Position, ReplyLane, Status,
};
use tokio::task::JoinSet;

use crate::requester::{LEASE, Requester, answer, holder};
use crate::scene::{campaign, draft, lasting_log, named, passing_log, shops_in};
use crate::{Store, StoreHarness};

const LANE: ReplyLane = ReplyLane(0);
const MOMENT: Duration = Duration::from_secs(1);
/// A moment before a lease runs out.
const ALMOST: Duration = Duration::from_secs(LEASE.as_secs() - 1);

/// Of many who ask at once one gets the lane, and nobody else while the lease is in force.
pub async fn lease_has_one_holder(harness: &dyn StoreHarness) {
    let mut asking = JoinSet::new();
    for number in 0..8 {
        let store = harness.store();
        asking.spawn(async move { ask(&store, number).await });
    }
    let leases: Vec<Lease> = asking.join_all().await.into_iter().flatten().collect();
    assert_eq!(leases.len(), 1, "{leases:?}");
    harness.advance(ALMOST);
    assert_eq!(ask(&harness.store(), 9).await, None);
    let other = harness.store().reply_lanes.lease(ReplyLane(1), holder(9), log(1, 0), LEASE).await;
    assert!(other.unwrap().is_some(), "another lane is nobody's yet");
}

/// A lane whose lease ran out or was given back goes on where it stood.
pub async fn lease_passes_on(harness: &dyn StoreHarness) {
    let store = harness.store();
    let first = ask(&store, 1).await.unwrap();
    store.campaign_ledger.record(&first, Position(7), &[]).await.unwrap();
    harness.advance(LEASE + MOMENT);
    let second = ask(&store, 2).await.unwrap();
    assert!(first.epoch < second.epoch);
    assert_eq!(second.position, Position(7));
    store.reply_lanes.surrender(&second).await.unwrap();
    let third = ask(&store, 3).await.unwrap();
    assert!(second.epoch < third.epoch);
    assert_eq!((third.holder, third.position), (holder(3), Position(7)));
    // Who was passed over can neither record nor give back what is not theirs.
    let late = store.campaign_ledger.record(&first, Position(9), &[]).await;
    assert!(matches!(late, Err(StoreError::Fenced)), "{late:?}");
    let late = store.reply_lanes.surrender(&second).await;
    assert!(matches!(late, Err(StoreError::Fenced)), "{late:?}");
    assert_eq!(ask(&store, 4).await, None);
}

/// The database's clock was ahead when somebody leased the lane, and was set right: the lease would
/// last for long.
pub async fn lease_of_a_wrong_clock_has_run_out(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, Lane(0), 1).await;
    campaign(&store, &ids).await;
    let ahead = Requester::of(&store, LANE.0, 1).await;
    assert_eq!(ahead.open().await.len(), 1);
    harness.step_back(LONGEST_LEASE);
    assert_eq!(store.reply_lanes.orphans().await.unwrap(), [LANE]);
    let [told] = &store.acceptances.reply_lanes().await.unwrap()[..] else { panic!("one lane") };
    assert_eq!(told.row.clone().unwrap().unwrap().holder, None);
    let next = ask(&store, 2).await.unwrap();
    assert!(ahead.lease.epoch < next.epoch);
    let late = store.reply_lanes.renew(&ahead.lease, LEASE).await;
    assert!(matches!(late, Err(StoreError::Fenced)), "{late:?}");
    assert_eq!(ask(&store, 3).await, None, "the next lease is in force");
    store.reply_lanes.renew(&next, LONGEST_LEASE).await.unwrap();
    assert_eq!(ask(&store, 3).await, None, "the longest lease is in force");
}

/// A lease that is renewed in time is kept; one that went to another is not renewed.
pub async fn lease_renewed_stays(harness: &dyn StoreHarness) {
    let store = harness.store();
    let lease = ask(&store, 1).await.unwrap();
    for _ in 0..3 {
        harness.advance(ALMOST);
        store.reply_lanes.renew(&lease, LEASE).await.unwrap();
    }
    harness.advance(ALMOST);
    assert_eq!(ask(&store, 2).await, None);
    harness.advance(MOMENT * 2);
    let next = ask(&store, 2).await.unwrap();
    let late = store.reply_lanes.renew(&lease, LEASE).await;
    assert!(matches!(late, Err(StoreError::Fenced)), "{late:?}");
    harness.advance(ALMOST);
    assert_eq!(ask(&store, 3).await, None, "{next:?} is in force");
}

/// The end that the first holder names is stored, and later ones count no more.
pub async fn lease_of_a_new_lane_starts_at_its_end(harness: &dyn StoreHarness) {
    let store = harness.store();
    let first = ask_in(&store, 1, log(1, 5)).await.unwrap();
    assert_eq!(first.position, Position(5));
    store.reply_lanes.surrender(&first).await.unwrap();
    for store in [Some(store), harness.reopened().await].into_iter().flatten() {
        let next = ask_in(&store, 2, log(1, 9)).await.unwrap();
        assert_eq!(next.position, Position(5));
        store.reply_lanes.surrender(&next).await.unwrap();
    }
}

/// A log that is new with its process has nothing to do with the positions of the one before.
pub async fn lease_of_a_passing_log_starts_anew(harness: &dyn StoreHarness) {
    let store = harness.store();
    let first = ask_in(&store, 1, log(1, 5)).await.unwrap();
    store.campaign_ledger.record(&first, Position(8), &[]).await.unwrap();
    harness.advance(LEASE + MOMENT);
    let second = ask_in(&store, 2, log(2, 3)).await.unwrap();
    assert!(first.epoch < second.epoch);
    assert_eq!(second.position, Position(3));
    store.campaign_ledger.record(&second, Position(4), &[]).await.unwrap();
    store.reply_lanes.surrender(&second).await.unwrap();
    let third = ask_in(&store, 3, log(2, 6)).await.unwrap();
    assert_eq!(third.position, Position(4));
}

/// The positions of one lasting log mean nothing in another, and would be lost there.
pub async fn lease_of_another_lasting_log_is_refused(harness: &dyn StoreHarness) {
    let store = harness.store();
    let lasting = |id| (lasting_log(id), Position(5));
    let first = ask_in(&store, 1, lasting(1)).await.unwrap();
    harness.advance(LEASE + MOMENT);
    for store in [Some(store.clone()), harness.reopened().await].into_iter().flatten() {
        for other in [lasting(2), log(2, 5)] {
            let refused = store.reply_lanes.lease(LANE, holder(2), other, LEASE).await;
            assert!(matches!(refused, Err(StoreError::Refused { .. })), "{refused:?}");
        }
    }
    let next = ask_in(&store, 2, lasting(1)).await.unwrap();
    assert_eq!((next.epoch.0, next.position), (first.epoch.0 + 1, Position(5)));
}

/// A reply log has lost its end. The lane goes back to that end, and its next holder reads from it.
pub async fn lane_that_lost_its_end_goes_back(harness: &dyn StoreHarness) {
    let store = harness.store();
    let first = ask(&store, 1).await.unwrap();
    store.campaign_ledger.record(&first, Position(7), &[]).await.unwrap();
    store.reply_lanes.go_back(&first, Position(3)).await.unwrap();
    store.reply_lanes.renew(&first, LEASE).await.unwrap();
    harness.advance(LEASE + MOMENT);
    let second = ask(&store, 2).await.unwrap();
    assert_eq!(second.position, Position(3));
    let late = store.reply_lanes.go_back(&first, Position(1)).await;
    assert!(matches!(late, Err(StoreError::Fenced)), "{late:?}");
    store.campaign_ledger.record(&second, Position(5), &[]).await.unwrap();
    store.reply_lanes.surrender(&second).await.unwrap();
    assert_eq!(ask(&store, 3).await.unwrap().position, Position(5));
}

/// Who gave a lease back has no right left, even while nobody else asks for the lane.
pub async fn surrendered_lease_is_fenced(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, Lane(0), 1).await;
    let sent = campaign(&store, &ids).await;
    let lease = ask(&store, 1).await.unwrap();
    store.campaign_ledger.open(&lease).await.unwrap();
    store.reply_lanes.surrender(&lease).await.unwrap();
    let part = (Phase::Activation, sent.attempt);
    let ledger = &store.campaign_ledger;
    let results = [
        store.reply_lanes.renew(&lease, LEASE).await,
        store.reply_lanes.go_back(&lease, Position(0)).await,
        store.reply_lanes.surrender(&lease).await,
        ledger.open(&lease).await.map(drop),
        ledger.mark_sent(&lease, sent.name.revision, part, &[0]).await.map(drop),
        ledger.record(&lease, Position(9), &[]).await.map(drop),
    ];
    for result in results {
        assert!(matches!(result, Err(StoreError::Fenced)), "{result:?}");
    }
    assert_eq!(ask(&store, 1).await.unwrap().position, Position(0));
}

/// A lane whose requester is gone is found while one of its campaigns needs somebody.
pub async fn orphans_have_open_campaigns_and_no_lease(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, Lane(0), 1).await;
    let orphans = || async { store.reply_lanes.orphans().await.unwrap() };
    campaign(&store, &ids).await;
    assert_eq!(orphans().await, [], "a campaign of nobody is no orphan");
    let (left, mut right) = (Requester::of(&store, 1, 1).await, Requester::of(&store, 0, 2).await);
    assert_eq!(left.open().await.len(), 1);
    let until = Some(harness.now().saturating_add(LEASE * 3));
    let timed = store.campaigns.add(&Draft { until, ..draft(named(&ids)) }).await.unwrap();
    assert_eq!(right.open().await.len(), 1);
    harness.advance(ALMOST);
    assert_eq!(orphans().await, [], "both leases are in force");
    harness.advance(MOMENT * 2);
    assert_eq!(orphans().await, [ReplyLane(0), ReplyLane(1)]);
    right = Requester::of(&store, 0, 2).await;
    assert_eq!(orphans().await, [ReplyLane(1)]);
    right.mark(&timed, Phase::Activation, &[0]).await;
    right.record(&timed, &[answer(&timed, Phase::Activation, (0, 0), Status::Applied)]).await;
    store.reply_lanes.surrender(&right.lease).await.unwrap();
    assert_eq!(orphans().await, [ReplyLane(1)], "the other campaign is settled");
    harness.advance(LEASE * 3);
    assert_eq!(orphans().await, [ReplyLane(0), ReplyLane(1)], "it is to be ended");
}

fn log(id: u128, end: u64) -> (LogIdentity, Position) {
    (passing_log(id), Position(end))
}

async fn ask(store: &Store, number: u128) -> Option<Lease> {
    ask_in(store, number, log(1, 0)).await
}

async fn ask_in(store: &Store, number: u128, log: (LogIdentity, Position)) -> Option<Lease> {
    store.reply_lanes.lease(LANE, holder(number), log, LEASE).await.unwrap()
}
