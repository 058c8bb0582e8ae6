//! Releasing causes by command.

use catchment_domain::Phase::{Activation, Release as Over};
use catchment_domain::Status::{Applied, Superseded};
use catchment_domain::{
    ActiveCause, Batch, Campaign, CauseName, Code, Command, Deadline, Effect, ImportNumber,
    ImportReceipt, ImportRemark, Loaded, Origin, Rank, Release, ReleaseTerms, Revision, ShopId,
    StoredItem, service,
};

use super::LANE;
use crate::owner::{Owner, record};
use crate::scene::{
    BASE, by_the_rules, campaign, crowd_in, kind, limit, metres, named, narrow, policy, radius,
    shop, shops_in, stranger_in,
};
use crate::{Store, StoreHarness};

/// Releases as the command does.
async fn release(store: &Store, shop: &ShopId, cause: CauseName) -> Release {
    let floor = policy().floor;
    service::release(&*store.repairs, &*store.campaigns, shop, cause, floor).await.unwrap()
}

/// The newest receipt of an import of the lane.
async fn newest_receipt(store: &Store) -> ImportReceipt {
    let receipts = store.shops.import_receipts(LANE, ImportNumber(0), usize::MAX).await.unwrap();
    receipts.into_iter().next_back().unwrap()
}

/// The cause of a campaign goes, others stay; late copies of its activation do not count, and its
/// own release is a repeat.
pub async fn released_cause_stays_out(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 1).await;
    let id = &ids[0];
    let begun = campaign(&store, &ids).await;
    let mut owner = Owner::of(&store, LANE).await;
    owner.ask(&begun, Activation, (0, id)).await;
    owner.change(id, narrow("4km")).await;
    let before = shop(&store, id).await.state;
    let cause = CauseName::Campaign(begun.name.revision);
    let Release::Done(standing) = release(&store, id, cause).await else {
        panic!("the cause is in force")
    };
    let after = shop(&store, id).await.state;
    assert_eq!((after.radius, after.active.len()), (metres(4_000), 1));
    assert_eq!((standing.before, standing.after), (Some(before.radius), after.radius));
    assert_eq!((standing.version, after.version), (before.version + 1, before.version + 1));
    assert_eq!(after.released[0].deadline, begun.deadline);
    let late = owner.ask(&begun, Activation, (0, id)).await;
    let outcome = &late.entries[0].outcome;
    assert_eq!((outcome.status, outcome.code), (Superseded, Some(Code::CampaignEnded)));
    let ending = store.campaigns.command(begun.name.revision, Command::End).await.unwrap();
    let outcome = owner.ask(&ending, Over, (0, id)).await.entries.remove(0).outcome;
    assert_eq!((outcome.status, outcome.repeat), (Applied, true));
    assert_eq!(radius(&store, id).await, 4_000);
    // The cause of requests without a campaign leaves no trace, as after their own release.
    let released = release(&store, id, CauseName::Kind(kind("rider_shortage"))).await;
    assert!(matches!(released, Release::Done(_)), "{released:?}");
    let state = shop(&store, id).await.state;
    assert_eq!((state.radius, state.active.len(), state.released.len()), (metres(BASE), 0, 1));
}

/// Stores a cause of a campaign at a shop, whether or not there is such a campaign.
async fn force_cause(owner: &mut Owner, shop: &ShopId, campaign: Revision) {
    let forced = ActiveCause {
        origin: Origin::Campaign(campaign),
        kind: kind("manual"),
        rank: Rank(2),
        limit: limit("closed"),
        effect: Effect::Applied,
    };
    let batch = owner.batch(vec![record(owner.claim.applied_next.0, shop, narrow("3km"))]);
    let judge = by_the_rules(owner.store().shops.lanes());
    let decide = |batch: &Batch, loaded: &mut Loaded| {
        let outcomes = judge(batch, loaded);
        for state in loaded.shops.iter_mut().filter_map(|shop| shop.state.as_mut()) {
            state.active.insert(forced);
            state.radius = state.resolution(policy().floor).radius;
        }
        outcomes
    };
    owner.store().ledger.apply(&batch, &decide).await.unwrap();
    owner.claim.applied_next = batch.to();
}

/// A cause of a campaign that was never there, and one of a campaign that cannot be read.
pub async fn release_needs_no_campaign(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 1).await;
    let id = &ids[0];
    let damaged = campaign(&store, &ids).await.name.revision;
    let mut owner = Owner::of(&store, LANE).await;
    for revision in [damaged, Revision::MAX] {
        force_cause(&mut owner, id, revision).await;
    }
    harness.damage(&StoredItem::Campaign(damaged)).await;
    for (revision, left) in [(damaged, 0), (Revision::MAX, 3_000)] {
        let released = release(&store, id, CauseName::Campaign(revision)).await;
        assert!(matches!(released, Release::Done(_)), "{released:?}");
        assert_eq!(radius(&store, id).await, left);
    }
    let state = shop(&store, id).await.state;
    let now = Deadline::at(harness.now());
    let kept = state.released.iter().map(|released| (released.campaign, released.deadline));
    assert_eq!(kept.collect::<Vec<_>>(), [(damaged, now), (Revision::MAX, now)]);
}

/// What was released is told by a receipt that is counted with the imports of the lane.
pub async fn release_leaves_a_receipt(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 2).await;
    let begun = campaign(&store, &ids).await;
    let mut owner = Owner::of(&store, LANE).await;
    owner.ask(&begun, Activation, (1, &ids[1])).await;
    owner.change(&ids[1], narrow("2km")).await;
    let names = [CauseName::Kind(kind("rider_shortage")), CauseName::Campaign(begun.name.revision)];
    for (cause, after) in names.into_iter().zip([3_000, BASE]) {
        let before = newest_receipt(&store).await;
        let Release::Done(standing) = release(&store, &ids[1], cause).await else {
            panic!("the cause is in force")
        };
        assert_eq!(standing.after, metres(after));
        let receipt = newest_receipt(&store).await;
        assert_eq!(receipt.number.0, before.number.0 + 1);
        assert!(before.revision < receipt.revision);
        assert_eq!((receipt.lane, receipt.at), (LANE, harness.now()));
        let [entry] = &receipt.entries[..] else { panic!("{receipt:?}") };
        assert_eq!((&entry.shop, entry.standing), (&ids[1], standing));
        assert_eq!(entry.remark, Some(ImportRemark::Released(cause)));
        if let Some(store) = harness.reopened().await {
            assert_eq!(newest_receipt(&store).await, receipt);
        }
    }
}

/// Nothing is written where there is nothing to release, and a release that is repeated is such.
pub async fn release_of_nothing_changes_nothing(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 2).await;
    let begun = campaign(&store, &ids).await;
    let revision = begun.name.revision;
    let mut owner = Owner::of(&store, LANE).await;
    owner.ask(&begun, Activation, (0, &ids[0])).await;
    release(&store, &ids[0], CauseName::Campaign(revision)).await;
    let stranger = stranger_in(store.shops.lanes(), LANE);
    let manual = CauseName::Kind(kind("manual"));
    let before = (shop(&store, &ids[0]).await, newest_receipt(&store).await);
    for (id, cause, expected) in [
        (&ids[0], CauseName::Campaign(revision), Release::NotInForce),
        (&ids[0], CauseName::Campaign(Revision::MAX), Release::NotInForce),
        (&ids[0], manual, Release::NotInForce),
        (&ids[1], CauseName::Campaign(revision), Release::NotInForce),
        (&stranger, manual, Release::UnknownShop),
    ] {
        assert_eq!(release(&store, id, cause).await, expected, "{id} {cause}");
    }
    assert_eq!((shop(&store, &ids[0]).await, newest_receipt(&store).await), before);
    // A campaign that was not released there begins as ever.
    let receipt = owner.ask(&begun, Activation, (1, &ids[1])).await;
    assert_eq!(receipt.entries[0].outcome.status, Applied);
}

/// Releases beside batches over the same shops: each sees what the other left.
pub async fn release_beside_a_batch_loses_nothing(harness: &dyn StoreHarness) {
    const SHOPS: usize = 20;
    const ROUNDS: u64 = 10;
    let ids = crowd_in(harness, LANE).await[..SHOPS].to_vec();
    let store = harness.store();
    let mut owner = Owner::of(&store, LANE).await;
    for round in 0..ROUNDS {
        let begun = campaign(&store, &ids).await;
        for (index, id) in (0..).zip(&ids) {
            owner.ask(&begun, Activation, (index, id)).await;
        }
        let releasing = tokio::spawn(release_all(harness.store(), ids.clone(), begun.clone()));
        let change = narrow(&format!("{}m", 1_000 + round));
        loop {
            let from = owner.claim.applied_next.0;
            let records = (from..).zip(&ids).map(|(at, id)| record(at, id, change)).collect();
            owner.apply(records).await;
            if releasing.is_finished() {
                break;
            }
            tokio::task::yield_now().await;
        }
        releasing.await.unwrap();
        for (index, id) in (0..).zip(&ids) {
            let again = owner.ask(&begun, Activation, (index, id)).await;
            assert_eq!(again.entries[0].outcome.status, Superseded);
        }
    }
    // As many requests took effect at each shop.
    let receipts = owner.receipts().await;
    let outcomes = receipts.iter().flat_map(|receipt| &receipt.entries);
    let effects = outcomes.filter(|entry| entry.outcome.status.took_effect()).count() / SHOPS;
    for found in store.shops.list(&named(&ids), None, SHOPS).await.unwrap().found {
        assert_eq!((found.state.active.len(), found.state.released.len() as u64), (1, ROUNDS));
        assert_eq!(found.state.version, 1 + ROUNDS + effects as u64);
    }
}

/// Releases a campaign at each of its shops.
async fn release_all(store: Store, ids: Vec<ShopId>, campaign: Campaign) {
    let (cause, floor) = (CauseName::Campaign(campaign.name.revision), policy().floor);
    let terms = ReleaseTerms { cause, deadline: Some(campaign.deadline), floor };
    for id in &ids {
        let released = store.repairs.release(id, &terms).await.unwrap();
        assert!(matches!(released, Release::Done(_)), "{released:?}");
    }
}
