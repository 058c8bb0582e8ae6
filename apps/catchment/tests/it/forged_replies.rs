//! A reply that a stranger writes to the reply topic while the true reply is under way.

use std::time::Duration;

use catchment_bootstrap::SystemClock;
use catchment_domain::ports::{CampaignRepository as _, Clock as _};
use catchment_domain::{
    CampaignId, Deadline, DecidedBy, Draft, Nonce, Outcome, Phase, Radius, Reply, Revision, Scope,
    ShopId, Standing, Status, Ticket,
};
use catchment_seaorm::SeaOrmStore;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::app::HEADER;
use crate::cluster::{consumer, requester, wait_for};
use crate::world::World;

fn metres(metres: u32) -> Radius {
    Radius::try_from(metres).unwrap()
}

/// Stores a campaign over one shop. Its requests expire soon.
fn add(world: &World, shop: &ShopId) -> Revision {
    let draft = Draft {
        kind: "rider_shortage".parse().unwrap(),
        limit: "3km".parse().unwrap(),
        scope: Scope { ids: Some([shop.clone()].into()), ..Scope::everything() },
        reason: String::new(),
        timeout: Duration::from_secs(1),
        until: None,
        replaces: None,
        id: CampaignId(Uuid::now_v7()),
        nonce: Nonce::from_random(7),
    };
    let added = world.with_store(async |store: &SeaOrmStore| store.add(&draft).await);
    added.unwrap().name.revision
}

/// Answers the request to the first shop of a campaign after it was sent. Returns the campaign's
/// deadline.
fn forge_reply(world: &World, campaign: Revision, shop: &ShopId) -> Deadline {
    wait_for("a request", || (0 < world.requests()).then_some(()));
    let get = async |store: &SeaOrmStore| store.get(campaign).await;
    let campaign = world.with_store(get).unwrap().unwrap();
    let (revision, phase, nonce) = (campaign.name.revision, Phase::Activation, campaign.nonce);
    let id = Ticket { revision, phase, attempt: campaign.attempt, index: 0, nonce }.id();
    let decided_by = DecidedBy::Campaign { revision, kind: campaign.kind };
    let (before, after) = (Some(metres(5_000)), metres(3_000));
    let standing = Some(Standing { before, after, decided_by, version: 2 });
    let (status, code, detail) = (Status::Applied, None, None);
    let outcome = Outcome { status, code, detail, standing, repeat: false };
    let reply = Reply { id, shop: Some(shop.clone()), outcome, request_position: None };
    world.forge_reply(campaign.reply_lane.unwrap(), reply);
    campaign.deadline
}

#[test]
#[ignore = "needs Kafka and PostgreSQL"]
fn a_forged_reply_is_found_by_an_audit_and_hinders_nobody() {
    let world = World::with_shops();
    let mut requester = requester(&world);
    let shop: ShopId = "a".parse().unwrap();
    let campaign = add(&world, &shop);
    let deadline = forge_reply(&world, campaign, &shop);
    let number = campaign.to_string();
    let outcomes = || world.ask(&["campaign", "show", &number])["outcomes"].clone();
    wait_for("the forged outcome", || (outcomes() == json!({ "applied": 1 })).then_some(()));
    // The true reply says that the request was too late.
    wait_for("the deadline", || deadline.is_passed(SystemClock.now()).then_some(()));
    let mut consumer = consumer(&world);
    let audit = wait_for("the true outcome", || {
        let told = world.run(&["audit"]);
        told.stdout.ends_with(" 1 wrong\n").then_some(told)
    });
    let line = format!(
        "campaign {number}, shop a: the activation counts as applied, but no receipt says that it \
         took effect; `catchment shops show a` shows what is in force there\n"
    );
    assert!(audit.code == Some(1) && audit.stdout.starts_with(&line), "{audit:?}");

    // An import and another campaign have their full effect on the shop.
    let radius = |world: &World| -> Value { world.ask(&["shops", "show", "a"])["radius"].clone() };
    world.file("new.csv", format!("{HEADER},base_radius\na,Acorn,cafe,Hackney,51.5,-0.1,6km\n"));
    world.run(&["shops", "import", "new.csv"]).done();
    assert_eq!(radius(&world), 6_000);
    world.file("one.txt", "a\n");
    let start = ["campaign", "start", "--kind", "bad_weather", "--limit", "1km", "--yes"];
    world.run(&[&start[..], &["--ids", "one.txt"]].concat()).done();
    assert_eq!(radius(&world), 1_000);
    let list = async |store: &SeaOrmStore| store.list(None, 99).await.unwrap().found;
    let newest = world.with_store(list).pop().unwrap().name.revision.to_string();
    world.run(&["campaign", "end", &newest]).done();
    assert_eq!(radius(&world), 6_000);
    for service in [&mut requester, &mut consumer] {
        drop(service.stdin.take());
        assert!(service.wait().unwrap().success());
    }
}
