//! The built benchmark seen from outside, on the programs that are built beside it.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a step that a test builds on must work"
)]
#![cfg(target_os = "linux")]

#[path = "../../../../apps/bootstrap/tests/service/built.rs"]
mod built;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use catchment_request_reply::{Settings, Topics};
use serde_json::Value;
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;

use crate::built::built;

/// How long anything may take before a test fails.
const PATIENCE: Duration = Duration::from_mins(2);
const LOOK: Duration = Duration::from_millis(20);

/// Returns the benchmark with these arguments.
fn bench(arguments: &[&str]) -> Command {
    let bench = Path::new(env!("CARGO_BIN_EXE_catchment-bench"));
    let mut command = Command::new(bench);
    for program in ["catchment", "requester", "consumer"] {
        built(bench.with_file_name(program));
    }
    command.env_clear().args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Returns the benchmark over Kafka, on the servers that the tests are given.
fn over_kafka(arguments: &[&str]) -> Command {
    let mut command = bench(&["campaign", "--over", "kafka", "--partitions", "3"]);
    command.args(arguments);
    for (option, server) in
        [("--brokers", "CATCHMENT_TEST_KAFKA"), ("--database", "CATCHMENT_TEST_POSTGRES")]
    {
        command.args([option, &variable(server)]);
    }
    command
}

#[expect(clippy::disallowed_methods, reason = "where services are is said by the environment")]
fn variable(name: &str) -> String {
    let value = std::env::var(name);
    value.unwrap_or_else(|_| panic!("{name} is not set: run `scripts/services`"))
}

/// Returns the figures that a benchmark prints.
fn measured(mut command: Command) -> Value {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_campaign_in_one_process_is_measured() {
    let measured = measured(bench(&["campaign", "--shops", "500", "--json"]));
    for speed in ["shops_per_second", "bare_shops_per_second"] {
        assert!(0 < measured[speed].as_u64().unwrap(), "{measured}");
    }
    assert!(1_000_000 < measured["peak_memory_bytes"].as_u64().unwrap(), "{measured}");
    assert!(0.0 < measured["ratio_to_bare"].as_f64().unwrap(), "{measured}");
}

#[test]
fn two_builds_are_compared() {
    let folder = Path::new(env!("CARGO_BIN_EXE_catchment-bench")).parent().unwrap();
    let folder = folder.to_str().unwrap();
    let options = ["compare", "--shops", "200", "--pairs", "2", "--old", folder, "--new", folder];
    let output = bench(&options).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(said.matches(", ratio ").count(), 2, "{said}");
    assert!(said.contains("speed, new to old: "), "{said}");
}

#[test]
fn over_kafka_servers_must_be_named() {
    let output = bench(&["campaign", "--over", "kafka"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), said.lines().count()), (Some(1), 1), "{said}");
    assert!(said.contains("`--database postgres://user@host/name`"), "{said}");
}

#[test]
#[ignore = "needs Kafka and PostgreSQL"]
fn a_campaign_over_kafka_is_measured() {
    let options = ["--shops", "500", "--calls", "20", "--consumers", "2", "--json"];
    let measured = measured(over_kafka(&options));
    for speed in ["campaign", "raw_round_trip", "bare_transactions"] {
        assert!(0 < measured[speed]["shops_per_second"].as_u64().unwrap(), "{measured}");
    }
    assert_eq!(measured["calls_idle"]["calls"], 20);
    let processes = measured["processes"].as_array().unwrap();
    let ours = processes.iter().filter(|process| !process["peak_memory_bytes"].is_null());
    assert_eq!(ours.count(), 4, "a requester, two consumers, the command: {measured}");
}

/// Calls `look` until it returns a value.
fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(Instant::now() < until, "waited in vain for {what}");
        thread::park_timeout(LOOK);
    }
}

/// Starts a benchmark that takes a while, and waits for its services.
fn long_run() -> (Child, Vec<u32>) {
    let options = ["--shops", "20000", "--consumers", "2"];
    let run = over_kafka(&options).stdout(Stdio::null()).spawn().unwrap();
    let services = wait_for("the services", || {
        let services = services_of(run.id());
        (services.len() == 3).then_some(services)
    });
    (run, services)
}

/// Returns the children of a process that stop with their standard input.
fn services_of(parent: u32) -> Vec<u32> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| {
        let is_service = fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|command| {
            let mut words = command.split(|byte| *byte == 0);
            let program = words.next().unwrap_or_default();
            let is_named = [&b"/requester"[..], b"/consumer"].iter().any(|n| program.ends_with(n));
            // `requester health` is a question.
            is_named && words.next().unwrap_or_default().is_empty()
        });
        is_service && field_of(*pid, 1) == Some(parent.to_string())
    })
    .collect()
}

/// Returns a field of `/proc/PID/stat` behind the name of the program.
fn field_of(pid: u32, place: usize) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(place).map(ToOwned::to_owned)
}

fn wait_until_ended(processes: &[u32]) {
    for pid in processes {
        wait_for("the end of a process", || {
            // A process that was not waited for stays in the table of processes.
            field_of(*pid, 0).is_none_or(|state| state == "Z").then_some(())
        });
    }
}

fn send(signal: &str, pid: u32) {
    let sent = Command::new("kill").args(["-s", signal, &pid.to_string()]).status();
    assert!(sent.unwrap().success());
}

#[test]
#[ignore = "needs Kafka and PostgreSQL"]
fn an_interrupted_run_leaves_nothing_behind() {
    let (run, services) = long_run();
    send("INT", run.id());
    let output = run.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(!said.contains("could not "), "{said}");
    wait_until_ended(&services);
}

/// Returns whether there is a schema of this name, and whether there is a topic with this prefix.
fn leftovers(name: &str) -> (bool, bool) {
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let url = variable("CATCHMENT_TEST_POSTGRES");
        let mut database = PgConnection::connect(&url).await.unwrap();
        let sql = "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)";
        let schema = sqlx::query_scalar(sql).bind(name).fetch_one(&mut database).await.unwrap();
        let topics = Topics::new(&Settings::new(variable("CATCHMENT_TEST_KAFKA"), name)).unwrap();
        let requests = topics.partitions(&format!("{name}.requests")).await.unwrap();
        (schema, requests.is_some())
    })
}

#[test]
#[ignore = "needs Kafka and PostgreSQL"]
fn a_run_that_is_interrupted_while_topics_are_made_leaves_none_behind() {
    let mut run = over_kafka(&["--shops", "500"]).stdout(Stdio::null()).spawn().unwrap();
    let mut said = BufReader::new(run.stderr.take().unwrap()).lines();
    let line = said.next().unwrap().unwrap();
    let (_, name) = line.rsplit_once(' ').unwrap();
    wait_for("the schema", || leftovers(name).0.then_some(()));
    send("INT", run.id());
    assert_eq!(run.wait().unwrap().code(), Some(130));
    let said: Vec<_> = said.map(Result::unwrap).collect();
    assert!(!said.iter().any(|line| line.starts_with("could not ")), "{said:?}");
    assert_eq!(leftovers(name), (false, false));
}

#[test]
#[ignore = "needs Kafka and PostgreSQL"]
fn services_do_not_outlive_a_run_that_is_killed() {
    let (mut run, services) = long_run();
    run.kill().unwrap();
    run.wait().unwrap();
    wait_until_ended(&services);
}

#[test]
#[ignore = "needs Kafka and PostgreSQL"]
fn a_service_that_dies_is_an_error_with_its_name() {
    let (run, services) = long_run();
    send("KILL", services[0]);
    let output = run.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let line = said.lines().last().unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(line.contains(" ended with signal: 9 (SIGKILL)"), "{said}");
}
