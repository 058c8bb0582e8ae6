//! A backup of the database is put back while Kafka kept everything. Nobody tells the services.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::app::{Ran, program};
use crate::built::built;
use crate::world::World;

/// How long anything may take before a test fails.
const PATIENCE: Duration = Duration::from_mins(2);

/// So many that a campaign lasts for longer than the consumers may be late in committing.
const SHOPS: u64 = 20_000;

/// What is said of a database that was restored.
const OLDER: &str = "the database is older than what was done with it: of lane ";
/// What helps.
const TO_DO: &str = "run `catchment database restored`";

static PROGRAMS: LazyLock<[PathBuf; 2]> =
    LazyLock::new(|| ["requester", "consumer"].map(|name| built(program().with_file_name(name))));

/// The services at work. Dropped, they are killed.
struct Services(Vec<Child>);

impl Services {
    fn start(world: &World) -> Self {
        let start = |program: &PathBuf| {
            let mut command = Command::new(program);
            command.env_clear().envs(world.variables());
            command.env("CATCHMENT__PROBES__ADDRESS", "none").env("CATCHMENT__ENGINE__LEASE", "2s");
            // Small batches make a campaign last.
            command.env("CATCHMENT__ENGINE__BATCH", "100");
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
            command.spawn().unwrap()
        };
        Self(PROGRAMS.iter().map(start).collect())
    }

    /// Tells them to stop, and waits until they have.
    fn stop(mut self) {
        for child in &self.0 {
            let id = child.id().to_string();
            assert!(Command::new("kill").args(["-s", "TERM", &id]).status().unwrap().success());
        }
        for child in self.0.drain(..) {
            let ran = Ran::from(child.wait_with_output().unwrap());
            assert_eq!(ran.code, Some(0), "{ran:?}");
        }
    }

    /// Waits until each has noticed by itself, and ended.
    fn notice(mut self) {
        for mut child in self.0.drain(..) {
            let until = Instant::now() + PATIENCE;
            while child.try_wait().unwrap().is_none() && Instant::now() < until {
                thread::sleep(Duration::from_millis(50));
            }
            let _ = child.kill();
            let ran = Ran::from(child.wait_with_output().unwrap());
            assert_eq!(ran.code, Some(78), "{ran:?}");
            let last = ran.stderr.lines().last().unwrap_or_default();
            assert!(last.contains(OLDER) && last.contains(TO_DO), "{ran:?}");
        }
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        for child in &mut self.0 {
            // One that has ended already cannot be killed.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn world() -> World {
    LazyLock::force(&PROGRAMS);
    let world = World::empty();
    world.run(&["database", "migrate"]).done();
    world.run(&["topics", "create", "--reply-partitions", "2"]).done();
    world.import(SHOPS);
    world
}

/// Stores a campaign over all shops, and goes.
fn begin(world: &World, timeout: &str) -> String {
    let arguments = ["campaign", "start", "--kind", "rider_shortage", "--all", "--yes"];
    let mut command = world.command(&arguments);
    command.args(["--timeout", timeout]).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    // It only watches: the services go on.
    child.kill().unwrap();
    child.wait().unwrap();
    line.split([' ', ':']).nth(1).unwrap().to_owned()
}

fn show(world: &World, campaign: &str) -> Value {
    world.ask(&["campaign", "show", campaign])
}

/// Waits until no more than so many shops of a campaign are open.
fn wait_until_open(world: &World, campaign: &str, open: u64) -> u64 {
    let until = Instant::now() + PATIENCE;
    loop {
        let shown = show(world, campaign);
        let now = shown["open"].as_u64().unwrap();
        if now <= open {
            return now;
        }
        assert!(Instant::now() < until, "{shown}");
    }
}

/// How many shops deliver no further than the campaign wants.
fn narrowed(world: &World) -> u64 {
    let listed = world.run(&["--json", "shops", "list", "--limit", "1000000"]);
    let narrowed = listed.done().lines().filter(|line| line.contains("\"radius\":3000,"));
    u64::try_from(narrowed.count()).unwrap()
}

fn check_audit(world: &World) {
    let audited = world.ask(&["audit"]);
    assert_eq!(audited["wrong"], 0, "{audited}");
}

/// Every check says what the services say.
fn check_checks(world: &World) {
    for command in [&["database", "check"][..], &["topics", "check"], &["topics", "resume", "0"]] {
        let ran = world.run(command);
        assert_eq!((ran.code, ran.stderr.lines().count()), (Some(1), 1), "{ran:?}");
        assert!(ran.stderr.contains(OLDER) && ran.stderr.contains(TO_DO), "{ran:?}");
    }
}

/// Makes the database true again, once those that were at work before are gone.
fn mend(world: &World) -> Value {
    let until = Instant::now() + PATIENCE;
    loop {
        let ran = world.run(&["--json", "database", "restored"]);
        if ran.code == Some(0) {
            return ran.value();
        }
        assert!(ran.stderr.contains("stop all "), "{ran:?}");
        assert!(Instant::now() < until, "{ran:?}");
        thread::sleep(Duration::from_millis(200));
    }
}

/// A campaign that the backup knows ends with the outcome that every shop really has.
fn check_it_finishes(world: &World, campaign: &str) {
    wait_until_open(world, campaign, 0);
    let shown = show(world, campaign);
    assert_eq!(shown["outcomes"], json!({ "applied": SHOPS }), "{shown}");
    assert_eq!(narrowed(world), SHOPS);
    check_audit(world);
}

#[test]
#[ignore = "needs Kafka and PostgreSQL"]
fn a_backup_from_before_a_campaign() {
    let world = world();
    let services = Services::start(&world);
    let first = begin(&world, "10m");
    wait_until_open(&world, &first, 0);
    world.ask(&["campaign", "end", &first]);
    world.back_up();
    let lost = begin(&world, "10m");
    wait_until_open(&world, &lost, 0);
    assert_eq!(narrowed(&world), SHOPS);
    services.stop();
    world.put_back();
    check_audit(&world);
    Services::start(&world).notice();
    check_audit(&world);
    check_checks(&world);

    let mended = mend(&world);
    assert_eq!(mended["revision"]["now"].to_string(), lost, "{mended}");
    assert!(SHOPS <= mended["requests"].as_u64().unwrap(), "{mended}");
    let _services = Services::start(&world);
    assert_eq!(world.run(&["campaign", "show", &lost]).code, Some(1), "it is gone");
    let next = begin(&world, "10m");
    assert_ne!(next, lost, "revisions are given once");
    check_it_finishes(&world, &next);
    world.ask(&["campaign", "end", &next]);
    assert_eq!(narrowed(&world), 0, "nothing of the lost campaign is in force");
    check_audit(&world);
}

#[test]
#[ignore = "needs Kafka and PostgreSQL"]
fn a_backup_is_put_back_in_the_middle_of_a_campaign_under_running_services() {
    let world = world();
    let services = Services::start(&world);
    let campaign = begin(&world, "10m");
    wait_until_open(&world, &campaign, SHOPS / 5 * 4);
    world.back_up();
    let open = wait_until_open(&world, &campaign, SHOPS / 2);
    assert_ne!(open, 0, "it is in its middle");
    world.put_back();
    services.notice();
    check_audit(&world);
    check_checks(&world);
    let mended = mend(&world);
    assert_eq!(mended["campaigns"][0]["attempt"], 2, "{mended}");
    let _services = Services::start(&world);
    check_it_finishes(&world, &campaign);
}

#[test]
#[ignore = "needs Kafka and PostgreSQL"]
fn a_backup_from_the_middle_is_put_back_after_the_deadline() {
    let world = world();
    let services = Services::start(&world);
    let campaign = begin(&world, "20s");
    let begun = Instant::now();
    wait_until_open(&world, &campaign, SHOPS / 5 * 4);
    world.back_up();
    wait_until_open(&world, &campaign, 0);
    services.stop();
    thread::sleep(Duration::from_secs(22).saturating_sub(begun.elapsed()));
    world.put_back();
    check_audit(&world);
    Services::start(&world).notice();
    check_audit(&world);
    check_checks(&world);
    let dry = world.ask(&["database", "restored", "--dry-run"]);
    let mended = mend(&world);
    assert_eq!(dry["campaigns"], mended["campaigns"], "{mended}");
    let again = &mended["campaigns"][0];
    assert_eq!((again["state"].as_str(), &again["attempt"]), (Some("sending"), &json!(2)));
    let _services = Services::start(&world);
    check_it_finishes(&world, &campaign);
}

#[test]
#[ignore = "needs Kafka and PostgreSQL"]
fn an_honest_database_may_be_told_that_it_was_restored() {
    let world = world();
    let services = Services::start(&world);
    let campaign = begin(&world, "10m");
    wait_until_open(&world, &campaign, SHOPS / 2);
    let refused = world.run(&["database", "restored"]);
    assert!(refused.stderr.contains("a consumer is at work"), "{refused:?}");
    services.stop();
    world.run(&["database", "check"]).done();
    mend(&world);
    let _services = Services::start(&world);
    check_it_finishes(&world, &campaign);
}
