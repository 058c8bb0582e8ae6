//! The answers of a command that was built without Kafka and `PostgreSQL`.

use crate::app::TestApp;

const MISSING: &str = "catchment: this program was built without Kafka and PostgreSQL; build it \
                       with `cargo build --release -p catchment --features servers`\n";

#[test]
fn whatever_needs_kafka_names_the_feature() {
    let app = TestApp::with_shops();
    for arguments in [
        &["topics", "check"][..],
        &["topics", "create"],
        &["call", "a", "--kind", "manual", "--limit", "2km"],
    ] {
        let ran = app.run(arguments);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(2), MISSING), "{arguments:?}");
        assert_eq!(ran.stdout, "", "{arguments:?}");
    }
}

#[test]
fn a_database_on_a_server_names_the_feature() {
    let app = TestApp::empty();
    let url = "postgres://me:hunter2@localhost/shops";
    for arguments in
        [&["shops", "list"][..], &["database", "check"], &["database", "migrate"], &["demo"]]
    {
        let ran = app.run(&[&["--database", url], arguments].concat());
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(2), MISSING), "{arguments:?}");
    }
}
