//! One lane stands still among others, and the consumer reports it.

use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use catchment_bootstrap::SystemClock;
use catchment_domain::ports::{
    CampaignRepository, Claim, LogInspection as _, ShopLedger, ShopRepository, StoreError,
};
use catchment_domain::{Batch, CampaignState, Lane, Loaded, Position, RequestId, Revision, Scope};
use catchment_seaorm::{SeaOrmStore, StoreSettings};
use uuid::Uuid;

use crate::built::built;
use crate::process::Process;
use crate::program;
use crate::world::{World, lanes};

const SHOPS: u32 = 400;
/// How long a campaign may take before a test fails.
const PATIENCE: Duration = Duration::from_mins(1);
/// How soon services at work take what was accepted.
pub(crate) const SOON: Duration = Duration::from_mins(1);
/// The pause between two checks, which leaves the processors to the services.
const LOOK: Duration = Duration::from_millis(20);
/// The lane that stands still.
const LANE: Lane = Lane(2);

/// Starts a consumer that reports a lane that does not move for two seconds.
fn consumer(world: &World) -> Process {
    let mut command = world.command(program());
    command.env("CATCHMENT__PROBES__STALLED_AFTER", "2s");
    command.env("CATCHMENT__DATABASE__LOCK_TIMEOUT", "500ms");
    let mut consumer = Process::start(command);
    consumer.wait_until_ready();
    consumer
}

/// The built requester. Cargo does not build it with the tests of this crate.
pub(crate) static REQUESTER: LazyLock<PathBuf> =
    LazyLock::new(|| built(program().with_file_name("requester")));

/// The built command, with Kafka and `PostgreSQL`.
pub(crate) static COMMAND: LazyLock<PathBuf> =
    LazyLock::new(|| built(program().with_file_name("catchment")));

/// Starts a requester and a consumer, which need not become ready.
pub(crate) fn services(world: &World) -> [Process; 2] {
    [&**REQUESTER, program()].map(|program| Process::start(world.command(program)))
}

/// Starts services on imported shops, and waits until a first campaign is settled in every lane.
pub(crate) fn settled_services(world: &World, store: &SeaOrmStore) -> [Process; 2] {
    world.import(store, SHOPS);
    let mut running = services(world);
    running.iter_mut().for_each(Process::wait_until_ready);
    let whole = world.begin_campaign(store);
    world.wait_until_settled(store, whole);
    running
}

/// Ends services, and expects that each was still running. A service that waits for an answer need
/// not get one.
pub(crate) fn end(services: [Process; 2]) {
    for service in services {
        service.signal("TERM");
        let ended = service.ended();
        assert!(matches!(ended.status.code(), Some(0 | 75)), "{}", ended.stderr);
    }
}

/// Runs statements on the database as another program would.
pub(crate) fn execute(world: &World, sql: &str) {
    let settings = StoreSettings::new(lanes(), Arc::new(SystemClock));
    let url = world.database();
    let executed = SeaOrmStore::execute_as_another(&url, sql, &settings);
    world.runtime.block_on(executed).unwrap();
}

/// Claims the lane as another owner. Returns its first batch: no requests, up to this position.
fn another_owner(world: &World, store: &SeaOrmStore, up_to: Position) -> Batch {
    let log =
        world.runtime.block_on(world.cluster()).lookout(crate::world::lanes()).unwrap().identity();
    let claim = world.runtime.block_on(store.claim(LANE, log, None));
    let Claim { epoch, applied_next, replied_next, .. } = claim.unwrap();
    let batch = Batch::new((LANE, epoch), applied_next, replied_next, Vec::new());
    batch.up_to((up_to, RequestId(Uuid::now_v7())))
}

/// Applies a batch as another owner, up to this position. The consumer may claim the lane in
/// between.
fn apply_as_another(world: &World, store: &SeaOrmStore, up_to: Position) {
    let nothing = |_: &Batch, _: &mut Loaded| Vec::new();
    loop {
        let batch = another_owner(world, store, up_to);
        match world.runtime.block_on(store.apply(&batch, &nothing)) {
            Err(StoreError::Fenced) => {}
            applied => return drop(applied.unwrap()),
        }
    }
}

/// Waits until every shop of a campaign has an outcome, except those of the lane.
fn wait_until_others_are_done(world: &World, store: &SeaOrmStore, campaign: Revision) {
    let everything = Scope::everything();
    let page = ShopRepository::list(store, &everything, None, SHOPS as usize);
    let shops = world.runtime.block_on(page);
    let shops = shops.unwrap().found;
    let there = shops.iter().filter(|shop| lanes().lane_of(&shop.id) == LANE).count();
    let expected = CampaignState::Sending { open: u32::try_from(there).unwrap() };
    let until = Instant::now() + PATIENCE;
    loop {
        let found = world.runtime.block_on(CampaignRepository::get(store, campaign));
        let state = found.unwrap().unwrap().state;
        if state == expected {
            return;
        }
        assert!(Instant::now() < until, "{state:?} instead of {expected:?}");
        thread::park_timeout(LOOK);
    }
}

/// Opens a store whose transactions may be idle for long.
fn patient_store(world: &World) -> SeaOrmStore {
    let usual = StoreSettings::new(lanes(), Arc::new(SystemClock));
    let settings = StoreSettings { idle_in_transaction_session_timeout: PATIENCE, ..usual };
    world.runtime.block_on(SeaOrmStore::connect(&world.database(), &settings)).unwrap()
}

#[test]
#[ignore = "needs Kafka and PostgreSQL"]
fn a_lane_at_which_a_human_must_look_is_set_aside_and_the_others_go_on() {
    let world = World::new();
    let store = world.store();
    world.import(&store, SHOPS);
    let _requester = world.request(&store);
    let mut consumer = consumer(&world);
    // Another owner applies records that the topic does not have, as if the topic had once been
    // longer.
    apply_as_another(&world, &store, Position(5_000));
    let campaign = world.begin_campaign(&store);
    consumer.wait_until_it_says(
        "lanes: lane 2 is set aside, and a human must look: lane 2: its partition was made again, or",
    );
    wait_until_others_are_done(&world, &store, campaign);
    consumer.signal("TERM");
    let ended = consumer.ended();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    let lines: Vec<&str> = ended.stderr.lines().filter(|line| line.contains("ERROR")).collect();
    let [line] = lines.as_slice() else { panic!("{}", ended.stderr) };
    assert!(line.contains("a human must look at a lane") && line.contains("lane=2"), "{line}");
}

#[test]
#[ignore = "needs Kafka and PostgreSQL"]
fn a_partition_that_lost_its_end_stops_its_lane_alone_also_for_services_that_start() {
    let world = World::new();
    let store = world.store();
    let mut running = settled_services(&world, &store);
    apply_as_another(&world, &store, Position(5_000));
    let said = "lane 2: its partition was made again, or lost its end: it ends at ";
    let of_requester = format!("topics: a human must look: {said}");
    let of_consumer = format!("lanes: lane 2 is set aside, and a human must look: {said}");
    let mut campaigns = Vec::new();
    for _ in ["at work", "started"] {
        let campaign = world.begin_campaign(&store);
        let [requester, consumer] = &mut running;
        requester.wait_until_it_says(&of_requester);
        consumer.wait_until_it_says(&of_consumer);
        wait_until_others_are_done(&world, &store, campaign);
        end(std::mem::replace(&mut running, services(&world)));
        campaigns.push(campaign);
    }
    // The operator accepts the lane while both services are at work.
    let [requester, consumer] = &mut running;
    requester.wait_until_it_says(&of_requester);
    consumer.wait_until_it_says(&of_consumer);
    let (since, accepted) = (Instant::now(), world.say(&["lanes", "accept", "2"]));
    assert!(
        accepted.contains("lane 2: given up: what stood in the topic as it was before from 5,001")
    );
    for campaign in &campaigns {
        assert!(accepted.contains(&format!("campaign {campaign} (sending): ")), "{accepted}");
    }
    for campaign in campaigns {
        world.wait_until_settled(&store, campaign);
    }
    running.iter_mut().for_each(Process::wait_until_ready);
    assert!(since.elapsed() < SOON, "{:?}", since.elapsed());
    end(running);
}

#[test]
#[ignore = "needs Kafka and PostgreSQL"]
fn rows_of_lanes_that_cannot_be_read_stop_their_lanes_alone() {
    let world = World::new();
    let store = world.store();
    end(settled_services(&world, &store));
    execute(&world, "UPDATE lane_state SET last_id = 'nobody' WHERE lane = 2");
    execute(&world, "UPDATE reply_lane SET position = -1 WHERE lane = 0");
    let campaign = world.begin_campaign(&store);
    let [mut requester, mut consumer] = services(&world);
    let of_requests =
        "a human must look: lane 2: its row in the database cannot be read (lane_state";
    let of_replies =
        "a human must look: reply lane 0: its row in the database cannot be read (reply";
    requester.wait_until_it_says(&format!("topics: {of_requests}"));
    requester.wait_until_it_says(of_replies);
    requester
        .wait_until_it_says(&format!("campaigns: reply lane 0 is set aside, and {of_replies}"));
    consumer.wait_until_it_says(&format!("lanes: lane 2 is set aside, and {of_requests}"));
    wait_until_others_are_done(&world, &store, campaign);
    // Rows are made anew, too.
    let accepted = world.say(&["lanes", "accept", "--all"]);
    assert!(accepted.contains("reply lane 0 goes on from "), "{accepted}");
    end([requester, consumer]);
    let mut again = services(&world);
    world.wait_until_settled(&store, campaign);
    again.iter_mut().for_each(Process::wait_until_ready);
    end(again);
}

#[test]
#[ignore = "needs Kafka and PostgreSQL"]
fn rows_that_somebody_else_keeps_locked_are_named_and_hold_up_their_lane_alone() {
    let world = World::new();
    let store = world.store();
    world.import(&store, SHOPS);
    let _requester = world.request(&store);
    let mut consumer = consumer(&world);
    let first = world.begin_campaign(&store);
    world.wait_until_settled(&store, first);
    let (locked, is_locked) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    let other = patient_store(&world);
    let batch = another_owner(&world, &other, Position(5_000));
    let locking = world.runtime.spawn(async move {
        let hold = move |_: &Batch, _: &mut Loaded| {
            locked.send(()).unwrap();
            // The transaction waits until the test is done with it, and is then rolled back.
            let _ = tokio::task::block_in_place(|| released.lock().unwrap().recv());
            panic!("it is over");
        };
        other.apply(&batch, &hold).await
    });
    is_locked.recv().unwrap();
    let campaign = world.begin_campaign(&store);
    consumer.wait_until_it_says(
        "lanes: lane 2 does not move: another session keeps rows locked for longer than",
    );
    wait_until_others_are_done(&world, &store, campaign);
    drop(release);
    assert!(world.runtime.block_on(locking).is_err(), "it broke off");
    consumer.wait_until_ready();
    world.wait_until_settled(&store, campaign);
}
