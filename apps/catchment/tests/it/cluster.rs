//! Demo and calls with requester and consumers as separate processes.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::thread;
use std::time::{Duration, Instant};

use catchment_bootstrap::health;
use serde_json::{Value, json};

use crate::app::{TestApp, program};
use crate::built::built;
use crate::world::World;

/// How long anything may take before a test fails.
const PATIENCE: Duration = Duration::from_mins(2);
/// The pause between two checks, which leaves the processors to the services.
const LOOK: Duration = Duration::from_millis(20);

/// The programs that the command starts. Cargo does not build them with the tests of this crate.
static PROGRAMS: LazyLock<[PathBuf; 2]> =
    LazyLock::new(|| ["requester", "consumer"].map(|name| built(program().with_file_name(name))));

/// Calls `look` until it returns a value.
pub(crate) fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(Instant::now() < until, "waited in vain for {what}");
        thread::park_timeout(LOOK);
    }
}

#[test]
#[ignore = "needs Kafka and PostgreSQL"]
fn the_demo_is_right_at_every_shop_and_is_played_once() {
    let world = World::without_shops();
    let services = [requester(&world), consumer(&world), consumer(&world)];
    let told = world.ask(&["demo", "--shops", "600"]);
    assert_eq!(told["wrong"], 0, "{told}");
    let acts = told["acts"].as_array().unwrap();
    assert_eq!(acts.len(), 5);
    for act in &acts[1..] {
        let outcomes = act["outcomes"].as_object().unwrap();
        assert!(outcomes.keys().all(|status| status == "applied" || status == "unchanged"));
        let total: u64 = outcomes.values().filter_map(Value::as_u64).sum();
        assert_eq!(act["shops"], total, "an outcome for every shop");
    }
    let again = world.run(&["demo", "--shops", "600"]);
    assert_eq!((again.code, again.stderr.lines().count()), (Some(1), 1), "{again:?}");
    assert!(again.stderr.contains("needs a database without shops and campaigns"), "{again:?}");
    for mut service in services {
        drop(service.stdin.take());
        assert!(service.wait().unwrap().success());
    }
}

/// Starts a requester that ends with this process, and waits until it is ready.
pub(crate) fn requester(world: &World) -> Child {
    let [requester, _] = &*PROGRAMS;
    service(world, requester)
}

/// Starts a consumer that ends with this process, and waits until it is ready.
pub(crate) fn consumer(world: &World) -> Child {
    let [_, consumer] = &*PROGRAMS;
    service(world, consumer)
}

fn service(world: &World, program: &Path) -> Child {
    let probes = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let service = Command::new(program)
        .env_clear()
        .envs(world.variables())
        .env("CATCHMENT__PROBES__ADDRESS", probes.to_string())
        .env("CATCHMENT__SHUTDOWN__WITH_STDIN", "true")
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    wait_for("a service", || health::ask(probes).ok().filter(|health| health.is_ready));
    service
}

#[test]
#[ignore = "needs Kafka and PostgreSQL"]
fn a_call_prints_its_reply() {
    let world = World::with_shops();
    let mut consumer = consumer(&world);
    let limited = world.ask(&["call", "a", "--kind", "manual", "--limit", "2km"]);
    assert_eq!(limited["status"], "applied");
    assert_eq!((&limited["before"], &limited["after"]), (&json!(5_000), &json!(2_000)));
    assert_eq!(limited["decidedBy"], json!({ "kind": "manual" }));
    let again = world.run(&["call", "a", "--kind", "manual", "--limit", "2km"]);
    assert!(again.done().starts_with("status     unchanged\n"), "{again:?}");
    let released = world.ask(&["call", "a", "--kind", "manual", "--release"]);
    assert_eq!((&released["status"], &released["after"]), (&json!("applied"), &json!(5_000)));
    let based = world.ask(&["call", "a", "--set-base", "6km"]);
    assert_eq!((&based["status"], &based["after"]), (&json!("applied"), &json!(6_000)));
    assert_eq!(based["baseRadius"], 6_000);
    world.ask(&["call", "a", "--kind", "manual", "--limit", "2km"]);
    let under_a_limit = world.run(&["call", "a", "--set-base", "4km"]);
    let lines = "\nbase       4 km\nbefore     2 km\n";
    assert!(under_a_limit.done().contains(lines), "{under_a_limit:?}");

    let misspelt = world.run(&["call", "a", "--kind", "manul", "--release"]);
    assert_eq!(misspelt.code, Some(1));
    let line = "catchment: there is no trigger kind `manul`: did you mean `manual`?\n";
    assert_eq!(misspelt.stderr, line);

    let unknown = world.run(&["call", "nobody", "--kind", "manual", "--limit", "2km"]);
    assert_eq!((unknown.code, unknown.stdout.as_str()), (Some(1), "status     rejected\n"));
    assert_eq!(unknown.stderr, "catchment: rejected: there is no shop of this id\n");
    drop(consumer.stdin.take());
    assert!(consumer.wait().unwrap().success());
}

#[test]
#[ignore = "needs Kafka and PostgreSQL"]
fn a_call_that_nobody_answers_may_still_take_effect() {
    let world = World::with_shops();
    let call = ["call", "a", "--kind", "manual", "--limit", "2km", "--timeout", "1s"];
    let ran = world.run(&call);
    let line = "catchment: no reply came in time; the request may still take effect\n";
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(1), line), "{ran:?}");
}

#[test]
fn a_call_says_one_thing() {
    let app = TestApp::empty();
    for wrong in [
        &["call", "a"][..],
        &["call", "a", "--limit", "2km"],
        &["call", "a", "--kind", "manual"],
        &["call", "a", "--kind", "manual", "--set-base", "6km"],
        &["call", "a", "--kind", "manual", "--limit", "2km", "--release"],
        &["call", "a", "--kind", "manual", "--limit", "2"],
    ] {
        let ran = app.run(wrong);
        assert_eq!((ran.code, ran.stderr.lines().count()), (Some(2), 1), "{ran:?}");
    }
}
