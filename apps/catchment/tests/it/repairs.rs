//! Damage in a database file: how reports show it, and what `catchment repair` does.

use crate::app::{HEADER, Ran, TestApp};

/// Makes six shops in one lane, with the campaigns 2 (to 3 km) and 3 (to 2 km) over them, both
/// settled.
fn app() -> TestApp {
    let app = TestApp::empty();
    let rows =
        ["a", "b", "c", "d", "e", "f"].map(|id| format!("{id},Acorn,cafe,Hackney,51.5,-0.1"));
    app.file("shops.csv", format!("{HEADER}\n{}\n", rows.join("\n")));
    assert_eq!(run(&app, &["shops", "import", "shops.csv"]).code, Some(0));
    for limit in ["3km", "2km"] {
        let start = ["campaign", "start", "--kind", "rider_shortage", "--limit", limit];
        let ran = run(&app, &[&start[..], &["--all", "--yes"]].concat());
        assert_eq!(ran.code, Some(0), "{ran:?}");
    }
    app
}

fn run(app: &TestApp, arguments: &[&str]) -> Ran {
    let mut command = app.command(arguments);
    command.env("CATCHMENT__DATABASE__LANES", "1");
    command.output().unwrap().into()
}

/// Replaces the first occurrence of these bytes in the database's file by others.
fn overwrite(app: &TestApp, before: &[u8], after: &[u8]) {
    assert_eq!(before.len(), after.len());
    let mut bytes = std::fs::read(app.path("catchment.db")).unwrap();
    let place = bytes.windows(before.len()).position(|window| window == before).unwrap();
    bytes.splice(place..place + before.len(), after.iter().copied());
    app.file("catchment.db", bytes);
}

#[test]
fn outcomes_that_are_lost_are_named_and_asked_for_again() {
    let app = app();
    let whole = run(&app, &["repair"]);
    assert_eq!((whole.code, whole.stdout.as_str()), (Some(0), "nothing is damaged\n"));
    // These slots are six applied activations, and no release.
    overwrite(&app, &[2, 2, 2, 2, 2, 2, 0, 0, 0, 0, 0, 0], &[9, 2, 2, 2, 2, 9, 0, 0, 0, 0, 0, 0]);
    let shown = run(&app, &["campaign", "list"]);
    assert_eq!(shown.code, Some(0), "{shown:?}");
    let numbers: Vec<String> = ["2", "3"].map(ToOwned::to_owned).to_vec();
    let shown: Vec<Ran> =
        numbers.iter().map(|number| run(&app, &["campaign", "show", number])).collect();
    assert_eq!(shown.iter().filter(|ran| ran.code == Some(1)).count(), 1, "{shown:?}");
    let said = &shown.iter().find(|ran| ran.code == Some(1)).unwrap().stderr;
    assert!(said.contains("left out: campaign_chunk.activations of campaign"), "{said}");
    let audit = run(&app, &["audit"]);
    assert_eq!(audit.code, Some(1), "{audit:?}");
    let dry = run(&app, &["repair", "--dry-run"]);
    assert_eq!(dry.code, Some(1));
    assert!(dry.stdout.contains("2 outcomes asked for again"), "{dry:?}");
    assert!(dry.stdout.ends_with("1 item could be mended, 0 not mended\n"), "{dry:?}");
    let mended = run(&app, &["repair"]);
    assert_eq!(mended.code, Some(0));
    assert!(
        mended.stdout.starts_with("mended: ")
            && mended.stdout.contains("1 item mended, 0 not mended\ncampaign ")
            && mended.stdout.ends_with(" goes on with it\n"),
        "{mended:?}"
    );
    for number in numbers {
        let watched = run(&app, &["campaign", "watch", &number]);
        assert_eq!(watched.code, Some(0), "{watched:?}");
    }
    let audit = run(&app, &["audit"]);
    assert_eq!(audit.code, Some(0), "{audit:?}");
    let again = run(&app, &["--json", "repair"]);
    assert_eq!(again.value(), serde_json::json!({ "dryRun": false, "mended": 0, "notMended": 0 }));
}

#[test]
fn a_campaign_that_cannot_be_read_is_named_and_the_others_are_told() {
    let app = app();
    overwrite(&app, b"3000m", b"3000?");
    let listed = run(&app, &["--json", "campaign", "list"]);
    assert_eq!((listed.code, listed.stdout.lines().count()), (Some(1), 1), "{listed:?}");
    assert!(listed.stderr.contains("left out: campaign.limited_to of revision 2"), "{listed:?}");
    let shown = run(&app, &["campaign", "show", "2"]);
    assert_eq!(shown.code, Some(1));
    assert!(shown.stderr.contains("`catchment repair`"), "{shown:?}");
    let repaired = run(&app, &["repair"]);
    assert_eq!(repaired.code, Some(1));
    assert!(repaired.stdout.starts_with("not mended: campaign.limited_to of"), "{repaired:?}");
    assert!(repaired.stdout.contains("restore the row from a backup"), "{repaired:?}");
    // Everything else still works.
    assert_eq!(run(&app, &["campaign", "end", "3"]).code, Some(0));
}
