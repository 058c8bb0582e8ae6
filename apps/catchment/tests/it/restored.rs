//! A backup of the database is restored while Kafka keeps every record. Nobody tells the services.
//!
//! `scripts/trial restored` does the same with more shops, by `pg_dump` and `pg_restore`.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::thread;
use std::time::{Duration, Instant};

use catchment_domain::{Committed, Epoch, Lane, Position};
use serde_json::{Value, json};

use crate::app::{Ran, program};
use crate::built::built;
use crate::world::{LANES, World};

/// How long anything may take before a test fails.
const PATIENCE: Duration = Duration::from_mins(2);

/// How long to wait before looking again.
const LOOK: Duration = Duration::from_millis(50);

const SHOPS: u64 = 300;

/// What every check and service says of a restored database.
const OLDER: &str = "the database is older than the request log: ";
/// What helps.
const TO_DO: &str = "run `catchment database restored`";

static PROGRAMS: LazyLock<[PathBuf; 2]> =
    LazyLock::new(|| ["requester", "consumer"].map(|name| built(program().with_file_name(name))));

/// The services at work. Dropped, they are killed.
pub(crate) struct Services(Vec<Child>);

impl Services {
    pub(crate) fn start(world: &World) -> Self {
        let start = |program: &PathBuf| {
            let mut command = Command::new(program);
            command.env_clear().envs(world.variables());
            command.env("CATCHMENT__PROBES__ADDRESS", "none").env("CATCHMENT__ENGINE__LEASE", "2s");
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
            command.spawn().unwrap()
        };
        Self(PROGRAMS.iter().map(start).collect())
    }

    /// Tells each service to stop, and waits until it has ended.
    pub(crate) fn stop(mut self) {
        for mut child in self.0.drain(..) {
            let pid = child.id().to_string();
            assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
            assert!(child.wait().unwrap().success());
        }
    }

    /// Waits until each service has noticed by itself that the database is older, and has ended.
    fn check_they_notice(self) {
        self.check_they_end(&[OLDER, TO_DO]);
    }

    /// Waits until each service has ended by itself, with a line that has these words.
    pub(crate) fn check_they_end(mut self, words: &[&str]) {
        for mut child in self.0.drain(..) {
            let until = Instant::now() + PATIENCE;
            while child.try_wait().unwrap().is_none() && Instant::now() < until {
                thread::park_timeout(LOOK);
            }
            let _ = child.kill();
            let ran = Ran::from(child.wait_with_output().unwrap());
            assert_eq!(ran.code, Some(78), "{ran:?}");
            let last = ran.stderr.lines().last().unwrap_or_default();
            assert!(words.iter().all(|words| last.contains(words)), "{ran:?}");
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

/// Stores a campaign over all shops, and goes.
pub(crate) fn begin(world: &World, timeout: &str) -> Value {
    let arguments = ["campaign", "start", "--kind", "rider_shortage", "--all", "--yes"];
    let mut command = world.command(&arguments);
    command.args(["--timeout", timeout]).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    // It only watches: the services go on.
    child.kill().unwrap();
    child.wait().unwrap();
    let number: u64 = line.split([' ', ':']).nth(1).unwrap().parse().unwrap();
    json!(number)
}

pub(crate) fn show(world: &World, campaign: &Value) -> Value {
    world.ask(&["campaign", "show", &campaign.to_string()])
}

pub(crate) fn wait_until_settled(world: &World, campaign: &Value) -> Value {
    let until = Instant::now() + PATIENCE;
    loop {
        let shown = show(world, campaign);
        if shown["open"] == 0 {
            return shown;
        }
        assert!(Instant::now() < until, "{shown}");
    }
}

/// Checks that the outcomes are those that the shops really have.
pub(crate) fn check_audit(world: &World) {
    let audited = world.ask(&["audit"]);
    assert_eq!(audited["wrong"], 0, "{audited}");
}

/// Checks that a command says what the services say.
fn check_it_says_older(world: &World, command: &[&str]) {
    let ran = world.run(command);
    assert_eq!((ran.code, ran.stderr.lines().count()), (Some(1), 1), "{ran:?}");
    assert!(ran.stderr.contains(OLDER) && ran.stderr.contains(TO_DO), "{ran:?}");
}

/// Runs `database restored`, once the services of before are gone.
fn mend(world: &World) -> Value {
    run_restored(world).value()
}

fn run_restored(world: &World) -> Ran {
    let until = Instant::now() + PATIENCE;
    loop {
        let ran = world.run(&["--json", "database", "restored"]);
        if !ran.stderr.contains("stop all ") {
            return ran;
        }
        assert!(Instant::now() < until, "{ran:?}");
        thread::park_timeout(LOOK);
    }
}

#[test]
#[ignore = "needs Kafka and PostgreSQL"]
fn a_restored_backup_is_noticed_and_its_open_shops_are_asked_again() {
    LazyLock::force(&PROGRAMS);
    let world = World::empty();
    world.run(&["database", "migrate"]).done();
    world.run(&["topics", "create", "--reply-partitions", "2"]).done();
    world.import(SHOPS);
    let kept = begin(&world, "2s");
    let deadline = Instant::now() + Duration::from_secs(3);
    world.back_up();
    let services = Services::start(&world);
    wait_until_settled(&world, &kept);
    let refused = world.run(&["database", "restored"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("stop all consumers: "), "{refused:?}");
    let lost = begin(&world, "10m");
    wait_until_settled(&world, &lost);
    while Instant::now() < deadline {
        thread::park_timeout(LOOK);
    }

    world.put_back();
    check_audit(&world);
    services.check_they_notice();
    check_audit(&world);
    // A restart does not hide it.
    Services::start(&world).check_they_notice();
    for command in [&["database", "check"][..], &["topics", "check"]] {
        check_it_says_older(&world, command);
    }

    let dry = world.ask(&["database", "restored", "--dry-run"]);
    check_it_says_older(&world, &["database", "check"]);
    let mended = mend(&world);
    assert_eq!(dry["campaigns"], mended["campaigns"], "{dry} {mended}");
    let expected = json!([{
        "campaign": kept, "status": "sending", "open": SHOPS, "newAttempt": 2, "wasEnded": false,
    }]);
    assert_eq!(mended["campaigns"], expected, "{mended}");
    assert_eq!((&mended["lost"], &mended["revision"]["now"]), (&json!([lost]), &lost), "{mended}");
    assert!(2 * SHOPS <= mended["requests"].as_u64().unwrap(), "{mended}");
    world.run(&["database", "check"]).done();
    world.run(&["topics", "check"]).done();
    // Repeated, it does no harm.
    assert_eq!(mend(&world)["campaigns"][0]["newAttempt"], 3);

    let _services = Services::start(&world);
    let settled = wait_until_settled(&world, &kept);
    assert_eq!(settled["outcomes"], json!({ "applied": SHOPS }), "{settled}");
    check_audit(&world);
    assert_eq!(world.run(&["campaign", "show", &lost.to_string()]).code, Some(1), "it is gone");
    let next = begin(&world, "10m");
    assert_ne!(next, lost, "a revision is given out once");
}

#[test]
#[ignore = "needs Kafka and PostgreSQL"]
fn lanes_without_a_place_in_the_log_are_left_out_and_accepted_afterwards() {
    let world = World::with_shops();
    world.execute("DELETE FROM lane_state WHERE lane = 0");
    let other = format!("log_id = '{:032x}', log_lasting = TRUE, epoch = 3", 7);
    world.execute(&format!("UPDATE lane_state SET {other} WHERE lane = 1"));
    // It had come to this topic after the backup.
    world.commit(Lane(1), Committed { epoch: Epoch(5), next: Position(0) });
    for command in [&["database", "check"][..], &["lanes", "accept", "--all"]] {
        check_it_says_older(&world, command);
    }
    let said = [
        "lane 0: its row in the database is gone",
        "lane 1: the database has read it in another topic or cluster",
    ];
    let mended = run_restored(&world);
    assert_eq!(mended.code, Some(1), "{mended:?}");
    assert!(mended.stderr.contains("`catchment lanes accept --all`"), "{mended:?}");
    let told: Value = serde_json::from_str(&mended.stdout).unwrap();
    let left_out = told["leftOut"].to_string();
    let checked = world.run(&["database", "check"]);
    assert_eq!(checked.code, Some(1), "{checked:?}");
    assert!(!checked.stderr.contains(OLDER), "{checked:?}");
    for words in said {
        assert!(left_out.contains(words) && checked.stderr.contains(words), "{told} {checked:?}");
    }
    world.run(&["lanes", "accept", "--all"]).done();
    world.run(&["database", "check"]).done();
    world.run(&["topics", "check"]).done();
}

/// The topic of requests is made again after the backup, under its own name. In the database, that is
/// the same log.
#[test]
#[ignore = "needs Kafka and PostgreSQL"]
fn lanes_of_a_topic_that_was_made_again_are_named_and_show_what_was_given_out() {
    LazyLock::force(&PROGRAMS);
    let world = World::empty();
    world.run(&["database", "migrate"]).done();
    world.run(&["topics", "create", "--reply-partitions", "2"]).done();
    world.import(SHOPS);
    let mut services = Services::start(&world);
    let mut kept = Value::Null;
    for _ in 0..3 {
        kept = begin(&world, "10m");
        wait_until_settled(&world, &kept);
    }
    drop(services);
    world.back_up();
    world.delete_topics();
    // A deletion may take a moment.
    let is_missing = || world.run(&["topics", "check"]).stderr.contains("there is no topic ");
    while world.run(&["topics", "create", "--reply-partitions", "2"]).code != Some(0)
        || is_missing()
    {}
    world.run(&["lanes", "accept", "--all"]).done();
    services = Services::start(&world);
    let lost = begin(&world, "10m");
    wait_until_settled(&world, &lost);
    drop(services);

    world.put_back();
    let mended = run_restored(&world);
    assert_eq!(mended.code, Some(1), "{mended:?}");
    assert!(mended.stderr.contains("`catchment lanes accept --all`"), "{mended:?}");
    let told: Value = serde_json::from_str(&mended.stdout).unwrap();
    assert_eq!((&told["lost"], &told["revision"]["now"]), (&json!([lost]), &lost), "{told}");
    assert_eq!(told["requests"], 0, "{told}");
    let left_out = told["leftOut"].to_string();
    for lane in 0..LANES {
        let words = format!("\"lane {lane}: its partition was made again, or lost its end");
        assert!(left_out.contains(&words), "{told}");
    }
    world.run(&["lanes", "accept", "--all"]).done();
    world.run(&["database", "check"]).done();
    let _services = Services::start(&world);
    let next = begin(&world, "10m");
    assert!(lost.as_u64() < next.as_u64() && kept != next, "a revision is given out once: {next}");
    wait_until_settled(&world, &next);
    check_audit(&world);
}

#[test]
#[ignore = "needs Kafka and PostgreSQL"]
fn without_its_topics_a_database_is_not_compared() {
    let world = World::empty();
    world.run(&["database", "migrate"]).done();
    for command in [&["database", "check"][..], &["database", "restored"], &["topics", "check"]] {
        let ran = world.run(command);
        assert_eq!((ran.code, ran.stderr.lines().count()), (Some(1), 1), "{ran:?}");
        assert!(ran.stderr.contains("there is no topic "), "{ran:?}");
        assert!(ran.stderr.contains(": `catchment topics create` makes it"), "{ran:?}");
    }
    let without_kafka = || {
        let mut check = world.command(&["--json", "database", "check"]);
        check.env("CATCHMENT__KAFKA__BOOTSTRAP_SERVERS", "localhost:1");
        Ran::from(check.output().unwrap())
    };
    let away = without_kafka();
    assert_eq!(away.value()["lanes"], LANES, "{away:?}");
    assert!(away.stderr.contains("cannot compare the database with Kafka"), "{away:?}");
    world.execute("DELETE FROM lane_state WHERE lane = 1");
    let lost = without_kafka();
    assert_eq!((lost.code, lost.stderr.lines().count()), (Some(1), 1), "{lost:?}");
    assert!(lost.stderr.contains("lane 1: ") && lost.stdout.is_empty(), "{lost:?}");
}

#[test]
#[ignore = "needs Kafka and PostgreSQL"]
fn a_forged_epoch_stops_nobody_for_good() {
    let world = World::with_shops();
    let forged = Committed { epoch: Epoch(99_999_999_999), next: Position(0) };
    world.commit(Lane(LANES - 1), forged);
    check_it_says_older(&world, &["database", "check"]);
    mend(&world);
    world.run(&["database", "check"]).done();
    world.run(&["topics", "check"]).done();
    // No owner ever has this epoch.
    world.commit(Lane(0), Committed { epoch: Epoch(u64::MAX), next: Position(0) });
    world.run(&["database", "check"]).done();
}
