//! The command on `PostgreSQL` and Kafka, where it stores and watches, but runs nothing itself.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::json;

use crate::app::{Ran, TestApp, program};
use crate::world::{LANES, World};

/// Starts the command, so that a test can stop it.
fn start(world: &World, arguments: &[&str]) -> Child {
    Command::new(program())
        .args(arguments)
        .env_clear()
        .envs(world.variables())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn interrupt(child: &Child) {
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
}

/// Checks the exit code, and that stderr has exactly this text.
fn check(ran: &Ran, code: i32, stderr: &str) {
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(code), stderr), "{ran:?}");
}

#[test]
#[ignore = "needs Kafka and PostgreSQL"]
fn shops_are_imported_listed_and_shown() {
    let world = World::with_shops();
    let listed = world.run(&["--json", "shops", "list", "--region", "Hackney"]);
    assert_eq!(listed.stdout.lines().count(), 2, "{listed:?}");
    let shop = world.ask(&["shops", "show", "c"]);
    assert_eq!((&shop["radius"], &shop["version"]), (&json!(5_000), &json!(1)));
    assert_eq!(world.run(&["shops", "export"]).stdout.lines().count(), 4);
    let generated = world.run(&["shops", "generate", "--count", "5000"]);
    assert_eq!(generated.done(), "added 5,000, updated 0, bad 0\n");
}

#[test]
#[ignore = "needs Kafka and PostgreSQL"]
fn an_interrupt_leaves_the_campaign_to_the_services() {
    let world = World::with_shops();
    let mut child = start(&world, &["campaign", "start", "--kind", "rider_shortage", "--all"]);
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "campaign 2: rider_shortage 3 km for 3 shops\n");
    interrupt(&child);
    let line = "catchment: interrupted, and the campaign goes on; \
                `catchment campaign watch 2` follows it again\n";
    check(&child.wait_with_output().unwrap().into(), 130, line);
    assert_eq!(world.ask(&["campaign", "show", "2"])["open"], 3);

    let given_up = world.ask(&["campaign", "give-up", "2"]);
    assert_eq!(given_up["outcomes"], json!({ "failed": 3 }));
    let failed = world.run(&["--json", "campaign", "outcomes", "2", "--status", "failed"]);
    assert_eq!(failed.stdout.lines().count(), 3);
    assert_eq!(world.ask(&["audit"])["wrong"], 0);
}

#[test]
#[ignore = "needs Kafka and PostgreSQL"]
fn who_waits_for_nobody_is_told() {
    let world = World::with_shops();
    let mut child = start(&world, &["campaign", "start", "--kind", "rider_shortage", "--all"]);
    let mut line = String::new();
    BufReader::new(child.stderr.as_mut().unwrap()).read_line(&mut line).unwrap();
    let expected = "no answer for 10 s: no requester has taken the campaign; \
                    does one run on this database? It goes on as soon as one does\n";
    assert_eq!(line, expected);
    interrupt(&child);
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[test]
#[ignore = "needs Kafka and PostgreSQL"]
fn the_schema_is_made_by_migrate_alone() {
    let world = World::empty();
    for command in [&["database", "check"][..], &["shops", "list"], &["topics", "create"]] {
        let ran = world.run(command);
        assert!(ran.stderr.contains("has no tables yet in `"), "{ran:?}");
        assert!(ran.stderr.contains("; run `catchment database migrate`, or name"), "{ran:?}");
        assert_eq!((ran.code, ran.stderr.lines().count()), (Some(1), 1), "{ran:?}");
    }
    let migrated = world.ask(&["database", "migrate"]);
    assert_eq!(
        (&migrated["created"], &migrated["steps"][0]),
        (&json!(false), &json!("0001_shops"))
    );
    assert_eq!(world.ask(&["database", "migrate"])["steps"], json!([]));
    world.run(&["topics", "create"]).done();
    assert_eq!(world.ask(&["database", "check"])["lanes"], LANES);
}

#[test]
#[ignore = "needs Kafka and PostgreSQL"]
fn topics_are_made_once() {
    let world = World::empty();
    world.run(&["database", "migrate"]).done();
    let missing = world.run(&["topics", "check"]);
    assert_eq!((missing.code, missing.stderr.lines().count()), (Some(1), 1), "{missing:?}");
    assert!(missing.stderr.contains("`catchment topics create` makes it"), "{missing:?}");
    for created in [true, false] {
        let ran = world.run(&["--json", "topics", "create"]);
        let said =
            ran.stdout.lines().filter(|line| line.contains(&format!("\"created\":{created}")));
        assert_eq!(said.count(), 5, "{ran:?}");
    }
    assert_eq!(world.ask(&["topics", "check"])["partitions"], LANES);
}

#[test]
#[ignore = "needs Kafka and PostgreSQL"]
fn reply_partitions_of_topics_that_are_there_are_not_silently_left() {
    let world = World::empty();
    world.run(&["database", "migrate"]).done();
    world.run(&["topics", "create", "--reply-partitions", "2"]).done();
    world.run(&["topics", "create", "--reply-partitions", "2"]).done();
    world.run(&["topics", "create"]).done();
    let ran = world.run(&["topics", "create", "--reply-partitions", "3"]);
    assert_eq!((ran.code, ran.stderr.lines().count()), (Some(1), 1), "{ran:?}");
    assert_eq!(ran.stderr.matches("already exists with 2 partitions, not 3").count(), 3, "{ran:?}");
    assert_eq!(ran.stdout.matches("was there").count(), 5, "{ran:?}");
}

#[test]
#[ignore = "needs Kafka and PostgreSQL"]
fn topics_with_other_partitions_are_refused() {
    let world = World::empty();
    world.run(&["database", "migrate"]).done();
    world.create_topics_for(LANES + 1);
    for command in ["check", "create"] {
        let ran = world.run(&["topics", command]);
        assert_eq!((ran.code, ran.stderr.lines().count()), (Some(1), 1), "{ran:?}");
        assert!(ran.stderr.contains("has 5 partitions, and the database has 4 lanes"), "{ran:?}");
    }
}

#[test]
#[ignore = "needs Kafka and PostgreSQL"]
fn a_broker_that_is_not_there_is_one_line() {
    let world = World::with_shops();
    let ran: Ran = world
        .command(&["topics", "check"])
        .env("CATCHMENT__KAFKA__BOOTSTRAP_SERVERS", "127.0.0.1:1")
        .output()
        .unwrap()
        .into();
    assert_eq!((ran.code, ran.stderr.lines().count()), (Some(1), 1), "{ran:?}");
    assert!(ran.stderr.starts_with("catchment: could not reach Kafka: "), "{ran:?}");
}

#[test]
#[ignore = "needs PostgreSQL"]
fn a_password_is_never_shown() {
    let app = TestApp::empty();
    let address = crate::world::database();
    let place = address.rsplit_once('@').map_or("127.0.0.1:5432/postgres", |(_, place)| place);
    for (url, code) in [
        (format!("postgres://postgres:hush-hush@{place}"), 1),
        ("postgres://postgres:hush-hush@127.0.0.1:1/shops".to_owned(), 1),
        ("mysql://me:hush-hush@127.0.0.1/shops".to_owned(), 64),
    ] {
        let ran: Ran = app
            .command(&["--database", &url, "shops", "list"])
            .env("CATCHMENT__DATABASE__CONNECT_TIMEOUT", "1s")
            .output()
            .unwrap()
            .into();
        assert_eq!((ran.code, ran.stderr.lines().count()), (Some(code), 1), "{ran:?}");
        assert!(!ran.stderr.contains("hush"), "{ran:?}");
    }
}
