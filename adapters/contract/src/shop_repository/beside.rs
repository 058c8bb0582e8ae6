//! Imports beside those who write the same shops at the same time.
//!
//! Each promise is played over shops of a lane that has many more, and with a database that knows
//! that: only then does it look for each shop by its key, and so only then can it lose one that
//! another transaction was writing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use catchment_domain::Phase::{Activation, Release};
use catchment_domain::ports::{Answer, StoreError};
use catchment_domain::{
    Campaign, CampaignState, Change, Command, ImportBatch, Imported, Phase, Receipt, RequestRecord,
    ShopId, ShopImport, Ticket,
};
use tokio::task::{JoinHandle, JoinSet};

use super::LANE;
use crate::owner::{Owner, record, request_of};
use crate::requester::Requester;
use crate::scene::{BASE, campaign, crowd_in, ids_in, import, metres, named, narrow, row, terms};
use crate::{Store, StoreHarness};

/// How many shops imports and batches have in common.
const SHOPS: usize = 300;

/// Somebody who imports the same shops again and again.
struct Importer {
    stopped: Arc<AtomicBool>,
    importing: JoinHandle<u64>,
}

impl Importer {
    fn of(store: &Store, ids: &[ShopId]) -> Self {
        let (store, stopped) = (store.clone(), Arc::new(AtomicBool::new(false)));
        let rows: Vec<ShopImport> = ids.iter().map(row).collect();
        let is_stopped = Arc::clone(&stopped);
        let importing = tokio::spawn(async move {
            let mut imports = 0;
            while !is_stopped.load(Ordering::Relaxed) {
                import(&store, &rows).await;
                imports += 1;
                tokio::task::yield_now().await;
            }
            imports
        });
        Self { stopped, importing }
    }

    /// Stops it. Returns how many imports there were.
    async fn stop(self) -> u64 {
        self.stopped.store(true, Ordering::Relaxed);
        self.importing.await.unwrap()
    }
}

/// One request for each shop, from a position on.
fn requests(from: u64, ids: &[ShopId], change: Change) -> Vec<RequestRecord> {
    (from..).zip(ids).map(|(at, id)| record(at, id, change)).collect()
}

/// Each request found its shop.
fn check_all_took_effect(receipt: &Receipt) {
    let failed = receipt.entries.iter().map(|entry| (entry.outcome.status, entry.outcome.code));
    let failed: Vec<_> = failed.filter(|(status, _)| !status.took_effect()).collect();
    let (count, all) = (failed.len(), receipt.entries.len());
    assert!(failed.is_empty(), "{count} of {all} did not take effect, the first {:?}", failed[0]);
}

/// Imports and batches over the same shops at once: each sees what the other left.
pub async fn import_beside_a_batch_loses_nothing(harness: &dyn StoreHarness) {
    const BATCHES: u64 = 40;
    let ids = crowd_in(harness, LANE).await[..SHOPS].to_vec();
    let store = harness.store();
    let mut owner = Owner::of(&store, LANE).await;
    let importer = Importer::of(&harness.store(), &ids);
    for number in 0..BATCHES {
        let change = narrow(&format!("{}m", 1_000 + number));
        let from = owner.claim.applied_next.0;
        check_all_took_effect(&owner.apply(requests(from, &ids, change)).await);
        tokio::task::yield_now().await;
    }
    let imports = importer.stop().await;
    assert!(0 < imports);
    for shop in store.shops.list(&named(&ids), None, SHOPS).await.unwrap().found {
        assert_eq!(shop.state.version, 1 + BATCHES + imports);
        assert_eq!((shop.state.radius, shop.state.active.len()), (metres(1_039), 1));
    }
}

/// Owners that fence each other while imports run: what a fenced one did not do, the next does,
/// and none of them misses a shop.
pub async fn import_beside_a_zombie_loses_nothing(harness: &dyn StoreHarness) {
    const BATCHES: u64 = 30;
    let ids = crowd_in(harness, LANE).await[..SHOPS].to_vec();
    let store = harness.store();
    let importer = Importer::of(&harness.store(), &ids);
    let mut owners = JoinSet::new();
    for _ in 0..3 {
        let (store, ids) = (harness.store(), ids.clone());
        owners.spawn(async move { while !apply_until_fenced(&store, &ids, BATCHES).await {} });
    }
    owners.join_all().await;
    let imports = importer.stop().await;
    let receipts = Owner::of(&store, LANE).await.receipts().await;
    assert_eq!(receipts.len() as u64, BATCHES);
    receipts.iter().for_each(check_all_took_effect);
    for shop in store.shops.list(&named(&ids), None, SHOPS).await.unwrap().found {
        assert_eq!(shop.state.version, 1 + BATCHES + imports);
    }
}

/// Claims the lane, and applies batches until it is fenced. Returns whether all are applied.
async fn apply_until_fenced(store: &Store, ids: &[ShopId], batches: u64) -> bool {
    let mut owner = Owner::of(store, LANE).await;
    while owner.claim.applied_next.0 < batches * ids.len() as u64 {
        let from = owner.claim.applied_next.0;
        let batch = owner.batch(requests(from, ids, narrow(&format!("{}m", 1_000 + from))));
        match owner.try_apply(&batch).await {
            Ok(_) => owner.claim.applied_next = batch.to(),
            Err(StoreError::Fenced) => return false,
            Err(error) => panic!("{error}"),
        }
    }
    true
}

/// Campaigns that come and are ended while imports run are over at every shop.
pub async fn import_beside_an_end_releases_every_shop(harness: &dyn StoreHarness) {
    const CAMPAIGNS: u64 = 12;
    let ids = crowd_in(harness, LANE).await[..SHOPS].to_vec();
    let store = harness.store();
    let mut owner = Owner::of(&store, LANE).await;
    let mut requester = Requester::of(&store, 0, 1).await;
    let importer = Importer::of(&harness.store(), &ids);
    for _ in 0..CAMPAIGNS {
        let begun = campaign(&store, &ids).await;
        requester.open().await;
        play(&begun, Activation, &ids, &mut owner, &mut requester).await;
        let ending = store.campaigns.command(begun.name.revision, Command::End).await.unwrap();
        play(&ending, Release, &ids, &mut owner, &mut requester).await;
        let ended = store.campaigns.get(begun.name.revision).await.unwrap().unwrap();
        assert_eq!((ended.state, ended.unreleased), (CampaignState::Ended, 0));
    }
    importer.stop().await;
    for shop in store.shops.list(&named(&ids), None, SHOPS).await.unwrap().found {
        assert_eq!((shop.state.radius, shop.state.active.len()), (metres(BASE), 0));
    }
}

/// Sends one phase of a campaign, applies it, and records what became of it.
async fn play(
    campaign: &Campaign,
    phase: Phase,
    ids: &[ShopId],
    owner: &mut Owner,
    requester: &mut Requester,
) {
    requester.mark(campaign, phase, &[0]).await;
    let places = (owner.claim.applied_next.0..).zip((0..).zip(ids));
    let requests = places.map(|(at, place)| request_of(campaign, phase, place, at)).collect();
    let receipt = owner.apply(requests).await;
    check_all_took_effect(&receipt);
    let answers = receipt.entries.into_iter().map(|entry| {
        let ticket = Ticket::read(entry.id).unwrap();
        Answer { chunk: 0, ticket, outcome: entry.outcome, request_position: Some(entry.position) }
    });
    requester.record(campaign, &answers.collect::<Vec<_>>()).await;
}

/// Imports of the same new shops at once: one adds each, the others update it, and the newest
/// base stays.
pub async fn imports_at_once_add_each_shop_once(harness: &dyn StoreHarness) {
    const IMPORTS: u64 = 6;
    const ROUNDS: usize = 10;
    let store = harness.store();
    let lanes = store.shops.lanes();
    let all: Vec<ShopId> = lanes.iter().flat_map(|lane| ids_in(lanes, lane, 200)).collect();
    for ids in all.chunks(all.len() / ROUNDS) {
        let mut importing = JoinSet::new();
        for _ in 0..IMPORTS {
            let (store, ids) = (harness.store(), ids.to_vec());
            importing.spawn(async move {
                let revision = store.shops.take_revision().await.unwrap();
                let base = Some(metres(1_000 + u32::try_from(revision.0).unwrap()));
                let rows: Vec<_> = ids.iter().map(|id| ShopImport { base, ..row(id) }).collect();
                let mut imported = Imported::default();
                for batch in ImportBatch::split(rows, store.shops.lanes()) {
                    imported += store.shops.import(&batch, terms(revision)).await.unwrap().counts();
                }
                (revision, imported)
            });
        }
        let imported = importing.join_all().await;
        let added: u64 = imported.iter().map(|(_, imported)| imported.added).sum();
        let updated: u64 = imported.iter().map(|(_, imported)| imported.updated).sum();
        let shops = ids.len() as u64;
        assert_eq!((added, updated), (shops, (IMPORTS - 1) * shops));
        let newest = imported.iter().map(|(revision, _)| *revision).max().unwrap();
        for shop in store.shops.list(&named(ids), None, ids.len()).await.unwrap().found {
            assert_eq!((shop.state.base.revision, shop.state.version), (newest, IMPORTS));
        }
    }
}
