//! The promises of [`Deletions`](catchment_domain::ports::Deletions).

use std::collections::BTreeSet;
use std::time::Duration;

use catchment_domain::ports::{CommandError, OutcomeFilter, StoreError, Tallies};
use catchment_domain::service::{Unwanted, delete_campaigns};
use catchment_domain::{
    Campaign, CampaignError, CampaignState, Code, Command, Draft, Lane, Phase, RELEASED_KEPT,
    Revision, ShopId, Status, StoredItem,
};
use tokio::task::JoinSet;

use crate::owner::Owner;
use crate::requester::{Requester, answer};
use crate::scene::{BASE, campaign, draft, named, narrow, radius, shops_in};
use crate::{Store, StoreHarness};

const LANE: Lane = Lane(0);
const HOUR: Duration = Duration::from_hours(1);

/// How long ago a campaign ended counts from its last end.
pub async fn ended_are_told_by_age(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 1).await;
    let first = ended(&store, &ids).await;
    harness.advance(2 * HOUR);
    let second = ended(&store, &ids).await;
    let open = campaign(&store, &ids).await;
    assert_eq!(store.deletions.ended(Duration::ZERO).await.unwrap(), [first, second]);
    assert_eq!(store.deletions.ended(HOUR).await.unwrap(), [first]);
    assert_eq!(store.deletions.ended(3 * HOUR).await.unwrap(), []);

    let mut requester = Requester::of(&store, 0, 1).await;
    requester.open().await;
    requester.mark(&open, Phase::Activation, &[0]).await;
    requester.record(&open, &[answer(&open, Phase::Activation, (0, 0), Status::Applied)]).await;
    let ending = command(&store, &open, Command::End).await;
    requester.record(&ending, &[answer(&ending, Phase::Release, (0, 0), Status::Rejected)]).await;
    let third = open.name.revision;
    harness.advance(2 * HOUR);
    assert_eq!(store.deletions.ended(HOUR).await.unwrap(), [first, second, third]);
    let retried = command(&store, &open, Command::Retry).await;
    assert_eq!(store.deletions.ended(Duration::ZERO).await.unwrap(), [first, second]);
    requester.record(&retried, &[answer(&retried, Phase::Release, (0, 0), Status::Applied)]).await;
    assert_eq!(store.deletions.ended(Duration::ZERO).await.unwrap(), [first, second, third]);
    assert_eq!(store.deletions.ended(HOUR).await.unwrap(), [first, second]);
}

/// A campaign is in force as long as one shop has its cause. Causes of requests without a campaign
/// are none of a campaign, and released causes limit nothing.
pub async fn in_force_names_campaigns_at_any_shop(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 2).await;
    let [one, both] = [campaign(&store, &ids[..1]).await, campaign(&store, &ids).await];
    let mut owner = Owner::of(&store, LANE).await;
    owner.change(&ids[0], narrow("1km")).await;
    assert_eq!(in_force(&store).await, BTreeSet::new());
    owner.ask(&one, Phase::Activation, (0, &ids[0])).await;
    owner.ask(&both, Phase::Activation, (0, &ids[0])).await;
    owner.ask(&both, Phase::Activation, (1, &ids[1])).await;
    let all = BTreeSet::from([one.name.revision, both.name.revision]);
    assert_eq!(in_force(&store).await, all);
    for campaign in [&one, &both] {
        command(&store, campaign, Command::End).await;
        owner.ask(campaign, Phase::Release, (0, &ids[0])).await;
    }
    assert_eq!(in_force(&store).await, BTreeSet::from([both.name.revision]));
    harness.corrupt(&ids[1]).await;
    let told = store.deletions.in_force().await.unwrap();
    assert_eq!(told.found, BTreeSet::new());
    let damaged: Vec<_> = told.damaged.into_iter().map(|damage| damage.item).collect();
    assert_eq!(damaged, [StoredItem::State(ids[1].to_string())]);
}

/// A campaign goes once it has ended and its deadline has passed for a while, and not before the
/// campaign whose place it took.
pub async fn delete_goes_by_the_rules(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 1).await;
    let old = campaign(&store, &ids).await;
    let replacing = Draft { replaces: Some(old.name.revision), ..draft(named(&ids)) };
    let new = store.campaigns.add(&replacing).await.unwrap();
    let [older, newer] = [old.name.revision, new.name.revision];
    let unknown = Revision(newer.0 + 100);
    refused(&store, unknown, CampaignError::Unknown(unknown)).await;
    refused(&store, older, CampaignError::NotEnded(older)).await;
    for campaign in [&old, &new] {
        command(&store, campaign, Command::End).await;
    }
    refused(&store, older, CampaignError::MayStillApply(older)).await;
    harness.advance(old.timeout + RELEASED_KEPT);
    refused(&store, older, CampaignError::MayStillApply(older)).await;
    harness.advance(Duration::from_millis(1));
    refused(&store, newer, CampaignError::Succeeds(newer, older)).await;
    store.deletions.delete(older, false).await.unwrap();
    store.deletions.delete(newer, false).await.unwrap();
    refused(&store, older, CampaignError::Unknown(older)).await;
}

/// A campaign that cannot be read holds up no other.
pub async fn damaged_campaign_is_not_deleted(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 1).await;
    let [damaged, other] = [ended(&store, &ids).await, ended(&store, &ids).await];
    later(harness);
    harness.damage(&StoredItem::Campaign(damaged)).await;
    assert_eq!(store.deletions.ended(HOUR).await.unwrap(), [damaged, other]);
    for dry_run in [true, false] {
        let refused = store.deletions.delete(damaged, dry_run).await.unwrap_err();
        let is_bad_data = matches!(refused, CommandError::Store(StoreError::BadData { .. }));
        assert!(is_bad_data, "{refused:?}");
    }
    let all = Unwanted::EndedFor(HOUR);
    let deletion = delete_campaigns(&*store.deletions, all, false).await.unwrap();
    assert_eq!((deletion.deleted, deletion.kept), (vec![other], vec![]));
    let named: Vec<_> = deletion.damaged.into_iter().map(|damage| damage.item).collect();
    assert_eq!(named, [StoredItem::Campaign(damaged)]);
    assert_eq!(store.deletions.ended(HOUR).await.unwrap(), [damaged]);
}

/// Nothing tells of it any more from the moment at which it is deleted; the others are as before.
pub async fn deleted_campaign_is_gone(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 2).await;
    let [gone, open] = [ended(&store, &ids).await, campaign(&store, &ids).await.name.revision];
    let stays = ended(&store, &ids).await;
    later(harness);
    let before = [look(&store, open).await, look(&store, stays).await];
    store.deletions.delete(gone, false).await.unwrap();
    for _ in 0..2 {
        assert_eq!(look(&store, gone).await, (None, Tallies::default(), 0));
        let listed = store.campaigns.list(None, 99).await.unwrap();
        assert_eq!(listed.damaged, []);
        let listed: Vec<_> = listed.found.iter().map(|found| found.name.revision).collect();
        assert_eq!(listed, [open, stays]);
        assert_eq!([look(&store, open).await, look(&store, stays).await], before);
        clear(&store).await;
    }
    // A requester that knew the campaign may still ask for its shops.
    let lists = store.campaign_ledger.lists(gone, &[0]).await.unwrap();
    assert_eq!((lists.found.len(), lists.damaged), (0, vec![]));
}

/// While several stores delete campaigns in many steps, no reader reports damage or a lost
/// campaign.
pub async fn deletion_leaves_no_damage(harness: &dyn StoreHarness) {
    const ROUNDS: u32 = 5;
    let store = harness.store();
    let other = harness.reopened().await.unwrap_or_else(|| store.clone());
    let mut ids = Vec::new();
    for lane in store.shops.lanes().iter() {
        ids.extend(shops_in(&store, lane, 1).await);
    }
    let stays = ended(&store, &ids).await;
    for _ in 0..ROUNDS {
        let gone = ended(&store, &ids).await;
        later(harness);
        let reading = tokio::spawn(read_until_gone(other.clone(), gone));
        store.deletions.delete(gone, false).await.unwrap();
        assert_eq!(other.repairs.find().await.unwrap(), []);
        let mut clearing = JoinSet::new();
        for store in [&store, &other, &store, &other] {
            let store = store.clone();
            clearing.spawn(async move { clear(&store).await });
        }
        clearing.join_all().await;
        assert_eq!(other.repairs.find().await.unwrap(), []);
        reading.await.unwrap();
    }
    assert!(!other.deletions.clear().await.unwrap());
    assert_eq!(other.deletions.ended(Duration::ZERO).await.unwrap(), [stays]);
}

/// Copies of its requests do nothing, as long as a shop has the released cause, and then.
pub async fn requests_of_a_deleted_campaign_are_rejected(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 2).await;
    let asked = campaign(&store, &ids).await;
    let mut owner = Owner::of(&store, LANE).await;
    owner.ask(&asked, Phase::Activation, (0, &ids[0])).await;
    let mut requester = Requester::of(&store, 0, 1).await;
    requester.open().await;
    requester.mark(&asked, Phase::Activation, &[0]).await;
    let ending = command(&store, &asked, Command::End).await;
    owner.ask(&ending, Phase::Release, (0, &ids[0])).await;
    let released = |index| answer(&ending, Phase::Release, (0, index), Status::Applied);
    requester.record(&ending, &[released(0), released(1)]).await;
    later(harness);
    store.deletions.delete(asked.name.revision, false).await.unwrap();
    clear(&store).await;

    let unknown = (Status::Rejected, Some(Code::UnknownCampaign));
    for phase in [Phase::Activation, Phase::Release] {
        for place in [(0, &ids[0]), (1, &ids[1])] {
            assert_eq!(told(&mut owner, &asked, phase, place).await, unknown);
        }
    }
    // This write drops the released cause.
    owner.change(&ids[0], narrow("1km")).await;
    for phase in [Phase::Activation, Phase::Release] {
        assert_eq!(told(&mut owner, &asked, phase, (0, &ids[0])).await, unknown);
    }
    assert_eq!((radius(&store, &ids[0]).await, radius(&store, &ids[1]).await), (1_000, BASE));
}

/// A late answer counts nowhere, and holds nothing up.
pub async fn replies_to_a_deleted_campaign_are_dropped(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 1).await;
    let gone = campaign(&store, &ids).await;
    let open = campaign(&store, &ids).await;
    let mut requester = Requester::of(&store, 0, 1).await;
    requester.open().await;
    requester.mark(&open, Phase::Activation, &[0]).await;
    command(&store, &gone, Command::End).await;
    later(harness);
    store.deletions.delete(gone.name.revision, false).await.unwrap();
    let late = answer(&gone, Phase::Activation, (0, 0), Status::Applied);
    let recorded = requester.record(&gone, &[late]).await;
    assert_eq!((recorded.counted, recorded.damaged), (0, vec![]));
    assert_eq!(store.campaign_ledger.chunks(gone.name.revision).await.unwrap().found, []);
    let applied = answer(&open, Phase::Activation, (0, 0), Status::Applied);
    assert_eq!(requester.record(&open, &[applied]).await.counted, 1);
}

/// It says what a deletion would, and everything is as before.
pub async fn delete_dry_run_changes_nothing(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 1).await;
    let revision = ended(&store, &ids).await;
    let early = store.deletions.delete(revision, true).await.unwrap_err();
    let expected = CampaignError::MayStillApply(revision);
    assert!(matches!(early, CommandError::Campaign(why) if why == expected), "{early:?}");
    later(harness);
    let before = look(&store, revision).await;
    store.deletions.delete(revision, true).await.unwrap();
    assert!(!store.deletions.clear().await.unwrap());
    assert_eq!(look(&store, revision).await, before);
}

/// A campaign over these shops that has ended before anything was sent.
async fn ended(store: &Store, ids: &[ShopId]) -> Revision {
    let campaign = campaign(store, ids).await;
    let ended = command(store, &campaign, Command::End).await;
    assert_eq!(ended.state, CampaignState::Ended);
    ended.name.revision
}

async fn command(store: &Store, campaign: &Campaign, command: Command) -> Campaign {
    store.campaigns.command(campaign.name.revision, command).await.unwrap()
}

/// All that ended until now can be deleted.
fn later(harness: &dyn StoreHarness) {
    harness.advance(RELEASED_KEPT + HOUR);
}

async fn in_force(store: &Store) -> BTreeSet<Revision> {
    let told = store.deletions.in_force().await.unwrap();
    assert_eq!(told.damaged, []);
    told.found
}

/// Reads a campaign again and again until it is gone, and finds no damage.
async fn read_until_gone(store: Store, campaign: Revision) {
    while look(&store, campaign).await.0.is_some() {
        assert_eq!(store.repairs.find().await.unwrap(), []);
    }
    assert_eq!(look(&store, campaign).await, (None, Tallies::default(), 0));
}

async fn clear(store: &Store) {
    while store.deletions.clear().await.unwrap() {}
}

async fn refused(store: &Store, revision: Revision, expected: CampaignError) {
    let before = look(store, revision).await;
    let refused = store.deletions.delete(revision, false).await.unwrap_err();
    assert!(matches!(refused, CommandError::Campaign(why) if why == expected), "{refused:?}");
    assert_eq!(look(store, revision).await, before);
}

/// A campaign, its tallies, and how many outcomes are listed.
async fn look(store: &Store, revision: Revision) -> (Option<Campaign>, Tallies, usize) {
    let filter = OutcomeFilter { phase: Phase::Activation, status: None };
    let tallies = store.campaigns.tallies(revision).await.unwrap();
    let outcomes = store.campaigns.outcomes(revision, filter, 0, usize::MAX).await.unwrap();
    assert_eq!((tallies.damaged, outcomes.damaged), (vec![], vec![]));
    let campaign = store.campaigns.get(revision).await.unwrap();
    (campaign, tallies.found, outcomes.found.len())
}

/// What a request of a campaign is answered.
async fn told(
    owner: &mut Owner,
    campaign: &Campaign,
    phase: Phase,
    place: (u32, &ShopId),
) -> (Status, Option<Code>) {
    let receipt = owner.ask(campaign, phase, place).await;
    let outcome = &receipt.entries[0].outcome;
    (outcome.status, outcome.code)
}
