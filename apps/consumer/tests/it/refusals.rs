//! Refusals to start, each with one line and an exit code.

use std::num::NonZeroU16;
use std::process::Command;

use catchment_domain::Lanes;

use crate::process::{Process, free_address};
use crate::world::World;
use crate::{NAME, program};

/// Runs a program to its end, expects this exit code and one line, and returns the line.
pub(crate) fn check(mut command: Command, code: i32) -> String {
    let output = command.env("RUST_LOG", "off").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{said}");
    let line = said.strip_suffix('\n').unwrap();
    assert!(!line.contains('\n'), "{line}");
    line.strip_prefix(&format!("{NAME}: ")).unwrap().to_owned()
}

/// Returns the program with nothing to work on, and without the settings of the user who runs the
/// tests.
fn alone() -> Command {
    let mut command = Command::new(program());
    command.env_clear();
    command.env("CATCHMENT__DATABASE__CONNECT_TIMEOUT", "2s");
    command.env("CATCHMENT__PROBES__ADDRESS", "none");
    command
}

#[test]
#[ignore = "needs Kafka and PostgreSQL"]
fn an_unreachable_broker() {
    let world = World::new();
    let nobody = free_address();
    let mut command = world.command(program());
    command.env("CATCHMENT__KAFKA__BOOTSTRAP_SERVERS", nobody.to_string());
    command.env("CATCHMENT__KAFKA__CONNECT_TIMEOUT", "2s");
    let expected = format!("could not work with Kafka: the brokers `{nobody}` did not answer: ");
    let line = check(command, 69);
    assert!(line.starts_with(&expected), "{line}");
}

#[test]
#[ignore = "needs Kafka and PostgreSQL"]
fn told_to_stop_while_it_waits_for_the_broker_it_ends_at_once() {
    let world = World::new();
    let mut command = world.command(program());
    command.env("CATCHMENT__KAFKA__BOOTSTRAP_SERVERS", free_address().to_string());
    command.env("CATCHMENT__KAFKA__CONNECT_TIMEOUT", "10m");
    let process = Process::start(command);
    process.wait_until_it_answers();
    process.signal("TERM");
    assert_eq!(process.ended().status.code(), Some(0));
}

#[test]
fn an_unreachable_database() {
    let nobody = free_address();
    let mut command = alone();
    command.env("CATCHMENT__DATABASE__URL", format!("postgres://me:hush@{nobody}/shops"));
    let expected = format!(
        "could not open the database: `postgres://me:***@{nobody}/shops` gave no connection for 2s"
    );
    let line = check(command, 69);
    assert!(line.starts_with(&expected) && !line.contains("hush"), "{line}");
}

#[test]
fn a_database_that_is_a_file() {
    let mut command = alone();
    command.env("CATCHMENT__DATABASE__URL", "sqlite://catchment.db");
    let expected = "bad settings: `database.url` must be that of a PostgreSQL server";
    assert!(check(command, 64).starts_with(expected));
}

#[test]
fn records_of_aborted_transactions() {
    for table in ["CONSUMER", "PROPERTIES"] {
        let mut command = alone();
        command.env(format!("CATCHMENT__KAFKA__{table}__ISOLATION_LEVEL"), "read_uncommitted");
        let expected = "bad settings: section `kafka`: `isolation.level` must not be set: records \
                        of transactions that were aborted would be applied";
        assert_eq!(check(command, 64), expected);
    }
}

#[test]
#[ignore = "needs Kafka and PostgreSQL"]
fn a_database_without_tables() {
    let world = World::empty();
    let line = check(world.command(program()), 78);
    for expected in ["has no tables yet in `", "; run `catchment database migrate`, or name"] {
        assert!(line.contains(expected), "{line}");
    }
}

#[test]
#[ignore = "needs Kafka and PostgreSQL"]
fn a_database_for_another_number_of_lanes() {
    let world = World::new();
    let mut command = world.command(program());
    command.env("CATCHMENT__DATABASE__LANES", "5");
    let line = check(command, 78);
    assert!(line.contains("has 4 lanes, not 5"), "{line}");
}

#[test]
#[ignore = "needs Kafka and PostgreSQL"]
fn missing_topics() {
    let world = World::empty();
    world.migrate();
    let line = check(world.command(program()), 78);
    let requests = world.kafka().requests_topic;
    let expected = format!("could not work with Kafka: there is no topic `{requests}`");
    assert!(line.starts_with(&expected), "{line}");
}

#[test]
#[ignore = "needs Kafka and PostgreSQL"]
fn another_number_of_partitions() {
    let world = World::empty();
    world.migrate();
    world.create_topics(Lanes(NonZeroU16::new(5).unwrap()));
    let line = check(world.command(program()), 78);
    let requests = world.kafka().requests_topic;
    let expected = format!(
        "could not work with Kafka: the topic `{requests}` has 5 partitions, and the database \
         has 4 lanes"
    );
    assert!(line.starts_with(&expected), "{line}");
}
