//! What `catchment lanes` shows and refuses. How lanes are accepted is tried with the services.

use crate::app::TestApp;

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
    assert_eq!(accepted.code, Some(64), "{accepted:?}");
    assert!(accepted.stderr.contains("embedded database"), "{accepted:?}");
    for wrong in [&["lanes", "accept"][..], &["lanes", "accept", "1", "--all"]] {
        assert_eq!(app.run(wrong).code, Some(2), "{wrong:?}");
    }
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
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.stdout.lines().count(), usize::from(crate::world::LANES), "{ran:?}");
    let said = "catchment: only what the database has is shown, for Kafka does not say";
    assert!(ran.stderr.starts_with(said), "{ran:?}");
}
