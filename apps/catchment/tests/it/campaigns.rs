//! Campaigns from start to end.

use serde_json::{Value, json};

use crate::app::{HEADER, TestApp};

/// Returns a shop's radius, and the campaign that decides it.
fn radius(app: &TestApp, shop: &str) -> (Value, Value) {
    let shown = app.ask(&["shops", "show", shop]);
    (shown["radius"].clone(), shown["decidedBy"]["revision"].clone())
}

#[test]
fn the_narrower_of_two_campaigns_decides_and_the_other_comes_back() {
    let app = TestApp::with_shops();
    let start = |options: &[&str]| app.ask(&[&["campaign", "start", "--kind"], options].concat());
    let shortage = start(&["rider_shortage", "--all"]);
    assert_eq!(shortage["status"], "settled");
    assert_eq!(shortage["outcomes"], json!({ "applied": 6 }));
    let failure = start(&["system_failure", "--region", "Hackney", "--reason", "결제 장애"]);
    assert_eq!((&failure["campaign"], &failure["shops"]), (&json!(3), &json!(2)));
    assert_eq!(radius(&app, "a"), (json!(1000), json!(3)));
    assert_eq!(radius(&app, "c"), (json!(3000), json!(2)));

    let shown = app.run(&["shops", "show", "a"]).stdout;
    assert!(shown.contains("why        system_failure 1 km, campaign 3 (결제 장애)\n"), "{shown}");
    assert_eq!(app.ask(&["shops", "show", "a"])["causes"][1]["campaign"], 2);

    let ended = app.ask(&["campaign", "end", "3"]);
    assert_eq!((&ended["status"], &ended["releases"]), (&json!("ended"), &json!({ "applied": 2 })));
    assert_eq!(radius(&app, "a"), (json!(3000), json!(2)));
}

#[test]
fn a_radius_that_is_not_what_its_limit_asks_for_is_explained() {
    let app = TestApp::with_shops();
    let why = |limit: &str, floor: &str| {
        let campaign = ["campaign", "start", "--kind", "manual", "--all", "--limit", limit];
        let number = app.ask(&campaign)["campaign"].to_string();
        let mut show = app.command(&["shops", "show", "a"]);
        let shown = show.env("CATCHMENT__SHOPS__FLOOR", floor).output().unwrap();
        app.ask(&["campaign", "end", &number]);
        let shown = String::from_utf8(shown.stdout).unwrap();
        shown.lines().find_map(|line| line.strip_prefix("why        ").map(str::to_owned))
    };
    let told = |text: &str| Some(text.to_owned());
    assert_eq!(why("9km", "0m"), told("manual 9 km (no wider than the base), campaign 2"));
    assert_eq!(why("1km", "2km"), told("manual 1 km (not below the floor), campaign 3"));
    assert_eq!(why("1km", "1km"), told("manual 1 km, campaign 4"));
}

#[test]
fn a_dry_run_says_what_would_change_and_changes_nothing() {
    let app = TestApp::with_shops();
    app.ask(&["campaign", "start", "--kind", "rider_shortage", "--region", "Hackney"]);
    let before = app.state();
    let options = ["campaign", "start", "--kind", "manual", "--limit", "3km", "--all"];
    let forecast = app.ask(&[&options[..], &["--dry-run"]].concat());
    assert_eq!((&forecast["shops"], &forecast["changed"]), (&json!(6), &json!(4)));
    assert_eq!((&forecast["narrowest"], &forecast["widest"]), (&json!(3000), &json!(3000)));
    assert_eq!(app.state(), before);
    let done = app.ask(&options);
    assert_eq!(done["outcomes"], json!({ "applied": 4, "unchanged": 2 }));
}

#[test]
fn a_dry_run_of_an_end_says_what_would_change_and_changes_nothing() {
    let app = TestApp::with_shops();
    app.ask(&["campaign", "start", "--kind", "rider_shortage", "--all"]);
    app.ask(&["campaign", "start", "--kind", "system_failure", "--region", "Hackney"]);
    let before = app.state();
    let end = ["campaign", "end", "2", "--dry-run"];
    let forecast = app.ask(&end);
    assert_eq!((&forecast["released"], &forecast["changed"]), (&json!(6), &json!(4)));
    assert_eq!((&forecast["narrowest"], &forecast["widest"]), (&json!(1000), &json!(5000)));
    let told = app.run(&end);
    assert!(told.done().starts_with("shops      6\nchanged    4\nunchanged  2\n"), "{told:?}");
    assert!(told.stdout.ends_with("\nNothing was changed.\n"), "{told:?}");
    assert_eq!(app.state(), before);
    let ended = app.ask(&["campaign", "end", "2"]);
    assert_eq!(ended["releases"], json!({ "applied": 4, "unchanged": 2 }));
    let again = app.run(&end);
    let line = "catchment: could not end the campaign: campaign 2 has ended already\n";
    assert_eq!((again.code, again.stderr.as_str()), (Some(1), line));
}

#[test]
fn a_dry_run_says_how_many_regions_it_does_not_name() {
    let app = TestApp::empty();
    let rows: Vec<String> = (0..12).map(|n| format!("s{n},n,c,Region {n},0,0")).collect();
    assert_eq!(app.import(&format!("{HEADER}\n{}\n", rows.join("\n")), &[]).code, Some(0));
    let told = app.run(&["campaign", "start", "--kind", "bad_weather", "--all", "--dry-run"]);
    assert_eq!(told.stdout.matches("\nRegion ").count(), 10, "{told:?}");
    assert!(told.stdout.ends_with("\nand 2 other regions\nNothing was changed.\n"), "{told:?}");
}

#[test]
fn shops_that_are_not_there_are_rejected_and_make_the_command_fail() {
    let app = TestApp::with_shops();
    app.file("ids", " a \n\nnobody\na\n");
    let options = ["campaign", "start", "--kind", "manual", "--limit", "closed", "--ids", "ids"];
    let ran = app.run(&options);
    assert_eq!(ran.code, Some(1));
    assert_eq!(
        ran.stderr,
        "catchment: campaign 2 did not reach every shop: 1 rejected; \
         `catchment campaign outcomes 2 --status rejected` shows them; \
         there is no shop of these ids\n"
    );
    let outcomes = app.run(&["campaign", "outcomes", "2", "--format", "csv"]).stdout;
    let mut lines: Vec<&str> = outcomes.lines().skip(1).collect();
    lines.sort_unstable();
    assert_eq!(lines, ["a,applied,,", "nobody,rejected,unknown_shop,there is no shop of this id"]);
    assert_eq!(app.run(&["campaign", "retry", "2"]).code, Some(1));
    assert_eq!(app.ask(&["campaign", "show", "2"])["attempt"], 2);
}

#[test]
fn a_replaced_campaign_ends_and_its_shops_follow_the_new_one() {
    let app = TestApp::with_shops();
    app.ask(&["campaign", "start", "--kind", "manual", "--limit", "2km", "--all"]);
    let options = "campaign start --kind manual --limit 4km --region Hackney --replace 2";
    let options: Vec<&str> = options.split(' ').collect();
    let dry_run = [&options[..], &["--dry-run"]].concat();
    let forecast = app.ask(&dry_run);
    assert_eq!((&forecast["shops"], &forecast["released"]), (&json!(2), &json!(4)));
    let told = app.run(&dry_run).stdout;
    assert!(told.contains("\nand 4 shops of campaign 2 are released\n"), "{told}");
    app.ask(&options);
    let watched = app.ask(&["campaign", "watch", "2"]);
    assert_eq!((&watched["status"], &watched["replacedBy"]), (&json!("ended"), &json!(3)));
    assert_eq!(radius(&app, "a"), (json!(4000), json!(3)));
    assert_eq!(radius(&app, "c"), (json!(5000), Value::Null));
}

#[test]
fn a_deadline_that_passed_is_told_with_what_to_do_next() {
    let app = TestApp::with_shops();
    let options = ["campaign", "start", "--kind", "manual", "--limit", "2km", "--all"];
    let ran = app.run(&[&options[..], &["--timeout", "1ms"]].concat());
    let settled = ran.stdout.lines().nth(1).unwrap_or_default();
    assert!(settled.starts_with("campaign 2 is settled (6 shops, "), "{ran:?}");
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("did not reach every shop: 6 expired; "), "{ran:?}");
    assert!(ran.stderr.contains("with a longer `--timeout`"), "{ran:?}");
    assert_eq!(radius(&app, "a"), (json!(5000), Value::Null));
    let retried = app.run(&["campaign", "retry", "2"]);
    assert_eq!(retried.code, Some(1), "{retried:?}");
}

#[test]
fn trigger_kinds_are_listed_by_rank() {
    let ran = TestApp::empty().run(&["triggers"]);
    assert_eq!(ran.code, Some(0));
    let lines: Vec<Vec<&str>> =
        ran.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(
        lines,
        [
            vec!["kind", "rank", "default", "limit"],
            vec!["manual", "20", "-"],
            vec!["bad_weather", "10", "50", "%"],
            vec!["order_surge", "10", "70", "%"],
            vec!["rider_shortage", "10", "3", "km"],
            vec!["system_failure", "10", "1", "km"],
        ]
    );
}
