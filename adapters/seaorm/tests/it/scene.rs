//! Makes shops, and batches of requests that narrow their radius.

use std::time::Duration;

use catchment_domain::ports::{Claim, ShopRepository};
use catchment_domain::{
    Batch, CampaignId, Change, Draft, ImportBatch, ImportOrder, ImportTerms, Lane, Lanes, Loaded,
    Location, LogIdentity, Nonce, Outcome, Policy, Position, Profile, Radius, Rank, Request,
    RequestId, RequestRecord, ReturnAddress, Scope, ShopId, ShopImport, TriggerRule, judge_batch,
};
use catchment_seaorm::SeaOrmStore;
use uuid::Uuid;

pub(crate) const LOG: LogIdentity = LogIdentity { id: 1, lasting: true };

pub(crate) fn ids_in(lanes: Lanes, lane: Lane, count: usize) -> Vec<ShopId> {
    let ids = (0..).map(|number| format!("shop-{number}").parse().unwrap());
    let mut ids: Vec<ShopId> = ids.filter(|id| lanes.lane_of(id) == lane).take(count).collect();
    ids.sort_unstable();
    ids
}

pub(crate) fn row(id: &ShopId) -> ShopImport {
    let location = Location::new(51.5, -0.1).unwrap();
    let (category, region) = ("cafe".to_owned(), "Camden".to_owned());
    let profile = Profile { name: format!("Shop {id}"), category, region, location };
    ShopImport { id: id.clone(), profile, base: None }
}

/// A campaign over all shops.
pub(crate) fn draft() -> Draft {
    Draft {
        kind: "rider_shortage".parse().unwrap(),
        limit: "3km".parse().unwrap(),
        scope: Scope::everything(),
        reason: String::new(),
        timeout: Duration::from_mins(10),
        until: None,
        replaces: None,
        id: CampaignId(Uuid::nil()),
        nonce: Nonce::from_random(7),
    }
}

pub(crate) async fn terms(store: &SeaOrmStore) -> ImportTerms {
    let revision = store.take_revision().await.unwrap();
    let default_base = Radius::try_from(5_000_u32).unwrap();
    let order = ImportOrder::Taken(revision);
    ImportTerms { order, default_base, floor: Radius::CLOSED }
}

pub(crate) async fn import(store: &SeaOrmStore, ids: &[ShopId]) {
    let terms = terms(store).await;
    for batch in ImportBatch::split(ids.iter().map(row).collect(), store.lanes()) {
        store.import(&batch, terms).await.unwrap();
    }
}

/// Returns the import batch of rows that are all of one lane.
pub(crate) fn together(store: &SeaOrmStore, rows: Vec<ShopImport>) -> ImportBatch {
    let batches = ImportBatch::split(rows, store.lanes());
    assert_eq!(batches.len(), 1);
    batches.into_iter().next().unwrap()
}

pub(crate) fn batch(claim: &Claim, ids: &[ShopId]) -> Batch {
    let change = Change::ActivateKind {
        kind: "rider_shortage".parse().unwrap(),
        limit: format!("{}m", 1_000 + claim.epoch.0).parse().unwrap(),
        deadline: None,
    };
    let records = (claim.applied_next.0..).zip(ids).map(|(position, shop)| {
        let id = RequestId(Uuid::from_u64_pair(1, position));
        RequestRecord {
            position: Position(position),
            id,
            return_address: ReturnAddress::default(),
            request: Ok(Request { id, shop: shop.clone(), change }),
        }
    });
    Batch::new((Lane(0), claim.epoch), claim.applied_next, Position(0), records.collect())
}

pub(crate) fn decide(lanes: Lanes) -> impl Fn(&Batch, &mut Loaded) -> Vec<Outcome> {
    let rule = TriggerRule { rank: Rank(1), default_limit: None };
    let triggers = [("rider_shortage".parse().unwrap(), rule)].into();
    let policy = Policy { floor: Radius::CLOSED, triggers };
    move |batch, loaded| judge_batch(batch, loaded, &policy, lanes)
}
