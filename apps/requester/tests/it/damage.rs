//! Damages a chunk, a campaign and shops, and checks what becomes of everything else.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use catchment_bootstrap::SystemClock;
use catchment_domain::ports::{CampaignLedger, CampaignRepository, ShopRepository};
use catchment_domain::service::repair;
use catchment_domain::{
    CampaignState, Command, Policy, Radius, Rank, RepairTerms, Revision, Scope, Shop, Status,
    TriggerRule,
};
use catchment_seaorm::{SeaOrmStore, StoreSettings};

use crate::process::Process;
use crate::program;
use crate::world::{World, lanes};

const SHOPS: u32 = 400;
/// How long anything may take before a test fails.
const PATIENCE: Duration = Duration::from_mins(1);
/// The pause between two checks, which leaves the processors to the services.
const LOOK: Duration = Duration::from_millis(20);

fn terms() -> RepairTerms {
    let rule = TriggerRule { rank: Rank(10), default_limit: None };
    let triggers = [("rider_shortage".parse().unwrap(), rule)].into();
    let policy = Policy { floor: Radius::CLOSED, triggers };
    RepairTerms { policy, default_base: Radius::try_from(5_000_u32).unwrap(), dry_run: false }
}

impl World {
    /// Runs statements on the database as another program would.
    fn execute(&self, sql: &str) {
        let settings = StoreSettings::new(lanes(), Arc::new(SystemClock));
        let url = self.database();
        let executed = SeaOrmStore::execute_as_another(&url, sql, &settings);
        self.runtime.block_on(executed).unwrap();
    }
}

/// Mends everything, and returns how many items were mended and how many are left.
fn mend(world: &World, store: &SeaOrmStore) -> (usize, usize) {
    let findings = world.runtime.block_on(repair(store, &terms())).unwrap();
    let mended = findings.iter().filter(|finding| finding.result.is_ok()).count();
    (mended, findings.len() - mended)
}

fn state(world: &World, store: &SeaOrmStore, campaign: Revision) -> CampaignState {
    let found = world.runtime.block_on(CampaignRepository::get(store, campaign));
    found.unwrap().unwrap().state
}

fn wait_until(world: &World, store: &SeaOrmStore, campaign: Revision, expected: CampaignState) {
    let until = Instant::now() + PATIENCE;
    loop {
        let state = state(world, store, campaign);
        if state == expected {
            return;
        }
        assert!(Instant::now() < until, "{state:?} instead of {expected:?}");
        thread::park_timeout(LOOK);
    }
}

#[test]
#[ignore = "needs Kafka and PostgreSQL"]
fn a_corrupt_chunk_stops_itself_alone_and_goes_on_once_it_is_mended() {
    let world = World::new();
    let store = world.store();
    world.import(&store, SHOPS);
    let _consumer = world.consume(&store);
    let corrupt = world.begin_campaign(&store);
    world.execute(&format!(
        "UPDATE campaign_chunk SET activations = '\\xff' WHERE revision = {corrupt} AND number = 1"
    ));
    let chunks = world.runtime.block_on(store.chunks(corrupt)).unwrap().found;
    let open = chunks.iter().find(|chunk| chunk.number == 1).unwrap().shops;
    let mut requester = Process::start(world.command(program()));
    let whole = world.begin_campaign(&store);
    world.wait_until_settled(&store, whole);
    wait_until(&world, &store, corrupt, CampaignState::Sending { open });
    requester.wait_until_it_says(&format!(
        "campaigns: left out: campaign_chunk.activations of campaign {corrupt}, chunk 1: "
    ));
    assert_eq!(mend(&world, &store), (1, 0));
    world.wait_until_settled(&store, corrupt);
    requester.wait_until_ready();
    assert_eq!(mend(&world, &store), (0, 0));
    requester.signal("TERM");
    let ended = requester.ended();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    let lines: Vec<&str> = ended.stderr.lines().filter(|line| line.contains("ERROR")).collect();
    let [line] = lines.as_slice() else { panic!("{}", ended.stderr) };
    assert!(line.contains("catchment repair") && line.contains("chunk 1"), "{line}");
}

#[test]
#[ignore = "needs Kafka and PostgreSQL"]
fn a_corrupt_campaign_stops_itself_alone_and_goes_on_once_it_can_be_read() {
    let world = World::new();
    let store = world.store();
    world.import(&store, SHOPS);
    let _consumer = world.consume(&store);
    let corrupt = world.begin_campaign(&store);
    let limit =
        |limit| format!("UPDATE campaign SET limited_to = '{limit}' WHERE revision = {corrupt}");
    world.execute(&limit("nowhere"));
    let mut requester = Process::start(world.command(program()));
    let whole = world.begin_campaign(&store);
    world.wait_until_settled(&store, whole);
    requester.wait_until_it_says(&format!(
        "campaigns: left out: campaign.limited_to of revision {corrupt}: `nowhere`"
    ));
    assert_eq!(mend(&world, &store), (0, 1));
    world.execute(&limit("3000m"));
    world.wait_until_settled(&store, corrupt);
    requester.wait_until_ready();
}

#[test]
#[ignore = "needs Kafka and PostgreSQL"]
fn shops_of_which_a_half_is_lost_are_rejected_alone_and_asked_again_once_they_are_whole() {
    let world = World::new();
    let store = world.store();
    world.import(&store, SHOPS);
    let _consumer = world.consume(&store);
    let mut requester = Process::start(world.command(program()));
    let before = world.begin_campaign(&store);
    world.wait_until_settled(&store, before);
    world.execute("DELETE FROM shop_state WHERE id = 's-7'; DELETE FROM shop WHERE id = 's-8'");
    world.execute("UPDATE shop_state SET causes = '\\xff' WHERE id = 's-9'");
    let during = world.begin_campaign(&store);
    wait_until(&world, &store, during, CampaignState::Settled);
    let tallies = world.runtime.block_on(store.tallies(during)).unwrap().found;
    // The lost part of `s-8` keeps it from the list.
    assert_eq!(tallies.activation.of(Status::Rejected), 2);
    assert_eq!(tallies.activation.answered(), SHOPS - 1);
    assert_eq!(mend(&world, &store), (2, 1));
    world.import(&store, SHOPS);
    assert_eq!(mend(&world, &store), (0, 0));
    let retry = Command::Retry;
    world.runtime.block_on(store.command(during, retry)).unwrap();
    wait_until(&world, &store, during, CampaignState::Settled);
    let tallies = world.runtime.block_on(store.tallies(during)).unwrap().found;
    assert_eq!(tallies.activation.of(Status::Rejected), 0);
    for campaign in [during, before] {
        let end = Command::End;
        world.runtime.block_on(store.command(campaign, end)).unwrap();
        wait_until(&world, &store, campaign, CampaignState::Ended);
    }
    let everything = Scope::everything();
    let shops = ShopRepository::list(&store, &everything, None, 500);
    let shops = world.runtime.block_on(shops).unwrap();
    assert_eq!((shops.found.len(), shops.damaged), (SHOPS as usize, Vec::new()));
    let wide = |shop: &Shop| shop.state.radius == shop.state.base.radius;
    assert!(shops.found.iter().all(wide));
    requester.wait_until_ready();
}
