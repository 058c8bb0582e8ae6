//! Batches: applied whole, once, and by what is stored.

use std::slice;
use std::sync::Mutex;
use std::time::Duration;

use catchment_domain::ports::StoreError;
use catchment_domain::{
    Batch, Campaign, CampaignId, CampaignRef, Change, Code, Command, Draft, Loaded, LoadedCampaign,
    Phase, Position, Receipt, RequestRecord, Revision, ShopId, ShopImport, Status, StoredItem,
};
use uuid::Uuid;

use super::LANE;
use crate::owner::{Owner, id_at, record, request_of};
use crate::scene::{
    BASE, activate, by_the_rules, campaign, draft, import, kind, lasting_log, limit, metres, named,
    narrow, radius, row, shop, shops_in, stranger_in,
};
use crate::{Store, StoreHarness};

/// A batch that fails in its last shop has changed neither shop, lane nor receipts.
pub async fn apply_is_atomic(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 3).await;
    let owner = Owner::of(&store, LANE).await;
    harness.corrupt(&ids[2]).await;
    let records = (0..).zip(&ids).map(|(at, id)| record(at, id, narrow("3km"))).collect();
    let result = owner.try_apply(&owner.batch(records)).await;
    assert!(matches!(result, Err(StoreError::BadData { .. })), "{result:?}");
    assert_eq!((radius(&store, &ids[0]).await, radius(&store, &ids[1]).await), (BASE, BASE));
    assert_eq!(owner.receipts().await, []);
    let claim = store.ledger.claim(LANE, lasting_log(1), None).await.unwrap();
    assert_eq!((claim.applied_next, claim.last_id), (Position(0), None));
}

/// The second time a batch is offered, it changes nothing.
pub async fn apply_repeated_is_fenced(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 1).await;
    let owner = Owner::of(&store, LANE).await;
    let batch = owner.batch(vec![record(0, &ids[0], narrow("3km"))]);
    owner.try_apply(&batch).await.unwrap();
    let before = shop(&store, &ids[0]).await;
    let again = owner.try_apply(&batch).await;
    assert!(matches!(again, Err(StoreError::Fenced)), "{again:?}");
    assert_eq!(shop(&store, &ids[0]).await, before);
    assert_eq!(owner.receipts().await.len(), 1);
}

/// Neither a part of what was applied nor something beyond a hole is applied.
pub async fn apply_from_elsewhere_is_fenced(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 1).await;
    let mut owner = Owner::of(&store, LANE).await;
    let three = |limit| (0..3).map(|at| record(at, &ids[0], narrow(limit))).collect::<Vec<_>>();
    owner.apply(three("3km")).await;
    let before = shop(&store, &ids[0]).await;
    for (from, records) in [
        (0, three("1km")[..2].to_vec()),
        (1, three("1km")[1..].to_vec()),
        (2, vec![record(2, &ids[0], narrow("1km")), record(3, &ids[0], narrow("1km"))]),
        (4, vec![record(4, &ids[0], narrow("1km"))]),
    ] {
        let result = owner.try_apply(&owner.batch_from(Position(from), records)).await;
        assert!(matches!(result, Err(StoreError::Fenced)), "from {from}: {result:?}");
    }
    assert_eq!(shop(&store, &ids[0]).await, before);
    assert_eq!(owner.receipts().await.len(), 1);
}

/// Positions need not follow each other, within a batch or between two.
pub async fn apply_accepts_gaps(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 2).await;
    let mut owner = Owner::of(&store, LANE).await;
    let first = vec![record(3, &ids[0], narrow("3km")), record(9, &ids[1], narrow("3km"))];
    let receipt = owner.apply(first).await;
    assert_eq!((receipt.from, receipt.to), (Position(0), Position(10)));
    owner.apply(vec![record(17, &ids[0], narrow("2km"))]).await;
    assert_eq!(radius(&store, &ids[0]).await, 2_000);
    let claim = store.ledger.claim(LANE, lasting_log(1), None).await.unwrap();
    assert_eq!((claim.applied_next, claim.last_id), (Position(18), Some(id_at(17))));
    let behind = store.ledger.receipts(LANE, Position(10), Position(18)).await.unwrap();
    assert_eq!(behind.len(), 1);
}

/// What was applied is seen through every port, and by another process.
pub async fn apply_is_seen_by_all(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 1).await;
    let mut owner = Owner::of(&store, LANE).await;
    let receipt = owner.change(&ids[0], narrow("3km")).await;
    let standing = receipt.entries[0].outcome.standing.unwrap();
    for store in [Some(harness.store()), harness.reopened().await].into_iter().flatten() {
        let shop = shop(&store, &ids[0]).await;
        assert_eq!((shop.state.radius, shop.state.version), (standing.after, standing.version));
        assert_eq!(shop.state.active.len(), 1);
        let receipts = Owner::of(&store, LANE).await.receipts().await;
        assert_eq!(receipts, slice::from_ref(&receipt));
    }
}

/// A batch sees what somebody else stored since the owner's last one.
pub async fn apply_judges_by_what_is_stored(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 1).await;
    let mut owner = Owner::of(&store, LANE).await;
    owner.change(&ids[0], narrow("3km")).await;
    let narrower = ShopImport { base: Some(metres(2_000)), ..row(&ids[0]) };
    import(&store, &[narrower]).await;
    let version = shop(&store, &ids[0]).await.state.version;
    let receipt = owner.change(&ids[0], narrow("1km")).await;
    let standing = receipt.entries[0].outcome.standing.unwrap();
    assert_eq!(standing.before, Some(metres(2_000)));
    assert_eq!(standing.version, version + 1);
}

/// Data that cannot be read is named, and stands in the way of nobody else.
pub async fn bad_data_is_named(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 2).await;
    let mut owner = Owner::of(&store, LANE).await;
    harness.corrupt(&ids[0]).await;
    match owner.try_apply(&owner.batch(vec![record(0, &ids[0], narrow("3km"))])).await {
        Err(StoreError::BadData { what }) => assert!(what.contains(ids[0].as_str()), "{what}"),
        other => panic!("{other:?}"),
    }
    owner.change(&ids[1], narrow("3km")).await;
    assert_eq!(radius(&store, &ids[1]).await, 3_000);
}

/// A shop that has lost what is in force there is told from one that never was, and stands in the
/// way of nobody else.
pub async fn orphan_is_no_unknown_shop(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 2).await;
    let mut owner = Owner::of(&store, LANE).await;
    let stranger = stranger_in(store.shops.lanes(), LANE);
    let receipt = owner.change(&stranger, narrow("3km")).await;
    assert_eq!(receipt.entries[0].outcome.code, Some(Code::UnknownShop));
    if !harness.lose(&StoredItem::State(ids[0].to_string())).await {
        return;
    }
    let at = owner.claim.applied_next.0;
    match owner.try_apply(&owner.batch(vec![record(at, &ids[0], narrow("3km"))])).await {
        Err(StoreError::BadData { what }) => assert!(what.contains(ids[0].as_str()), "{what}"),
        other => panic!("{other:?}"),
    }
    owner.change(&ids[1], narrow("3km")).await;
    assert_eq!(radius(&store, &ids[1]).await, 3_000);
}

/// A campaign counts as known by revision and id together.
pub async fn unknown_campaigns_are_not_loaded(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 1).await;
    let known = campaign(&store, &ids).await;
    let (revision, id) = (known.name.revision, known.name.id);
    let foreign = CampaignId(Uuid::from_u128(0xf0));
    let owner = Owner::of(&store, LANE).await;
    let names = [
        known.name,
        CampaignRef { revision, id: foreign },
        CampaignRef { revision: Revision(revision.0 + 1), id },
    ];
    let records = (0..).zip(names).map(|(at, name)| {
        request_of(&Campaign { name, ..known.clone() }, Phase::Activation, (0, &ids[0]), at)
    });
    let (receipt, loaded) = apply_seen(&owner, records.collect()).await;
    assert_eq!(loaded, [known.loaded()]);
    let codes: Vec<_> = receipt.entries.iter().map(|entry| entry.outcome.code).collect();
    assert_eq!(codes, [None, Some(Code::UnknownCampaign), Some(Code::UnknownCampaign)]);
}

/// Applies records. Also returns the campaigns by which they were judged.
async fn apply_seen(owner: &Owner, records: Vec<RequestRecord>) -> (Receipt, Vec<LoadedCampaign>) {
    let seen = Mutex::new(Vec::new());
    let judge = by_the_rules(owner.store().shops.lanes());
    let decide = |batch: &Batch, loaded: &mut Loaded| {
        seen.lock().unwrap().clone_from(&loaded.campaigns);
        judge(batch, loaded)
    };
    let receipt = owner.store().ledger.apply(&owner.batch(records), &decide).await.unwrap();
    (receipt, seen.into_inner().unwrap())
}

/// Every field of a campaign is loaded as it is stored, after each change by another connection. A
/// request that differs from it is rejected.
pub async fn campaign_terms_are_loaded(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 3).await;
    let old = campaign(&store, &ids).await;
    let draft = draft(named(&ids));
    let draft = Draft { limit: limit("50%"), replaces: Some(old.name.revision), ..draft };
    let begun = store.campaigns.add(&draft).await.unwrap();
    let revision = begun.name.revision;
    let mut owner = Owner::of(&store, LANE).await;
    for command in [None, Some(Command::GiveUp), Some(Command::Retry), Some(Command::End)] {
        harness.advance(Duration::from_mins(1));
        if let Some(command) = command {
            harness.store().campaigns.command(revision, command).await.unwrap();
        }
        let now = harness.store().campaigns.get(revision).await.unwrap().unwrap();
        let from = owner.claim.applied_next.0;
        let good = request_of(&now, Phase::Activation, (0, &ids[0]), from);
        let forged = Campaign { limit: limit("closed"), ..now.clone() };
        let forged = request_of(&forged, Phase::Activation, (1, &ids[1]), from + 1);
        let (receipt, loaded) = apply_seen(&owner, vec![good, forged]).await;
        owner.claim.applied_next = receipt.to;
        assert_eq!(loaded, [now.loaded()], "after {command:?}");
        let outcomes = receipt.entries.iter().map(|entry| &entry.outcome);
        let outcomes: Vec<_> = outcomes.map(|outcome| (outcome.status, outcome.code)).collect();
        let differs = (Status::Rejected, Some(Code::CampaignDiffers));
        assert_eq!(outcomes, [(Status::Applied, None), differs], "after {command:?}");
    }
    // After the end, activations at other shops do not count any more, and releases take effect.
    let ended = store.campaigns.get(revision).await.unwrap().unwrap();
    let receipt = owner.ask(&ended, Phase::Activation, (2, &ids[2])).await;
    assert_eq!(receipt.entries[0].outcome.status, Status::Superseded);
    owner.ask(&ended, Phase::Release, (0, &ids[0])).await;
    for id in &ids {
        assert_eq!(radius(&store, id).await, BASE);
    }
}

/// If a campaign cannot be read, its own requests are rejected, and no others. A repeat is still
/// answered with the first status.
pub async fn damaged_campaign_rejects_its_own_requests(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 2).await;
    let [damaged, whole] = [campaign(&store, &ids).await, campaign(&store, &ids).await];
    let mut owner = Owner::of(&store, LANE).await;
    owner.ask(&damaged, Phase::Activation, (0, &ids[0])).await;
    harness.damage(&StoredItem::Campaign(damaged.name.revision)).await;
    let places = [(&damaged, 0), (&damaged, 1), (&whole, 1)];
    let records = (owner.claim.applied_next.0..).zip(places).map(|(at, (campaign, index))| {
        request_of(campaign, Phase::Activation, (index, &ids[index as usize]), at)
    });
    let (receipt, _) = apply_seen(&owner, records.collect()).await;
    let outcomes: Vec<_> = receipt.entries.iter().map(|entry| &entry.outcome).collect();
    assert_eq!((outcomes[0].status, outcomes[0].repeat), (Status::Applied, true));
    assert_eq!(outcomes[1].code, Some(Code::BadData));
    let revision = damaged.name.revision.to_string();
    assert!(outcomes[1].message().unwrap().contains(&revision), "{:?}", outcomes[1]);
    assert_eq!((outcomes[2].status, outcomes[2].code), (Status::Applied, None));
}

/// The newest revision is loaded, even if another connection took it. A base radius with a revision
/// that was never given out is rejected, so it cannot outrank later ones.
pub async fn newest_revision_is_loaded(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 1).await;
    let mut owner = Owner::of(&store, LANE).await;
    let set_base = |revision, to| Change::SetBase { revision, radius: metres(to), deadline: None };
    let newest = harness.store().shops.take_revision().await.unwrap();
    let next = Revision(newest.0 + 1);
    let unix_time = Revision(1_796_000_000_000);
    for (revision, code) in [
        (unix_time, Some(Code::UnknownRevision)),
        (Revision::MAX, Some(Code::UnknownRevision)),
        (next, Some(Code::UnknownRevision)),
        (newest, None),
    ] {
        let receipt = owner.change(&ids[0], set_base(revision, 4_000)).await;
        assert_eq!(receipt.entries[0].outcome.code, code, "{revision}");
    }
    assert_eq!(harness.store().shops.take_revision().await.unwrap(), next);
    let receipt = owner.change(&ids[0], set_base(next, 3_000)).await;
    assert_eq!(receipt.entries[0].outcome.status, Status::Applied);
    import(&store, &[ShopImport { base: Some(metres(2_000)), ..row(&ids[0]) }]).await;
    assert_eq!(radius(&store, &ids[0]).await, 2_000);
}

/// What is read back is what judging left, to the last field: of a shop with causes of every
/// sort, and of as many shops as a batch has at most.
pub async fn apply_keeps_what_was_decided(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 2_000).await;
    let mut owner = Owner::of(&store, LANE).await;
    for asks in eventful(&store, &ids).await.chunks(2) {
        for (campaign, phase) in asks.iter().filter_map(Ask::campaign) {
            if phase == Phase::Release {
                store.campaigns.command(campaign.name.revision, Command::End).await.unwrap();
            }
        }
        let places = (0..).zip(&ids).zip(asks.iter().cycle());
        let records = (owner.claim.applied_next.0..).zip(places);
        let records = records.map(|(at, (place, ask))| match ask {
            Ask::Of(campaign, phase) => request_of(campaign, *phase, place, at),
            Ask::Without(change) => record(at, place.1, *change),
        });
        let batch = owner.batch(records.collect());
        let judge = by_the_rules(store.shops.lanes());
        let judged = Mutex::new(Vec::new());
        let decide = |batch: &Batch, loaded: &mut Loaded| {
            let outcomes = judge(batch, loaded);
            judged.lock().unwrap().clone_from(&loaded.shops);
            outcomes
        };
        let receipt = store.ledger.apply(&batch, &decide).await.unwrap();
        assert!(receipt.entries.iter().all(|entry| entry.outcome.code.is_none()));
        owner.claim.applied_next = batch.to();
        let stored = store.shops.list(&named(&ids), None, 5_000).await.unwrap().found;
        let stored: Vec<_> = stored.into_iter().map(|shop| Some(shop.state)).collect();
        let judged: Vec<_> = judged.into_inner().unwrap().into_iter().map(|s| s.state).collect();
        assert_eq!(judged.len(), 2_000);
        assert!(stored == judged, "{:?} instead of {:?}", stored[0], judged[0]);
    }
}

/// A request to a shop.
enum Ask {
    /// From a campaign.
    Of(Box<Campaign>, Phase),
    /// Without a campaign.
    Without(Change),
}

impl Ask {
    fn campaign(&self) -> Option<(&Campaign, Phase)> {
        match self {
            Self::Of(campaign, phase) => Some((campaign, *phase)),
            Self::Without(_) => None,
        }
    }
}

/// Requests that leave causes of every kind, two requests for each batch.
async fn eventful(store: &Store, ids: &[ShopId]) -> Vec<Ask> {
    let add = async |to, replaces: Option<&Campaign>| {
        let replaces = replaces.map(|old| old.name.revision);
        let draft = draft(named(ids));
        let draft = Draft { kind: kind("system_failure"), limit: limit(to), replaces, ..draft };
        Box::new(store.campaigns.add(&draft).await.unwrap())
    };
    let (old, wide) = (add("50%", None).await, add("100km", None).await);
    let new = add("1m", Some(&*old)).await;
    let revision = store.shops.take_revision().await.unwrap();
    vec![
        Ask::Of(old.clone(), Phase::Activation),
        Ask::Of(wide, Phase::Activation),
        Ask::Without(activate("manual", "closed")),
        Ask::Without(Change::SetBase { revision, radius: metres(100_000), deadline: None }),
        Ask::Of(new, Phase::Activation),
        Ask::Of(old, Phase::Release),
        Ask::Without(Change::ReleaseKind { kind: kind("manual"), deadline: None }),
        Ask::Without(narrow("99%")),
    ]
}
