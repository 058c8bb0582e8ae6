//! Mending a `SQLite` file, where a column takes values of any type.

use std::time::Duration;

use catchment_domain::ports::{CampaignRepository, Repairs, ShopLedger, ShopRepository};
use catchment_domain::service::repair;
use catchment_domain::{
    CampaignId, Draft, ImportNumber, Lane, Mended, Nonce, Policy, Radius, Rank, Repair,
    RepairTerms, Scope, ShopId, StoredItem, TriggerRule, Unmendable,
};
use catchment_seaorm::SeaOrmStore;
use uuid::Uuid;

use crate::scene::{LOG, batch, decide, ids_in, import};
use crate::world::World;

fn terms() -> RepairTerms {
    let rule = TriggerRule { rank: Rank(1), default_limit: None };
    let triggers = [("rider_shortage".parse().unwrap(), rule)].into();
    let policy = Policy { floor: Radius::CLOSED, triggers };
    let default_base = Radius::try_from(5_000_u32).unwrap();
    RepairTerms { policy, default_base, dry_run: false }
}

fn draft() -> Draft {
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

/// Each table that a repair reads has a value of a wrong type. The repair mends the rest.
#[tokio::test]
async fn a_value_of_another_type_stops_no_repair() {
    let world = World::new();
    let store = world.open().await;
    let ids = ids_in(store.lanes(), Lane(0), 3);
    import(&store, &ids).await;
    let revision = store.add(&draft()).await.unwrap().name.revision;
    let claim = store.claim(Lane(0), LOG).await.unwrap();
    store.apply(&batch(&claim, &ids[2..]), &decide(store.lanes())).await.unwrap();
    let (one, orphan) = (&ids[0], &ids[1]);
    for statement in [
        format!("UPDATE shop_state SET version = 'x' WHERE id = '{one}'"),
        format!("UPDATE shop_state SET radius = 'x' WHERE id = '{orphan}'"),
        format!("DELETE FROM shop WHERE id = '{orphan}'"),
        "UPDATE campaign_chunk SET open = 'x', first = 'x'".to_owned(),
        "UPDATE receipt SET to_position = 'x'".to_owned(),
        "UPDATE lane_state SET expired_up_to = 'x'".to_owned(),
        // A number that is none belongs to no campaign.
        "INSERT INTO campaign_list VALUES ('x', 0, 'a')".to_owned(),
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

/// A lane is taken for some shops at a time, so that its requests wait for as many at most.
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

/// How many shops each import of a lane wrote.
async fn receipts(store: &SeaOrmStore, lane: Lane) -> Vec<usize> {
    let receipts = store.import_receipts(lane, ImportNumber(0), 99).await.unwrap();
    receipts.iter().map(|receipt| receipt.entries.len()).collect()
}
