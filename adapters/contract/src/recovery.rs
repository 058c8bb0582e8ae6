//! What consumers and a store keep together: each request takes effect once and is answered,
//! whatever breaks off between any two deeds.
//!
//! These are no promises of one method. They play the domain's own consumer on the store.

use std::collections::BTreeMap;
use std::time::Duration;

use catchment_domain::Status::{Applied, Unchanged};
use catchment_domain::ports::Claim;
use catchment_domain::service::ServiceError;
use catchment_domain::{
    Code, Committed, Epoch, Lane, LaneProblem, Mismatch, Outcome, Position, RequestId,
    RequestRecord, ShopId, Status,
};

use crate::owner::{Owner, id_at, record};
use crate::scene::{narrow, shop, shops_in};
use crate::script::{Fault, Script, run, run_until_trouble};
use crate::{Store, StoreHarness};

const LANE: Lane = Lane(0);

/// A consumer that dies before its commit has changed nothing; the next one does the work.
pub async fn crash_before_a_commit_applies_once(harness: &dyn StoreHarness) {
    check_recovery(harness, Fault::StoreUnavailable, 0).await;
}

/// A consumer that dies behind its commit has done the work; the next one answers.
pub async fn crash_after_a_commit_answers_from_receipts(harness: &dyn StoreHarness) {
    check_recovery(harness, Fault::RepliesUnsent, 2).await;
}

/// A consumer that dies behind its replies is succeeded by one that sends them again.
pub async fn crash_after_replies_answers_the_same_again(harness: &dyn StoreHarness) {
    check_recovery(harness, Fault::RepliesUnknown, 2).await;
}

/// A consumer that does not know whether its batch was stored finds out by a claim.
pub async fn lost_commit_answer_applies_once(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 2).await;
    let faults = [Fault::AnswerLost, Fault::AnswerLost];
    let script = Script::new(requests(&ids), &faults);
    run(&mut script.consumer(&store, 2)).await.unwrap();
    check_applied_once(&store, &ids, &script).await;
    assert_eq!(script.replies().len(), script.records.len(), "each is answered once");
}

/// A consumer needs no receipt of what is answered, so it does not miss those that are gone.
pub async fn pruned_receipts_are_not_missed(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 2).await;
    let (early, late) = (requests(&ids)[..4].to_vec(), requests(&ids));
    run(&mut Script::new(early, &[]).consumer(&store, 2)).await.unwrap();
    harness.advance(harness.receipts_kept() + Duration::from_secs(1));
    let script = Script::new(late, &[]);
    run(&mut script.consumer(&store, 1)).await.unwrap();
    assert_eq!(script.replies().len(), 2);
    let kept = Owner::of(&store, LANE).await.receipts().await;
    assert_eq!(kept.iter().map(|receipt| receipt.from.0).collect::<Vec<_>>(), [4, 5]);
    run(&mut script.consumer(&store, 2)).await.unwrap();
    assert_eq!(script.replies().len(), 2);
}

/// Two consumers of one lane that step in turn fence each other, and nothing is lost or done
/// twice.
pub async fn two_consumers_of_one_lane_apply_once(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 2).await;
    let script = Script::new(requests(&ids), &[]);
    let (mut one, mut other) = (script.consumer(&store, 1), script.consumer(&harness.store(), 1));
    // Both own the lane, as far as they know, before either applies.
    one.step().await.unwrap();
    for _ in 0..20 {
        other.step().await.unwrap();
        one.step().await.unwrap();
        one.step().await.unwrap();
    }
    run(&mut one).await.unwrap();
    check_applied_once(&store, &ids, &script).await;
}

/// A lane whose last record has another id than was applied, or that ends before it, is not
/// read on.
pub async fn log_made_again_is_noticed(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 2).await;
    run(&mut Script::new(requests(&ids), &[]).consumer(&store, 2)).await.unwrap();
    let again = (100..)
        .zip(requests(&ids))
        .map(|(number, record)| RequestRecord { id: id_at(number), ..record });
    let script = Script::new(again.collect(), &[]);
    let result = run(&mut script.consumer(&store, 2)).await;
    assert!(
        matches!(
            result,
            Err(ServiceError::Lane(LaneProblem { mismatch: Mismatch::OtherRecord { .. }, .. }))
        ),
        "{result:?}"
    );
    assert_eq!(script.replies(), []);
    for count in [0, 5] {
        let shorter = requests(&ids).into_iter().take(count).collect();
        let result = run(&mut Script::new(shorter, &[]).consumer(&store, 2)).await;
        let Err(ServiceError::Lane(LaneProblem { mismatch, .. })) = result else {
            panic!("{result:?}");
        };
        let (end, next) = (Position(count as u64), Position(6));
        assert_eq!(mismatch, Mismatch::EndsEarly { end, next });
    }
}

/// If the log remembers more than the database, a consumer stops at every start and answers nothing.
pub async fn restored_database_is_noticed(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 2).await;
    let script = Script::new(requests(&ids), &[]);
    run(&mut script.consumer(&store, 2)).await.unwrap();
    let replies = script.replies();
    let committed = script.committed.lock().unwrap().unwrap();
    assert_eq!(committed.next, Position(6));
    let ahead = Committed { epoch: Epoch(committed.epoch.0 + 1), ..committed };
    *script.committed.lock().unwrap() = Some(ahead);
    for _ in 0..3 {
        let result = run(&mut script.consumer(&store, 2)).await;
        assert!(matches!(result, Err(ServiceError::Older(_))), "{result:?}");
    }
    assert_eq!(*script.committed.lock().unwrap(), Some(ahead));
    assert_eq!(script.replies(), replies);
}

/// A shop that cannot be read costs its own requests, and nobody else's.
pub async fn bad_data_is_rejected_alone(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 4).await;
    harness.corrupt(&ids[2]).await;
    let script = Script::new(requests(&ids), &[]);
    run(&mut script.consumer(&store, 100)).await.unwrap();
    let replies = script.replies();
    assert_eq!(replies.len(), script.records.len());
    for (record, reply) in script.records.iter().zip(replies) {
        let is_bad = record.request.as_ref().is_ok_and(|request| request.shop == ids[2]);
        let code = is_bad.then_some(Code::BadData);
        assert_eq!((reply.id, reply.outcome.code), (record.id, code));
        assert_eq!(reply.shop.as_ref(), record.shop(), "a reply names the shop of its request");
    }
}

/// Records of others are passed over, also where a batch holds nothing else: the lane goes on
/// behind them and is known again by them.
pub async fn foreign_records_move_the_lane(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 2).await;
    let foreign = [0, 1, 3, 5].map(Position);
    let script = Script::shared(requests(&ids), &foreign, &[]);
    let mut first = script.consumer(&store, 2);
    first.step().await.unwrap();
    first.step().await.unwrap();
    assert_eq!(Owner::of(&store, LANE).await.claim.applied_next, Position(2));
    script.faults.lock().unwrap().push_back(Fault::RepliesUnsent);
    run(&mut first).await.unwrap();
    let answered: Vec<RequestId> = script.replies().iter().map(|reply| reply.id).collect();
    assert_eq!(answered, [2, 4].map(id_at));
    let store = harness.reopened().await.unwrap_or(store);
    let owner = Owner::of(&store, LANE).await;
    let Claim { applied_next, replied_next, last_id, .. } = owner.claim;
    assert_eq!((applied_next, replied_next, last_id), (Position(6), Position(6), Some(id_at(5))));
    let entries = owner.receipts().await.into_iter().flat_map(|receipt| receipt.entries);
    assert_eq!(entries.map(|entry| entry.position.0).collect::<Vec<_>>(), [2, 4]);
    run(&mut script.consumer(&store, 2)).await.unwrap();
    assert_eq!(script.replies().len(), 2);
}

/// A consumer that is stopped between two steps leaves its successor nothing to answer again.
pub async fn finished_consumer_leaves_nothing_to_answer(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 2).await;
    let script = Script::new(requests(&ids), &[]);
    let mut consumer = script.consumer(&store, 2);
    consumer.finish().await.unwrap();
    consumer.step().await.unwrap();
    consumer.step().await.unwrap();
    consumer.finish().await.unwrap();
    consumer.finish().await.unwrap();
    let Claim { applied_next, replied_next, .. } = Owner::of(&store, LANE).await.claim;
    assert_eq!((applied_next, replied_next), (Position(2), Position(2)));
    // One that was finished may go on: it claims again.
    run(&mut consumer).await.unwrap();
    check_applied_once(&store, &ids, &script).await;
    assert_eq!(script.replies().len(), script.records.len(), "each is answered once");
    let mut late = script.consumer(&store, 2);
    late.step().await.unwrap();
    late.finish().await.unwrap();
    assert_eq!(script.replies().len(), script.records.len());
}

/// Three requests for each shop, in turn: to 3 km, to 2 km, and to 2 km again.
fn requests(shops: &[ShopId]) -> Vec<RequestRecord> {
    let changes =
        ["3km", "2km", "2km"].into_iter().flat_map(|to| shops.iter().map(move |s| (s, to)));
    (0..).zip(changes).map(|(at, (shop, to))| record(at, shop, narrow(to))).collect()
}

/// Lets a consumer die at a fault in its second batch, and another take over.
/// `stored` records of that batch were applied by the first.
async fn check_recovery(harness: &dyn StoreHarness, fault: Fault, stored: u64) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 2).await;
    let script = Script::new(requests(&ids), &[]);
    let mut first = script.consumer(&store, 2);
    first.step().await.unwrap();
    first.step().await.unwrap();
    script.faults.lock().unwrap().push_back(fault);
    run_until_trouble(&mut first).await;
    assert!(script.faults.lock().unwrap().is_empty(), "the fault was met");
    drop(first);
    let store = harness.reopened().await.unwrap_or(store);
    let claim = Owner::of(&store, LANE).await.claim;
    assert_eq!(claim.applied_next.0, 2 + stored);
    run(&mut script.consumer(&store, 2)).await.unwrap();
    check_applied_once(&store, &ids, &script).await;
}

/// Each shop was written once for each request, in their order, and each request was answered
/// as that says, always the same.
async fn check_applied_once(store: &Store, ids: &[ShopId], script: &Script) {
    for id in ids {
        assert_eq!(shop(store, id).await.state.version, 4);
    }
    let mut answers: BTreeMap<RequestId, Outcome> = BTreeMap::new();
    for reply in script.replies() {
        let first = answers.entry(reply.id).or_insert_with(|| reply.outcome.clone());
        assert_eq!(*first, reply.outcome);
    }
    let statuses: Vec<Status> =
        script.records.iter().map(|record| answers[&record.id].status).collect();
    assert_eq!(statuses, [Applied, Applied, Applied, Applied, Unchanged, Unchanged]);
}
