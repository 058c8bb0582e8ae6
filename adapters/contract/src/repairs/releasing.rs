//! Releasing causes by command.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use catchment_domain::Phase::{Activation, Release as Over};
use catchment_domain::Status::{Applied, Superseded};
use catchment_domain::ports::{
    CampaignRepository, CommandError, OutcomeFilter, ShopOutcome, StoreError, Tallies,
};
use catchment_domain::service::{CommandedRelease, release_by_command};
use catchment_domain::{
    ActiveCause, Batch, Campaign, CauseName, Code, Command, Deadline, Draft, Effect, Found,
    ImportReceipt, ImportRemark, Loaded, Origin, Prospect, Rank, ReleaseResult, ReleaseTerms,
    Repair, RepairTerms, Revision, ShopId, StoredItem,
};

use super::LANE;
use crate::owner::{Owner, record};
use crate::requester::{Requester, answer};
use crate::scene::{
    BASE, by_the_rules, campaign, crowd_in, import_receipts, kind, limit, metres, named, narrow,
    policy, radius, shop, shops_in, stranger_in,
};
use crate::{Store, StoreHarness};

/// Releases as the command does.
async fn release(store: &Store, shop: &ShopId, cause: CauseName) -> ReleaseResult {
    store.repairs.release(shop, ReleaseTerms { cause, floor: policy().floor }).await.unwrap()
}

/// The newest receipt of an import of the lane.
async fn newest_receipt(store: &Store) -> ImportReceipt {
    import_receipts(store, LANE).await.pop().unwrap()
}

/// The release removes the campaign's cause and no other. After it, late copies of the activation
/// do not count, and the campaign's own release is a repeat.
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
    let ReleaseResult::Done(standing) = release(&store, id, cause).await else {
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
    assert!(matches!(released, ReleaseResult::Done(_)), "{released:?}");
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

/// The campaign of the cause does not exist. A later campaign of that number begins as usual.
pub async fn release_needs_no_campaign(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 1).await;
    let id = &ids[0];
    let mut owner = Owner::of(&store, LANE).await;
    let next = Revision(store.shops.newest_revision().await.unwrap().0 + 1);
    for revision in [next, Revision::MAX] {
        force_cause(&mut owner, id, revision).await;
    }
    for (revision, left) in [(next, 0), (Revision::MAX, 3_000)] {
        let released = release(&store, id, CauseName::Campaign(revision)).await;
        assert!(matches!(released, ReleaseResult::Done(_)), "{released:?}");
        assert_eq!(radius(&store, id).await, left);
    }
    assert_eq!(shop(&store, id).await.state.released, []);
    // The release itself took a revision, so the new campaign's number is higher than `next`.
    let begun = campaign(&store, &ids).await;
    assert!(next < begun.name.revision);
    let begins = owner.ask(&begun, Activation, (0, id)).await;
    assert!(begins.entries[0].outcome.status.took_effect(), "{begins:?}");
}

/// While the campaign cannot be read, its deadline is unknown. After its row was restored, its
/// requests count again, but do not bring the limit back.
pub async fn release_of_a_damaged_campaign_holds(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 1).await;
    let id = &ids[0];
    let begun = campaign(&store, &ids).await;
    let revision = begun.name.revision;
    let mut owner = Owner::of(&store, LANE).await;
    owner.ask(&begun, Activation, (0, id)).await;
    harness.damage(&StoredItem::Campaign(revision)).await;
    let released = release(&store, id, CauseName::Campaign(revision)).await;
    assert!(matches!(released, ReleaseResult::Done(_)), "{released:?}");
    let state = shop(&store, id).await.state;
    let kept = state.released.iter().map(|released| (released.campaign, released.deadline));
    assert_eq!(kept.collect::<Vec<_>>(), [(revision, Deadline::LAST)]);
    let late = owner.ask(&begun, Activation, (0, id)).await;
    assert_eq!(late.entries[0].outcome.status, Superseded);
}

/// A command releases a campaign at a shop, and then the shop's causes are lost. A repair does not
/// bring the campaign back, as long as the receipts prove that it was not in force again.
pub async fn released_cause_is_not_mended(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 2).await;
    let begun = campaign(&store, &ids).await;
    let mut owner = Owner::of(&store, LANE).await;
    for (index, id) in (0..).zip(&ids) {
        owner.ask(&begun, Activation, (index, id)).await;
    }
    release(&store, &ids[0], CauseName::Campaign(begun.name.revision)).await;
    let before = shop(&store, &ids[0]).await.state;
    for id in &ids {
        harness.corrupt(id).await;
    }
    let terms = RepairTerms { policy: policy(), default_base: metres(BASE), dry_run: false };
    let repairs = store.repairs.mend_states(&ids, &terms).await.unwrap();
    assert!(repairs.iter().all(|repair| matches!(repair, Repair::Mended(_))), "{repairs:?}");
    let after = shop(&store, &ids[0]).await.state;
    assert_eq!((after.radius, &after.active), (metres(BASE), &before.active));
    assert_eq!(after.released, before.released);
    assert_eq!(radius(&store, &ids[1]).await, 3_000);
    let late = owner.ask(&begun, Activation, (0, &ids[0])).await;
    assert_eq!(late.entries[0].outcome.status, Superseded);
    // From now on, receipts of later batches may be gone.
    harness.advance(harness.receipts_kept() + Duration::from_secs(1));
    harness.corrupt(&ids[0]).await;
    let repairs = store.repairs.mend_states(&ids[..1], &terms).await.unwrap();
    assert!(matches!(repairs[..], [Repair::Mended(_)]), "{repairs:?}");
    assert_eq!(radius(&store, &ids[0]).await, 3_000);
}

/// The receipt of a release names the cause, and is numbered with the imports of the lane.
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
        let ReleaseResult::Done(standing) = release(&store, &ids[1], cause).await else {
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

/// If the cause is not in force, a release writes nothing. A repeated release is such a case.
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
        (&ids[0], CauseName::Campaign(revision), ReleaseResult::NotInForce),
        (&ids[0], CauseName::Campaign(Revision::MAX), ReleaseResult::NotInForce),
        (&ids[0], manual, ReleaseResult::NotInForce),
        (&ids[1], CauseName::Campaign(revision), ReleaseResult::NotInForce),
        (&stranger, manual, ReleaseResult::UnknownShop),
    ] {
        assert_eq!(release(&store, id, cause).await, expected, "{id} {cause}");
    }
    assert_eq!((shop(&store, &ids[0]).await, newest_receipt(&store).await), before);
    // At a shop where nothing was released, the campaign begins as usual.
    let receipt = owner.ask(&begun, Activation, (1, &ids[1])).await;
    assert_eq!(receipt.entries[0].outcome.status, Applied);
}

/// A shop that has lost its state is not taken for an unknown shop.
pub async fn release_of_an_orphan_is_refused(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 1).await;
    if !harness.lose(&StoredItem::State(ids[0].to_string())).await {
        return;
    }
    let terms = ReleaseTerms { cause: CauseName::Kind(kind("manual")), floor: policy().floor };
    match store.repairs.release(&ids[0], terms).await {
        Err(StoreError::BadData { what }) => assert!(what.contains(ids[0].as_str()), "{what}"),
        other => panic!("{other:?}"),
    }
}

/// Releases a campaign as the command does. If its cause is not in force, the command looks ahead.
async fn command(
    store: &Store,
    campaigns: &dyn CampaignRepository,
    shop: &ShopId,
    campaign: Revision,
) -> CommandedRelease {
    let terms = ReleaseTerms { cause: CauseName::Campaign(campaign), floor: policy().floor };
    release_by_command(&*store.repairs, campaigns, shop, terms).await.unwrap()
}

/// The command says whether a limit may still come, or that this cannot be read.
pub async fn release_of_nothing_looks_ahead(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 2).await;
    let begun = campaign(&store, &ids[..1]).await.name.revision;
    for (id, campaign, expected) in [
        (&ids[0], begun, Prospect::Asked),
        (&ids[1], begun, Prospect::NotAsked),
        (&ids[0], Revision::MAX, Prospect::UnknownCampaign),
    ] {
        let nothing = command(&store, &*store.campaigns, id, campaign).await;
        assert_eq!(nothing, CommandedRelease::Nothing(expected), "{id} {campaign}");
    }
    let stranger = stranger_in(store.shops.lanes(), LANE);
    let unknown = command(&store, &*store.campaigns, &stranger, begun).await;
    assert_eq!(unknown, CommandedRelease::UnknownShop);
    for item in [StoredItem::Outcomes(begun, 0), StoredItem::Campaign(begun)] {
        harness.damage(&item).await;
        let nothing = command(&store, &*store.campaigns, &ids[0], begun).await;
        assert_eq!(nothing, CommandedRelease::Nothing(Prospect::Unreadable), "{item}");
    }
}

/// The campaigns of a store. Just before a campaign is read, its activation takes effect at a shop,
/// and the outcome is recorded.
struct Overtaken {
    campaigns: Arc<dyn CampaignRepository>,
    play: Mutex<Option<(Owner, Requester, ShopId)>>,
}

#[async_trait]
impl CampaignRepository for Overtaken {
    async fn add(&self, draft: &Draft) -> Result<Campaign, CommandError> {
        self.campaigns.add(draft).await
    }

    async fn get(&self, revision: Revision) -> Result<Option<Campaign>, StoreError> {
        let found = self.campaigns.get(revision).await?;
        let play = self.play.lock().unwrap().take();
        if let (Some((mut owner, mut requester, shop)), Some(campaign)) = (play, &found) {
            let receipt = owner.ask(campaign, Activation, (0, &shop)).await;
            let status = receipt.entries[0].outcome.status;
            let answer = answer(campaign, Activation, (0, 0), status);
            assert_eq!(requester.record(campaign, &[answer]).await.counted, 1);
        }
        Ok(found)
    }

    async fn list(
        &self,
        behind: Option<Revision>,
        limit: usize,
    ) -> Result<Found<Vec<Campaign>>, StoreError> {
        self.campaigns.list(behind, limit).await
    }

    async fn command(
        &self,
        revision: Revision,
        command: Command,
    ) -> Result<Campaign, CommandError> {
        self.campaigns.command(revision, command).await
    }

    async fn tallies(&self, revision: Revision) -> Result<Found<Tallies>, StoreError> {
        self.campaigns.tallies(revision).await
    }

    async fn outcomes(
        &self,
        revision: Revision,
        filter: OutcomeFilter,
        from: u32,
        limit: usize,
    ) -> Result<Found<Vec<ShopOutcome>>, StoreError> {
        self.campaigns.outcomes(revision, filter, from, limit).await
    }
}

/// The limit takes effect while the command looks ahead.
pub async fn release_beside_an_activation_is_done(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 1).await;
    let begun = campaign(&store, &ids).await;
    let (owner, requester) = (Owner::of(&store, LANE).await, Requester::of(&store, 0, 1).await);
    requester.open().await;
    requester.mark(&begun, Activation, &[0]).await;
    let play = Mutex::new(Some((owner, requester, ids[0].clone())));
    let campaigns = Overtaken { campaigns: Arc::clone(&store.campaigns), play };
    let done = command(&store, &campaigns, &ids[0], begun.name.revision).await;
    assert!(matches!(done, CommandedRelease::Done(_)), "{done:?}");
    assert_eq!(radius(&store, &ids[0]).await, BASE);
}

/// Releases and batches run over the same shops. Each sees the state that the other left.
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
    let terms = ReleaseTerms { cause, floor };
    for id in &ids {
        let released = store.repairs.release(id, terms).await.unwrap();
        assert!(matches!(released, ReleaseResult::Done(_)), "{released:?}");
    }
}
