//! Several processes on one database, and processes that are stopped half way.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::json;

use crate::app::{Ran, TestApp, program};

/// So many shops that a campaign over all of them takes a while.
const SHOPS: &str = "30000";

fn city() -> TestApp {
    let app = TestApp::empty();
    assert_eq!(app.run(&["shops", "generate", "--count", SHOPS]).code, Some(0));
    app
}

/// Starts a campaign over all shops.
fn start(app: &TestApp, kind: &str) -> Child {
    Command::new(program())
        .args(["--json", "campaign", "start", "--all", "--kind", kind])
        .current_dir(app.path(""))
        .env_clear()
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Waits until the campaign is stored.
fn wait_until_stored(child: &mut Child) {
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert!(line.contains("\"status\":\"sending\""), "{line}");
}

#[test]
fn two_processes_at_once_finish_both_campaigns() {
    let app = city();
    let both = [start(&app, "rider_shortage"), start(&app, "system_failure")];
    for child in both {
        let ran = Ran::from(child.wait_with_output().unwrap());
        assert_eq!(ran.value()["status"], "settled");
    }
    let shop = app.ask(&["shops", "show", "gen-000001"]);
    assert_eq!(
        (&shop["radius"], &shop["decidedBy"]["kind"]),
        (&json!(1000), &json!("system_failure"))
    );
}

#[test]
fn what_a_killed_process_left_open_is_finished_by_the_next() {
    let app = city();
    let mut child = start(&app, "rider_shortage");
    wait_until_stored(&mut child);
    child.kill().unwrap();
    child.wait().unwrap();
    let open = app.ask(&["campaign", "show", "2"])["open"].as_u64().unwrap();
    assert_ne!(open, 0);
    let listed = app.run(&["--json", "campaign", "outcomes", "2", "--status", "open"]);
    assert_eq!(listed.stdout.lines().count() as u64, open);
    let few = app.run(&["--json", "campaign", "outcomes", "2", "--status", "open", "--limit", "3"]);
    assert_eq!(few.stdout.lines().count(), 3);
    let watched = app.ask(&["campaign", "watch", "2"]);
    assert_eq!(watched["outcomes"], json!({ "applied": 30_000 }));
}

#[cfg(unix)]
#[test]
fn an_interrupt_leaves_a_campaign_that_goes_on_later() {
    let app = city();
    let mut child = start(&app, "rider_shortage");
    wait_until_stored(&mut child);
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert_eq!(ran.code, Some(130), "{ran:?}");
    assert!(ran.stderr.ends_with("`catchment campaign watch 2` goes on\n"), "{ran:?}");
    let watched = app.ask(&["campaign", "watch", "2"]);
    assert_eq!(watched["outcomes"], json!({ "applied": 30_000 }));
}
