//! Mending a `SQLite` file that another program damaged.

use std::time::Duration;

use catchment_domain::ports::{
    CampaignLedger, CampaignRepository, Holder, Repairs, ReplyLanes, ShopLedger, ShopRepository,
};
use catchment_domain::service::repair;
use catchment_domain::{
    CampaignState, ImportReceipt, Lane, Mended, Policy, Position, Radius, Rank, Repair,
    RepairTerms, ReplyLane, ShopId, StoredItem, TriggerRule, Unmendable,
};
use catchment_seaorm::SeaOrmStore;
use uuid::Uuid;

use crate::scene::{LOG, batch, decide, draft, ids_in, import};
use crate::world::World;

fn terms() -> RepairTerms {
    let rule = TriggerRule { rank: Rank(1), default_limit: None };
    let triggers = [("rider_shortage".parse().unwrap(), rule)].into();
    let policy = Policy { floor: Radius::CLOSED, triggers };
    let default_base = Radius::try_from(5_000_u32).unwrap();
    RepairTerms { policy, default_base, dry_run: false }
}

/// Each table that a repair reads has a value out of range. The repair mends the rest.
#[tokio::test]
async fn a_value_out_of_range_stops_no_repair() {
    let world = World::new();
    let store = world.open().await;
    let ids = ids_in(store.lanes(), Lane(0), 3);
    import(&store, &ids).await;
    let revision = store.add(&draft()).await.unwrap().name.revision;
    let claim = store.claim(Lane(0), LOG, None).await.unwrap();
    store.apply(&batch(&claim, &ids[2..]), &decide(store.lanes())).await.unwrap();
    let (one, orphan) = (&ids[0], &ids[1]);
    for statement in [
        format!("UPDATE shop_state SET version = -1 WHERE id = '{one}'"),
        format!("UPDATE shop_state SET radius = 5000000000 WHERE id = '{orphan}'"),
        format!("DELETE FROM shop WHERE id = '{orphan}'"),
        "UPDATE campaign_chunk SET open = -1, first = 5000000000".to_owned(),
        "UPDATE receipt SET to_position = -1".to_owned(),
        "UPDATE lane_state SET expired_up_to = -1".to_owned(),
    ] {
        world.execute(&statement).await;
    }
    let lost_profile = StoredItem::Profile(orphan.to_string());
    let expected = [
        (StoredItem::Outcomes(revision, 0), true),
        (lost_profile.clone(), false),
        (StoredItem::State(one.to_string()), true),
        (StoredItem::State(orphan.to_string()), true),
    ];
    let findings = repair(&store, &terms()).await.unwrap();
    let found = findings.into_iter().map(|finding| (finding.damage.item, finding.result.is_ok()));
    assert_eq!(found.collect::<Vec<_>>(), expected);
    let again = repair(&store, &terms()).await.unwrap();
    let again = again.into_iter().map(|finding| (finding.damage.item, finding.result));
    assert_eq!(again.collect::<Vec<_>>(), [(lost_profile, Err(Unmendable::Profile))]);
}

/// The number of open shops does not go with the state of the campaign, which is alone in its lane.
#[tokio::test]
async fn a_count_that_was_set_to_zero_is_named_by_the_next_look() {
    let world = World::new();
    let store = world.open().await;
    import(&store, &ids_in(store.lanes(), Lane(2), 2)).await;
    let revision = store.add(&draft()).await.unwrap().name.revision;
    let log = (LOG, Position(0));
    let lease = store.lease(ReplyLane(0), Holder(Uuid::nil()), log, Duration::from_mins(1)).await;
    let lease = lease.unwrap().unwrap();
    assert_eq!(CampaignLedger::open(&store, &lease).await.unwrap().found.len(), 1);
    world.execute("UPDATE campaign SET open = 0").await;
    let opened = CampaignLedger::open(&store, &lease).await.unwrap();
    let named: Vec<StoredItem> = opened.damaged.into_iter().map(|damage| damage.item).collect();
    assert_eq!((opened.found, named), (vec![], vec![StoredItem::Campaign(revision)]));
}

/// The chunks were restored from a backup that is older than the end of their campaign. The repair
/// has their shops released.
#[tokio::test]
async fn chunks_from_before_the_end_of_their_campaign_are_ended_again() {
    let world = World::new();
    let store = world.open().await;
    import(&store, &ids_in(store.lanes(), Lane(2), 2)).await;
    let revision = store.add(&draft()).await.unwrap().name.revision;
    for statement in [
        "UPDATE campaign_chunk SET sent = 1, open = 0, activations = x'0202'",
        "UPDATE campaign SET state = 'ended', open = 0, attempt = 1",
    ] {
        world.execute(statement).await;
    }
    let findings = repair(&store, &terms()).await.unwrap();
    let findings = findings.into_iter().map(|finding| (finding.damage.item, finding.result));
    let counted = Ok(Mended::Counts { open: 2, unreleased: 0 });
    assert_eq!(findings.collect::<Vec<_>>(), [(StoredItem::Counts(revision), counted)]);
    let campaign = CampaignRepository::get(&store, revision).await.unwrap().unwrap();
    assert_eq!(campaign.state, CampaignState::Ending { open: 2 });
    let chunks = store.chunks(revision).await.unwrap().found;
    assert_eq!(chunks.iter().map(|chunk| chunk.open).sum::<u32>(), 2);
    assert_eq!(repair(&store, &terms()).await.unwrap(), []);
}

/// The stored place of a chunk is that of another chunk. The chunk is set aside, and the other
/// chunks go on.
#[tokio::test]
async fn a_chunk_in_the_place_of_another_is_set_aside() {
    let world = World::new();
    let store = world.open().await;
    let ids = [Lane(2), Lane(5), Lane(7)].map(|lane| ids_in(store.lanes(), lane, 2));
    import(&store, &ids.concat()).await;
    let revision = store.add(&draft()).await.unwrap().name.revision;
    for misplaced in [1, 3] {
        world
            .execute(&format!("UPDATE campaign_chunk SET first = {misplaced} WHERE number = 1"))
            .await;
        let chunks = store.chunks(revision).await.unwrap();
        let found: Vec<u32> = chunks.found.iter().map(|chunk| chunk.number).collect();
        assert_eq!(found, [0, 2]);
        let damaged = chunks.damaged.into_iter().map(|damage| damage.item);
        let expected = StoredItem::Outcomes(revision, 1);
        assert_eq!(damaged.collect::<Vec<_>>(), std::slice::from_ref(&expected));
        let findings = repair(&store, &terms()).await.unwrap();
        let findings = findings.into_iter().map(|finding| (finding.damage.item, finding.result));
        let left = (expected, Err(Unmendable::OfList(revision)));
        assert_eq!(findings.collect::<Vec<_>>(), [left]);
    }
}

/// Shops are mended in parts, so that the requests of their lane wait only for one part at a time.
#[tokio::test]
async fn many_shops_are_mended_part_by_part() {
    let world = World::new();
    let store = world.open().await;
    let lanes = [Lane(2), Lane(5)].map(|lane| ids_in(store.lanes(), lane, 130));
    let ids: Vec<ShopId> = lanes.concat();
    import(&store, &ids).await;
    store.add(&draft()).await.unwrap();
    world.execute("UPDATE shop_state SET causes = x'ff'").await;
    let before = receipts(&store, Lane(5)).await.len();
    let mut mixed: Vec<ShopId> = ids.iter().rev().cloned().collect();
    mixed.insert(7, "stranger".parse().unwrap());
    let repairs = store.mend_states(&mixed, &terms()).await.unwrap();
    assert_eq!(repairs.len(), mixed.len());
    for (place, repair) in repairs.into_iter().enumerate() {
        let is_mended = matches!(repair, Repair::Mended(Mended::State { causes: 0, .. }));
        assert_eq!(is_mended, place != 7, "{place}");
    }
    let receipts = receipts(&store, Lane(5)).await;
    let sizes: Vec<usize> = receipts[before..].to_vec();
    assert_eq!(sizes, [100, 30]);
    assert_eq!(store.find().await.unwrap(), []);
}

/// Returns how many shops each import of a lane wrote.
async fn receipts(store: &SeaOrmStore, lane: Lane) -> Vec<usize> {
    let mut sizes = Vec::new();
    let visit = &mut |receipt: ImportReceipt| sizes.push(receipt.entries.len());
    store.visit_import_receipts(lane, visit).await.unwrap();
    sizes
}
