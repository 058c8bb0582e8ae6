//! The scenes that promises are played in: shops, rules, changes.

use std::collections::BTreeMap;
use std::time::Duration;

use catchment_domain::{
    Batch, Campaign, CampaignId, Change, Deadline, Draft, ImportBatch, ImportOrder, ImportReceipt,
    ImportTerms, Lane, Lanes, Limit, Loaded, Location, LogIdentity, Nonce, Outcome, Policy,
    Profile, Radius, Rank, Revision, Scope, Shop, ShopId, ShopImport, TriggerKind, TriggerRule,
    judge_batch,
};
use uuid::Uuid;

use crate::{Store, StoreHarness};

/// The base radius of every shop that names none.
pub(crate) const BASE: u32 = 5_000;

pub(crate) fn metres(metres: u32) -> Radius {
    metres.try_into().unwrap()
}

pub(crate) fn limit(text: &str) -> Limit {
    text.parse().unwrap()
}

pub(crate) fn kind(name: &str) -> TriggerKind {
    name.parse().unwrap()
}

/// Two kinds of one rank, and one above them.
pub(crate) fn policy() -> Policy {
    let rule = |rank| TriggerRule { rank: Rank(rank), default_limit: None };
    let triggers = [("rider_shortage", 1), ("system_failure", 1), ("manual", 2)];
    let triggers: BTreeMap<_, _> = triggers.map(|(name, rank)| (kind(name), rule(rank))).into();
    Policy { floor: metres(500), triggers }
}

/// Judges as consumers do.
pub(crate) fn by_the_rules(lanes: Lanes) -> impl Fn(&Batch, &mut Loaded) -> Vec<Outcome> {
    let policy = policy();
    move |batch, loaded| judge_batch(batch, loaded, &policy, lanes)
}

/// A log that outlives its process.
pub(crate) fn lasting_log(id: u128) -> LogIdentity {
    LogIdentity { id, lasting: true }
}

/// A log that is new with its process.
pub(crate) fn passing_log(id: u128) -> LogIdentity {
    LogIdentity { id, lasting: false }
}

/// So many ids of shops whose requests travel in one lane, in order.
pub(crate) fn ids_in(lanes: Lanes, lane: Lane, count: usize) -> Vec<ShopId> {
    let mut ids: Vec<ShopId> = ids_of("shop", lanes, lane).take(count).collect();
    ids.sort_unstable();
    ids
}

/// The id of a shop that is not there, in a lane.
pub(crate) fn stranger_in(lanes: Lanes, lane: Lane) -> ShopId {
    ids_of("stranger", lanes, lane).next().unwrap()
}

fn ids_of(prefix: &'static str, lanes: Lanes, lane: Lane) -> impl Iterator<Item = ShopId> {
    let ids = (0..).map(move |number: u32| format!("{prefix}-{number}").parse().unwrap());
    ids.filter(move |id| lanes.lane_of(id) == lane)
}

/// A shop in the centre of London.
pub(crate) fn row(id: &ShopId) -> ShopImport {
    let location = Location::new(51.5, -0.1).unwrap();
    let (category, region) = ("cafe".to_owned(), "Camden".to_owned());
    let profile = Profile { name: format!("Shop {id}"), category, region, location };
    ShopImport { id: id.clone(), profile, base: None }
}

/// What imports go by.
pub(crate) fn terms(revision: Revision) -> ImportTerms {
    let (default_base, floor) = (metres(BASE), policy().floor);
    ImportTerms { order: ImportOrder::Taken(revision), default_base, floor }
}

/// Brings rows in under a new revision, which is returned.
pub(crate) async fn import(store: &Store, rows: &[ShopImport]) -> Revision {
    let revision = store.shops.take_revision().await.unwrap();
    for batch in ImportBatch::split(rows.to_vec(), store.shops.lanes()) {
        store.shops.import(&batch, terms(revision)).await.unwrap();
    }
    revision
}

/// So many shops of one lane that a database finds each by its key, and does not read them all.
pub(crate) async fn crowd_in(harness: &dyn StoreHarness, lane: Lane) -> Vec<ShopId> {
    const CROWD: usize = 10_000;
    let ids = shops_in(&harness.store(), lane, CROWD).await;
    harness.analyze().await;
    ids
}

/// Adds so many shops of one lane, each with the usual base radius.
pub(crate) async fn shops_in(store: &Store, lane: Lane, count: usize) -> Vec<ShopId> {
    let ids = ids_in(store.shops.lanes(), lane, count);
    import(store, &ids.iter().map(row).collect::<Vec<_>>()).await;
    ids
}

pub(crate) async fn shop(store: &Store, id: &ShopId) -> Shop {
    store.shops.get(id).await.unwrap().unwrap()
}

pub(crate) async fn radius(store: &Store, id: &ShopId) -> u32 {
    shop(store, id).await.state.radius.metres()
}

/// A limit without a campaign.
pub(crate) fn activate(why: &str, to: &str) -> Change {
    Change::ActivateKind { kind: kind(why), limit: limit(to), deadline: None }
}

/// A rider shortage without a campaign.
pub(crate) fn narrow(to: &str) -> Change {
    activate("rider_shortage", to)
}

/// A system failure without a campaign that must begin by a deadline.
pub(crate) fn narrow_by(to: &str, deadline: Deadline) -> Change {
    let deadline = Some(deadline);
    Change::ActivateKind { kind: kind("system_failure"), limit: limit(to), deadline }
}

/// What somebody wants: a rider shortage to 3 km for ten minutes.
pub(crate) fn draft(scope: Scope) -> Draft {
    Draft {
        kind: kind("rider_shortage"),
        limit: limit("3km"),
        scope,
        reason: "too few riders".to_owned(),
        timeout: Duration::from_mins(10),
        until: None,
        replaces: None,
        id: CampaignId(Uuid::from_u128(0xca)),
        nonce: Nonce::from_random(42),
    }
}

/// These shops and no others.
pub(crate) fn named(ids: &[ShopId]) -> Scope {
    Scope { ids: Some(ids.iter().cloned().collect()), ..Scope::everything() }
}

/// Stores a campaign over these shops.
pub(crate) async fn campaign(store: &Store, ids: &[ShopId]) -> Campaign {
    store.campaigns.add(&draft(named(ids))).await.unwrap()
}

/// The receipts of a lane's imports, all of which can be read.
pub(crate) async fn import_receipts(store: &Store, lane: Lane) -> Vec<ImportReceipt> {
    let mut receipts = Vec::new();
    let visit = &mut |receipt| receipts.push(receipt);
    assert_eq!(store.shops.visit_import_receipts(lane, visit).await.unwrap(), []);
    receipts
}
