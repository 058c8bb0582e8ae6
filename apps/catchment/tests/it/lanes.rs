//! What `catchment lanes` shows and refuses. How lanes are accepted is tried with the services.

use std::process::Stdio;

use catchment_domain::ports::Restores;
use catchment_seaorm::SeaOrmStore;

use crate::app::TestApp;
use crate::strays;

/// Lists the lanes of a database of six shops, all of which a campaign has narrowed.
#[test]
fn lanes_of_an_embedded_database_are_listed_and_need_no_command() {
    let app = TestApp::with_shops();
    app.run(&["campaign", "start", "--kind", "rider_shortage", "--all", "--yes"]).done();
    let listed = app.run(&["lanes", "list"]);
    let table = listed.done();
    assert!(table.starts_with("lane  owner  epoch  applied  answered"), "{table}");
    assert!(table.contains("\nreply lane  owner  epoch  recorded"), "{table}");
    let listed = app.run(&["--json", "lanes", "list"]);
    let lanes: Vec<serde_json::Value> =
        listed.done().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let requests = lanes.iter().filter(|lane| lane["of"] == "requests");
    let applied: u64 = requests.map(|lane| lane["next"].as_u64().unwrap()).sum();
    assert_eq!(applied, 6, "{lanes:?}");
    assert!(lanes.iter().all(|lane| lane["problem"].is_null()), "{lanes:?}");

    let accepted = app.run(&["lanes", "accept", "--all"]);
    assert_eq!(accepted.done(), "every lane works: there is nothing to accept\n");
    let refused = app.run(&["lanes", "accept", "3"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("lane 3 works"), "{refused:?}");
}

/// Starts a campaign over all shops.
const START: [&str; 6] = ["campaign", "start", "--kind", "rider_shortage", "--all", "--yes"];

/// A database of which the rows of the only lane and of the only reply lane name a log that is no
/// number.
fn damaged() -> TestApp {
    let app = strays::app();
    strays::run(&app, &START).done();
    let log = strays::with_store(&app, async |store: &SeaOrmStore| {
        let lanes = Restores::lanes(store).await.unwrap();
        lanes.into_iter().find_map(|lane| lane.log).unwrap()
    });
    let (name, mut bytes) =
        (format!("{:032x}", log.id), std::fs::read(app.path("catchment.db")).unwrap());
    while let Some(place) = bytes.windows(name.len()).position(|seen| seen == name.as_bytes()) {
        bytes[place] = b'z';
    }
    app.file("catchment.db", bytes);
    app
}

#[test]
fn damaged_lanes_of_an_embedded_database_are_accepted() {
    let app = damaged();
    let listed = strays::run(&app, &["lanes", "list"]);
    assert_eq!(listed.code, Some(1), "{listed:?}");
    assert!(listed.stdout.contains("by `catchment lanes accept 0`"), "{listed:?}");
    let stuck = strays::run(&app, &START);
    assert!(stuck.stderr.contains("`catchment lanes accept 0"), "{stuck:?}");

    let dry = strays::run(&app, &["lanes", "accept", "--all", "--dry-run"]);
    let accepted = strays::run(&app, &["lanes", "accept", "--all"]);
    assert_eq!(dry.done(), format!("this would be done:\n{}", accepted.done()));
    assert!(accepted.stdout.starts_with("lane 0 goes on from 0\n"), "{accepted:?}");
    strays::run(&app, &["lanes", "list"]).done();
    strays::run(&app, &START).done();
}

#[test]
fn nothing_is_accepted_where_it_cannot_be_told_what_is_given_up() {
    let app = damaged();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = app.command(&["lanes", "accept", "--all"]);
    command.env("CATCHMENT__DATABASE__LANES", "1").stdout(writer);
    let refused = command.stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap();
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.starts_with("catchment: nothing was changed, for it cannot be printed"), "{said}");
    assert_eq!(strays::run(&app, &["lanes", "list"]).code, Some(1));
}

#[cfg(feature = "servers")]
#[test]
#[ignore = "needs Kafka and PostgreSQL"]
fn without_kafka_what_the_database_has_is_listed() {
    let world = crate::world::World::with_shops();
    let mut command = world.command(&["--json", "lanes", "list"]);
    command.env("CATCHMENT__KAFKA__BOOTSTRAP_SERVERS", "127.0.0.1:1");
    command.env("CATCHMENT__KAFKA__CONNECT_TIMEOUT", "1s");
    let ran = crate::app::Ran::from(command.output().unwrap());
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert_eq!(ran.stdout.lines().count(), usize::from(crate::world::LANES), "{ran:?}");
    let said = "catchment: only what the database has is shown, for Kafka does not say";
    assert!(ran.stderr.starts_with(said), "{ran:?}");
}
