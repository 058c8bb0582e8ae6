//! Rows that another program damaged in a `SQLite` file.

use std::time::Duration;

use catchment_domain::ports::{self, Acceptances, ShopLedger, ShopRepository, StoreError};
use catchment_domain::service::{AuditPorts, Unwanted, audit, delete_campaigns};
use catchment_domain::{
    BeforeMove, Behind, CampaignId, Damage, Draft, Epoch, Lane, LaneBeforeMove, LaneRemains, Lanes,
    MAX_SHOPS, MoveTerms, Position, RestoreTerms, Revision, Scope, ShopCursor, ShopFingerprint,
    SinceBackup, StoredItem, StoredLane,
};
use uuid::Uuid;

use crate::scene::{LOG, batch, decide, draft, ids_in, import, row, terms, together};
use crate::world::World;

#[tokio::test]
async fn a_value_out_of_range_is_damage_of_its_shop_alone() {
    let world = World::new();
    let store = world.open().await;
    let ids = ids_in(store.lanes(), Lane(0), 5);
    import(&store, &ids).await;
    let name = |place: usize| ids[place].to_string();
    for (place, set) in [(0, "radius = 5000000000"), (3, "version = -1")] {
        let id = name(place);
        world.execute(&format!("UPDATE shop_state SET {set} WHERE id = '{id}'")).await;
    }
    let last = name(4);
    world.execute(&format!("UPDATE shop SET latitude = 200 WHERE id = '{last}'")).await;
    let (state, profile) = (StoredItem::State, StoredItem::Profile);
    let expected =
        [(state(name(0)), "radius"), (state(name(3)), "version"), (profile(last), "latitude")];
    for limit in [1, 2, 100] {
        let (mut seen, mut damaged, mut after) = (Vec::new(), Vec::new(), None);
        loop {
            let page = store.list(&Scope::everything(), after.as_ref(), limit).await.unwrap();
            let is_last = page.found.len() < limit;
            after = page.found.last().map(|last| ShopCursor::behind(&last.id, store.lanes()));
            seen.extend(page.found.into_iter().map(|shop| shop.id));
            damaged.extend(page.damaged);
            if is_last {
                break;
            }
        }
        assert_eq!(seen, [ids[1].clone(), ids[2].clone()], "pages of {limit}");
        for (Damage { item, what }, (expected, column)) in damaged.iter().zip(&expected) {
            assert_eq!(item, expected);
            assert!(what.contains(column), "{what}");
        }
        assert_eq!(damaged.len(), expected.len(), "{damaged:?}");
    }
    for place in [0, 3, 4] {
        let got = store.get(&ids[place]).await;
        assert!(matches!(got, Err(StoreError::BadData { .. })), "{got:?}");
    }
}

/// A move would put the shop's own row there, too.
#[tokio::test]
async fn a_row_in_the_lane_of_other_shops_is_named_and_holds_back_a_move() {
    let world = World::new();
    let store = world.open().await;
    let ids = ids_in(store.lanes(), Lane(0), 2);
    import(&store, &ids).await;
    let columns = "name, category, region, latitude, longitude FROM shop";
    let copied = &ids[0];
    world.execute(&format!("INSERT INTO shop SELECT 1, id, {columns} WHERE id = '{copied}'")).await;
    let page = store.list(&Scope::everything(), None, 9).await.unwrap();
    let what = format!(
        "shop `{copied}`: a row stands in lane 1, and the shop belongs to lane 0: delete that row"
    );
    let damage = Damage { item: StoredItem::Profile(copied.to_string()), what: what.clone() };
    assert_eq!((page.found.len(), page.damaged), (2, vec![damage]));

    let request =
        |(lane, stored)| LaneBeforeMove { lane, stored, mismatch: None, behind: Behind::Nothing };
    let requests = store.request_lanes().await.unwrap().into_iter().map(request).collect();
    let before = BeforeMove { requests, ..BeforeMove::default() };
    let terms = MoveTerms::new(Lanes(11.try_into().unwrap()), before, false);
    let refused = ports::Moves::move_away(&store, &terms).await.unwrap_err();
    assert!(refused.to_string().starts_with(&what), "{refused}");
    world.execute("DELETE FROM shop WHERE lane = 1").await;
    // An invalid id of a shop and an invalid name of a log do not hold the move back.
    let id = "'zzzz' || char(10) || 'a'";
    world.execute(&format!("INSERT INTO shop SELECT 0, {id}, {columns} LIMIT 1")).await;
    world.execute("INSERT INTO left_log VALUES ('nobody')").await;
    assert_eq!(ports::Moves::move_away(&store, &terms).await.unwrap().shops, 2);
}

/// Otherwise the shop would be asked twice, and the answers in the wrong lane would never count.
#[tokio::test]
async fn a_row_in_the_lane_of_other_shops_is_no_shop_of_a_campaign() {
    let world = World::new();
    let store = world.open().await;
    let ids = ids_in(store.lanes(), Lane(0), 2);
    import(&store, &ids).await;
    let columns = "id, name, category, region, latitude, longitude FROM shop";
    let id = &ids[0];
    let copied = format!("INSERT INTO shop SELECT 1, {columns} WHERE (lane, id) = (0, '{id}')");
    world.execute(&copied).await;
    let region = Scope { regions: ["Camden".to_owned()].into(), ..Scope::everything() };
    assert_eq!(store.count(&region).await.unwrap(), 2);
    for (number, scope) in [(1, Scope::everything()), (2, region)] {
        let draft = Draft { id: CampaignId(Uuid::from_u128(number)), scope, ..draft() };
        let campaign = ports::CampaignRepository::add(&store, &draft).await.unwrap();
        assert_eq!(campaign.shops, 2);
        let chunks = ports::CampaignLedger::chunks(&store, campaign.name.revision).await.unwrap();
        let lanes = chunks.found.iter().map(|chunk| chunk.lane);
        assert!(lanes.eq([Lane(0)]), "{:?}", chunks.found);
    }
}

/// An audit, which counts places in lists, allocates nothing by a stored number. It names the
/// damaged campaign, also if only this campaign is audited.
#[tokio::test]
async fn a_campaign_of_too_many_shops_cannot_be_read() {
    let world = World::new();
    let store = world.open().await;
    import(&store, &ids_in(store.lanes(), Lane(0), 2)).await;
    let campaign = ports::CampaignRepository::add(&store, &draft()).await.unwrap();
    let revision = campaign.name.revision;
    let ports = AuditPorts { shops: &store, campaigns: &store, ledger: &store };
    for shops in [i64::from(MAX_SHOPS) + 1, 4_000_000_000] {
        world.execute(&format!("UPDATE campaign SET shops = {shops}")).await;
        for wanted in [&[][..], &[revision]] {
            let audit = audit(ports, wanted).await.unwrap();
            let [Damage { item, what }] = &Vec::from_iter(audit.damaged)[..] else { panic!() };
            assert_eq!((audit.campaigns, item), (0, &StoredItem::Campaign(revision)));
            assert!(what.contains("campaign.shops") && what.contains("out of range"), "{what}");
        }
    }
    let unknown = audit(ports, &[Revision(99)]).await;
    assert!(matches!(unknown, Err(ports::CommandError::Campaign(_))), "{unknown:?}");
}

/// The import reports the lane once, and does not report its rows as damaged.
#[tokio::test]
async fn an_import_into_a_lane_that_was_lost_is_refused_with_its_name() {
    let world = World::new();
    let store = world.open().await;
    world.execute("DELETE FROM lane_state WHERE lane = 0").await;
    let ids = ids_in(store.lanes(), Lane(0), 5);
    let batch = together(&store, ids.iter().map(row).collect());
    let refused = store.import(&batch, terms(&store).await).await.unwrap_err();
    let StoreError::Refused { what } = refused else { panic!("{refused:?}") };
    assert!(what.contains("lane 0") && what.contains("backup"), "{what}");
    // The other lanes go on.
    import(&store, &ids_in(store.lanes(), Lane(1), 5)).await;
    assert_eq!(store.count(&Scope::everything()).await.unwrap(), 5);
}

/// A receipt that cannot be read is named, and an audit sees all others.
#[tokio::test]
async fn a_receipt_that_cannot_be_read_hides_no_other() {
    let world = World::new();
    let store = world.open().await;
    let ids = ids_in(store.lanes(), Lane(0), 2);
    import(&store, &ids).await;
    for _ in 0..3 {
        let claim = store.claim(Lane(0), LOG, None).await.unwrap();
        store.apply(&batch(&claim, &ids), &decide(store.lanes())).await.unwrap();
    }
    world.execute("UPDATE receipt SET entries = x'01' WHERE from_position = 2").await;
    let mut seen = Vec::new();
    let damaged =
        store.visit_receipts(&mut |lane, receipt| seen.push((lane, receipt))).await.unwrap();
    let [Damage { item, what }] = &damaged[..] else { panic!("{damaged:?}") };
    assert_eq!(*item, StoredItem::Receipt(Lane(0), Position(2)));
    assert!(what.contains("receipt.entries of lane 0, epoch 2, from 2"), "{what}");
    let begins = seen.iter().map(|(lane, receipt)| (*lane, receipt.from));
    assert!(begins.eq([0, 4].map(|from| (Lane(0), Position(from)))));
    let shops = seen.iter().flat_map(|(_, receipt)| &receipt.entries).map(|entry| entry.shop);
    let expected: Vec<_> = ids.iter().map(|id| Some(ShopFingerprint::of(id))).collect();
    assert!(shops.eq([&expected[..], &expected[..]].concat()));
}

/// What the row of a lane holds that cannot come about by itself is said by everything in the same
/// way.
#[tokio::test]
async fn a_lane_row_that_no_claim_can_have_left_cannot_be_read() {
    let world = World::new();
    let store = world.open().await;
    let ids = ids_in(store.lanes(), Lane(0), 2);
    import(&store, &ids).await;
    let claim = store.claim(Lane(0), LOG, None).await.unwrap();
    store.apply(&batch(&claim, &ids), &decide(store.lanes())).await.unwrap();
    world.execute("CREATE TABLE kept AS SELECT * FROM lane_state").await;
    for (set, column) in [
        ("log_id = NULL", "lane_state.log_id"),
        ("log_id = NULL, log_lasting = FALSE", "lane_state.log_id"),
        ("log_id = NULL, applied_next = 0, replied_next = 0, last_id = NULL", "lane_state.log_id"),
        ("epoch = 9223372036854775807", "lane_state.epoch"),
        ("epoch = -1", "lane_state.epoch"),
    ] {
        world.execute(&format!("UPDATE lane_state SET {set} WHERE lane = 0")).await;
        let (_, stored) = store.request_lanes().await.unwrap().remove(0);
        let told = stored.mismatch().map(|mismatch| mismatch.to_string()).unwrap_or_default();
        assert!(told.contains(column), "{set}: {told}");
        let claim = store.claim(Lane(0), LOG, None).await;
        let Err(StoreError::Refused { what }) = claim else { panic!("{set}: {claim:?}") };
        assert!(what.contains(&told) && what.contains("`catchment lanes accept 0`"), "{what}");
        world.execute("DELETE FROM lane_state").await;
        world.execute("INSERT INTO lane_state SELECT * FROM kept").await;
    }
    // A lane that was never claimed has an epoch after its database was restored.
    world.execute("UPDATE lane_state SET epoch = 7 WHERE lane = 1").await;
    assert_eq!(store.claim(Lane(1), LOG, None).await.unwrap().epoch, Epoch(8));
}

/// The receipts of a lane without a row say where the lane goes on. Receipts with an epoch that no
/// owner can have are left out.
#[tokio::test]
async fn the_epoch_of_a_receipt_is_believed_only_if_an_owner_can_have_had_it() {
    let world = World::new();
    let store = world.open().await;
    let ids = ids_in(store.lanes(), Lane(0), 2);
    import(&store, &ids).await;
    for _ in 0..2 {
        let claim = store.claim(Lane(0), LOG, None).await.unwrap();
        store.apply(&batch(&claim, &ids), &decide(store.lanes())).await.unwrap();
    }
    world.execute("UPDATE receipt SET epoch = 9223372036854775807 WHERE epoch = 2").await;
    world.execute("DELETE FROM lane_state WHERE lane = 0").await;
    let (_, stored) = store.request_lanes().await.unwrap().remove(0);
    let remains = LaneRemains { epoch: Epoch(1), read: Some((LOG.id, Position(2))) };
    assert_eq!(stored, StoredLane::Lost { unreadable: None, remains });
}

/// A campaign whose number is negative or whose state does not exist is named by the commands that
/// pass over it.
#[tokio::test]
async fn a_campaign_of_no_number_or_no_state_is_named() {
    let world = World::new();
    let store = world.open().await;
    import(&store, &ids_in(store.lanes(), Lane(0), 2)).await;
    let other = Draft { id: CampaignId(Uuid::from_u128(1)), ..draft() };
    let [negative, stateless] = [
        ports::CampaignRepository::add(&store, &draft()).await.unwrap().name.revision,
        ports::CampaignRepository::add(&store, &other).await.unwrap().name.revision,
    ];
    for statement in [
        format!("UPDATE campaign SET state = 'wrong' WHERE revision = {stateless}"),
        format!(
            "UPDATE campaign SET state = 'ended', deadline = 0, revision = -revision \
             WHERE revision = {negative}"
        ),
    ] {
        world.execute(&statement).await;
    }
    let number = Revision((-negative.0.cast_signed()).cast_unsigned());
    let expected = [number, stateless].map(StoredItem::Campaign);
    let items = |damaged: Vec<Damage>| damaged.into_iter().map(|damage| damage.item);
    let long_ago = Unwanted::EndedFor(Duration::from_hours(1));
    let deletion = delete_campaigns(&store, long_ago, false).await.unwrap();
    assert_eq!(deletion.deleted, []);
    assert!(items(deletion.damaged).eq(expected.clone()), "{expected:?}");
    let terms = RestoreTerms {
        requests: (LOG, [].into()),
        replies: (LOG, [].into()),
        since_backup: SinceBackup::new(ports::Restores::known(&store).await.unwrap()),
        dry_run: false,
    };
    let restored = ports::Restores::restored(&store, &terms).await.unwrap();
    assert!(items(restored.campaigns.damaged).eq(expected), "{:?}", restored.campaigns.found);
}
