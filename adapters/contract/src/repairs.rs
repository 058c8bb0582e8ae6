//! The promises of [`Repairs`](catchment_domain::ports::Repairs).

mod releasing;

use std::collections::BTreeSet;
use std::time::Duration;

use catchment_domain::Phase::{Activation, Release};
use catchment_domain::Status::{Applied, Expired, Superseded, Unchanged};
use catchment_domain::{
    Attempt, Campaign, CampaignState, Code, Command, Draft, ImportNumber, Lane, Mended, Phase,
    Repair, RepairTerms, Revision, ShopId, ShopState, Status, StoredItem, Unmendable,
};

use crate::owner::Owner;
use crate::requester::{Requester, answer};
use crate::scene::{
    BASE, campaign, draft, import, import_receipts, limit, metres, named, narrow_by, policy, row,
    shop, shops_in,
};
use crate::{Store, StoreHarness};

pub use releasing::{
    release_beside_a_batch_loses_nothing, release_beside_an_activation_is_done,
    release_leaves_a_receipt, release_needs_no_campaign, release_of_a_damaged_campaign_holds,
    release_of_an_orphan_is_refused, release_of_nothing_changes_nothing,
    release_of_nothing_looks_ahead, released_cause_is_not_mended, released_cause_stays_out,
};

const LANE: Lane = Lane(0);

fn terms(dry_run: bool) -> RepairTerms {
    RepairTerms { policy: policy(), default_base: metres(BASE), dry_run }
}

/// The damaged items, in order.
async fn found(store: &Store) -> Vec<StoredItem> {
    let damages = store.repairs.find().await.unwrap();
    assert!(damages.is_sorted() && damages.iter().all(|damage| !damage.what.is_empty()));
    damages.into_iter().map(|damage| damage.item).collect()
}

/// Mends what is in force at a shop.
async fn mend(store: &Store, shop: &ShopId, dry_run: bool) -> Repair {
    let (shops, terms) = ([shop.clone()], terms(dry_run));
    let repairs = store.repairs.mend_states(&shops, &terms).await.unwrap();
    let [repair] = <[Repair; 1]>::try_from(repairs).unwrap();
    repair
}

/// Damaged and lost halves are named, each once, and nothing else is.
pub async fn damage_is_found(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 4).await;
    let (one, other) = (campaign(&store, &ids).await, campaign(&store, &ids).await);
    let counted = campaign(&store, &ids).await.name.revision;
    assert_eq!(found(&store).await, []);
    let (one, other) = (one.name.revision, other.name.revision);
    let mut expected: BTreeSet<StoredItem> = [
        StoredItem::Campaign(one),
        StoredItem::List(one, 0),
        StoredItem::Outcomes(other, 0),
        StoredItem::Counts(counted),
        StoredItem::State(ids[1].to_string()),
        StoredItem::ImportReceipt(LANE, ImportNumber(1)),
    ]
    .into();
    for item in &expected {
        harness.damage(item).await;
    }
    let lost = [
        StoredItem::Outcomes(one, 0),
        StoredItem::List(other, 0),
        StoredItem::Profile(ids[2].to_string()),
        StoredItem::State(ids[3].to_string()),
    ];
    for item in lost {
        if harness.lose(&item).await {
            expected.insert(item);
        }
    }
    assert_eq!(found(&store).await, expected.into_iter().collect::<Vec<_>>());
}

/// What is lost of a settled or an ended campaign is open again, and whoever runs it brings it to
/// the same end.
pub async fn mended_outcomes_are_asked_for_again(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 2).await;
    let begun = campaign(&store, &ids).await;
    let revision = begun.name.revision;
    let item = StoredItem::Outcomes(revision, 0);
    let mut requester = Requester::of(&store, 0, 1).await;
    requester.open().await;
    for (phase, state) in [(Activation, CampaignState::Settled), (Release, CampaignState::Ended)] {
        if phase == Release {
            store.campaigns.command(revision, Command::End).await.unwrap();
        }
        answer_all(&store, &mut requester, revision, phase).await;
        assert_eq!(get(&store, revision).await.state, state);
        harness.damage(&item).await;
        assert_eq!(requester.open().await, []);
        assert_eq!(store.campaigns.tallies(revision).await.unwrap().damaged.len(), 1);
        let before = get(&store, revision).await;
        let repairs = store.repairs.mend_outcomes(revision, &[0], &terms(false)).await.unwrap();
        let [Repair::Mended(Mended::Outcomes { open })] = repairs[..] else {
            panic!("{repairs:?}")
        };
        assert!(2 <= open, "{open}");
        let mended = get(&store, revision).await;
        assert_eq!((mended.state.open(), mended.deadline), (open, before.deadline));
        assert_eq!(mended.attempt, Attempt(before.attempt.0 + 1));
        assert_eq!(requester.open().await, [mended]);
        answer_all(&store, &mut requester, revision, phase).await;
        assert_eq!(get(&store, revision).await.state, state);
        assert_eq!(found(&store).await, []);
    }
    if harness.lose(&item).await {
        let repairs = store.repairs.mend_outcomes(revision, &[0], &terms(false)).await.unwrap();
        assert!(matches!(repairs[..], [Repair::Mended(_)]), "{repairs:?}");
        answer_all(&store, &mut requester, revision, Release).await;
        let tallies = store.campaigns.tallies(revision).await.unwrap().found;
        assert_eq!((tallies.activation.of(Superseded), tallies.release.answered()), (2, 2));
    }
}

/// Sends a phase of a campaign of one chunk of two shops, and answers it.
async fn answer_all(store: &Store, requester: &mut Requester, revision: Revision, phase: Phase) {
    let campaign = get(store, revision).await;
    assert_eq!(requester.mark(&campaign, phase, &[0]).await.len(), 1);
    let answers = [0, 1].map(|index| answer(&campaign, phase, (0, index), Unchanged));
    requester.record(&campaign, &answers).await;
}

/// The row of a campaign is from another time than its chunks, as after the restore of a part. A
/// repair counts the chunks again. If requests are open although the row says `settled`, the
/// requester sends them. If none is open although the row says `sending`, the campaign is settled.
pub async fn counts_are_made_anew(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 2).await;
    let revision = campaign(&store, &ids).await.name.revision;
    let item = StoredItem::Counts(revision);
    let mut requester = Requester::of(&store, 0, 1).await;
    requester.open().await;
    for phase in [Activation, Release] {
        if phase == Release {
            store.campaigns.command(revision, Command::End).await.unwrap();
        }
        for open in [2, 0] {
            let before = get(&store, revision).await;
            harness.damage(&item).await;
            let damaged = get(&store, revision).await;
            assert_ne!(damaged.state, before.state);
            assert_eq!(found(&store).await, std::slice::from_ref(&item));
            let expected = Repair::Mended(Mended::Counts { open, unreleased: 0 });
            for dry_run in [true, false] {
                assert_eq!(get(&store, revision).await, damaged);
                let repair = store.repairs.mend_counts(revision, &terms(dry_run)).await.unwrap();
                assert_eq!(repair, expected);
            }
            let attempt = Attempt(before.attempt.0 + 1);
            let mended = get(&store, revision).await;
            assert_eq!(mended, Campaign { attempt, ..before });
            assert_eq!(found(&store).await, []);
            if open == 0 {
                assert_eq!(requester.open().await, []);
            } else {
                assert_eq!(requester.open().await, [mended]);
                answer_all(&store, &mut requester, revision, phase).await;
            }
        }
    }
    assert_eq!(get(&store, revision).await.state, CampaignState::Ended);
    let again = store.repairs.mend_counts(revision, &terms(false)).await.unwrap();
    assert_eq!(again, Repair::NotNeeded);
    harness.damage(&StoredItem::Campaign(revision)).await;
    let unread = store.repairs.mend_counts(revision, &terms(false)).await.unwrap();
    assert_eq!(unread, Repair::Impossible(Unmendable::OfCampaign(revision)));
}

/// A shop is what it was before its causes were lost, but for requests without a campaign; late
/// copies of requests find what they would have found.
pub async fn mended_state_is_what_was_in_force(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 1).await;
    let id = &ids[0];
    let mut played = Play::new(&store, id).await;
    // Its release took effect, and no reply was recorded: only receipts tell.
    let over = played.begin("1km", None).await;
    let over = store.campaigns.command(over.name.revision, Command::End).await.unwrap();
    played.apply(&over, Release).await;
    let kept = played.begin("3km", None).await;
    played.reply(&kept, Applied).await;
    let replaced = played.begin("2km", None).await;
    let successor = played.begin("2500m", Some(&replaced)).await;
    let before = shop(&store, id).await.state;
    assert_eq!((before.active.len(), before.released.len()), (2, 2));
    let receipts = imports(&store).await;
    harness.corrupt(id).await;
    let (repair, after) = (mend(&store, id, false).await, shop(&store, id).await.state);
    let Repair::Mended(Mended::State { causes, standing, is_base_lost }) = repair else {
        panic!("{repair:?}");
    };
    assert_eq!((causes, is_base_lost), (2, false));
    assert_eq!((standing.before, standing.after), (Some(before.radius), before.radius));
    assert_eq!((standing.version, after.version), (before.version + 1, before.version + 1));
    assert_eq!(ShopState { version: before.version, ..after.clone() }, before);
    let mut receipt = import_receipts(&store, LANE).await;
    receipt.retain(|receipt| receipts < receipt.number.0);
    assert_eq!((receipt.len(), receipt[0].entries.len()), (1, 1));
    assert_eq!(receipt[0].entries[0].standing, standing);
    let late = played.apply(&over, Activation).await;
    assert_eq!((late.0, late.1), (Superseded, Some(Code::CampaignEnded)));
    assert_eq!(played.apply(&successor, Activation).await.0, Applied);
    if harness.lose(&StoredItem::State(id.to_string())).await {
        let repair = mend(&store, id, false).await;
        let Repair::Mended(Mended::State { is_base_lost: true, .. }) = repair else {
            panic!("{repair:?}");
        };
        let mended = shop(&store, id).await.state;
        assert_eq!((mended.active, mended.radius), (before.active, before.radius));
        assert!(after.version < mended.version);
        // Whatever an import says of the base radius counts.
        let mut wide = row(id);
        wide.base = Some(metres(9_000));
        import(&store, &[wide]).await;
        assert_eq!(shop(&store, id).await.state.base.radius, metres(9_000));
    }
}

/// Somebody copies a request of a campaign to another shop of the lane. The receipt has the id of
/// the listed shop's request, but proves nothing about the listed shop.
pub async fn copied_request_proves_nothing(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 2).await;
    let begun = campaign(&store, &ids[..1]).await;
    let mut owner = Owner::of(&store, LANE).await;
    let copied = owner.ask(&begun, Activation, (0, &ids[1])).await;
    assert_eq!(copied.entries[0].outcome.status, Applied);
    harness.corrupt(&ids[0]).await;
    assert!(matches!(mend(&store, &ids[0], false).await, Repair::Mended(_)));
    let state = shop(&store, &ids[0]).await.state;
    assert_eq!((state.radius, state.active.len()), (metres(BASE), 0));
    // No campaign's list has the shop that the record named, so a repair leaves it without limits.
    harness.corrupt(&ids[1]).await;
    assert!(matches!(mend(&store, &ids[1], false).await, Repair::Mended(_)));
    assert_eq!(shop(&store, &ids[1]).await.state.radius, metres(BASE));
}

/// Campaigns over one shop, whose requests are applied as a consumer does.
struct Play<'a> {
    store: &'a Store,
    shop: &'a ShopId,
    owner: Owner,
    requester: Requester,
}

impl<'a> Play<'a> {
    async fn new(store: &'a Store, shop: &'a ShopId) -> Self {
        let (owner, requester) = (Owner::of(store, LANE).await, Requester::of(store, 0, 1).await);
        Self { store, shop, owner, requester }
    }

    /// Starts a campaign, and applies it at the shop.
    async fn begin(&mut self, to: &str, replaces: Option<&Campaign>) -> Campaign {
        let revision = replaces.map(|old| old.name.revision);
        let scope = named(std::slice::from_ref(self.shop));
        let draft = Draft { limit: limit(to), replaces: revision, ..draft(scope) };
        let campaign = self.store.campaigns.add(&draft).await.unwrap();
        self.requester.open().await;
        self.requester.mark(&campaign, Activation, &[0]).await;
        self.apply(&campaign, Activation).await;
        campaign
    }

    /// Applies a request of a campaign, as its requester makes it.
    async fn apply(&mut self, campaign: &Campaign, phase: Phase) -> (Status, Option<Code>) {
        let receipt = self.owner.ask(campaign, phase, (0, self.shop)).await;
        let outcome = &receipt.entries[0].outcome;
        (outcome.status, outcome.code)
    }

    /// The reply to the activation arrives.
    async fn reply(&mut self, campaign: &Campaign, status: Status) {
        let answer = answer(campaign, Activation, (0, 0), status);
        self.requester.record(campaign, &[answer]).await;
    }
}

async fn imports(store: &Store) -> u64 {
    import_receipts(store, LANE).await.last().map_or(0, |receipt| receipt.number.0)
}

/// Whether the list is damaged or lost: the limit of its campaign may be in force at every shop of
/// its lane whose causes are lost, until the campaign has ended and no late copy counts.
pub async fn shop_of_an_unknown_list_is_left(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 3).await;
    let elsewhere = &shops_in(&store, Lane(1), 1).await[0];
    for is_lost in [false, true] {
        let mut played = Play::new(&store, &ids[0]).await;
        let mut kept = played.begin("3km", None).await;
        played.reply(&kept, Applied).await;
        let list = StoredItem::List(kept.name.revision, 0);
        if is_lost && !harness.lose(&list).await {
            return;
        }
        harness.damage(&list).await;
        let left = Repair::Impossible(Unmendable::OfList(kept.name.revision));
        for id in [&ids[0], &ids[1], elsewhere] {
            harness.corrupt(id).await;
        }
        for id in &ids[..2] {
            assert_eq!(mend(&store, id, false).await, left);
        }
        assert!(matches!(mend(&store, elsewhere, false).await, Repair::Mended(_)));
        kept = store.campaigns.command(kept.name.revision, Command::End).await.unwrap();
        let released = answer(&kept, Release, (0, 0), Applied);
        played.requester.record(&kept, &[released]).await;
        assert_eq!(get(&store, kept.name.revision).await.state, CampaignState::Ended);
        assert_eq!(mend(&store, &ids[0], false).await, left, "a late copy may still come");
        harness.advance(Duration::from_hours(1));
        let late = narrow_by("1km", kept.deadline);
        let receipt = played.owner.change(&ids[2], late).await;
        assert_eq!(receipt.entries[0].outcome.status, Expired);
        for id in &ids[..2] {
            let repair = mend(&store, id, false).await;
            assert!(
                matches!(repair, Repair::Mended(Mended::State { causes: 0, .. })),
                "{repair:?}"
            );
        }
    }
}

/// What was mended, and what never was damaged, is left as it is.
pub async fn mending_twice_does_nothing_more(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 2).await;
    let begun = campaign(&store, &ids).await;
    let revision = begun.name.revision;
    harness.damage(&StoredItem::Outcomes(revision, 0)).await;
    harness.corrupt(&ids[0]).await;
    assert!(matches!(mend(&store, &ids[0], false).await, Repair::Mended(_)));
    store.repairs.mend_outcomes(revision, &[0], &terms(false)).await.unwrap();
    let (campaign, receipts) = (get(&store, revision).await, imports(&store).await);
    let states = [shop(&store, &ids[0]).await, shop(&store, &ids[1]).await];
    for _ in 0..2 {
        let repairs = store.repairs.mend_outcomes(revision, &[0], &terms(false)).await.unwrap();
        assert_eq!(repairs, [Repair::NotNeeded]);
        for id in &ids {
            assert_eq!(mend(&store, id, false).await, Repair::NotNeeded);
        }
    }
    assert_eq!(get(&store, revision).await, campaign);
    assert_eq!([shop(&store, &ids[0]).await, shop(&store, &ids[1]).await], states);
    assert_eq!(imports(&store).await, receipts);
}

/// What would be done is said, and everything stays damaged.
pub async fn dry_run_changes_nothing(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 1).await;
    let begun = campaign(&store, &ids).await;
    let revision = begun.name.revision;
    harness.damage(&StoredItem::Outcomes(revision, 0)).await;
    harness.corrupt(&ids[0]).await;
    let (before, receipts) = (found(&store).await, imports(&store).await);
    let dry = mend(&store, &ids[0], true).await;
    let dry_outcomes = store.repairs.mend_outcomes(revision, &[0], &terms(true)).await.unwrap();
    assert_eq!(found(&store).await, before);
    assert_eq!((get(&store, revision).await, imports(&store).await), (begun, receipts));
    assert_eq!(mend(&store, &ids[0], false).await, dry);
    let wet = store.repairs.mend_outcomes(revision, &[0], &terms(false)).await.unwrap();
    assert_eq!(wet, dry_outcomes);
}

/// What only a human can bring back is left, with the reason.
pub async fn what_cannot_be_mended_is_named(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 1).await;
    let unlisted = campaign(&store, &ids).await.name.revision;
    harness.damage(&StoredItem::List(unlisted, 0)).await;
    harness.damage(&StoredItem::Outcomes(unlisted, 0)).await;
    let ids = shops_in(&store, Lane(1), 1).await;
    let unnamed = campaign(&store, &ids).await.name.revision;
    harness.damage(&StoredItem::Outcomes(unnamed, 0)).await;
    harness.damage(&StoredItem::Campaign(unnamed)).await;
    harness.corrupt(&ids[0]).await;
    let before = found(&store).await;
    let terms = terms(false);
    let repairs = store.repairs.mend_outcomes(unlisted, &[0], &terms).await.unwrap();
    assert_eq!(repairs, [Repair::Impossible(Unmendable::OfList(unlisted))]);
    let of_campaign = Repair::Impossible(Unmendable::OfCampaign(unnamed));
    let repairs = store.repairs.mend_outcomes(unnamed, &[0], &terms).await.unwrap();
    assert_eq!(repairs, [of_campaign]);
    assert_eq!(mend(&store, &ids[0], false).await, of_campaign);
    assert_eq!(found(&store).await, before);
}

async fn get(store: &Store, revision: Revision) -> Campaign {
    store.campaigns.get(revision).await.unwrap().unwrap()
}
