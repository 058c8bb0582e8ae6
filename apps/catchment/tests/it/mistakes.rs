//! Every mistake of a user gets one clear line and the right exit code, and changes nothing.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::app::{HEADER, Ran, TestApp, program};

/// Checks that a run prints only this line, exits with this code, and changes nothing.
fn check(app: &TestApp, arguments: &[&str], code: i32, line: &str) {
    let before = app.state();
    let ran = app.run(arguments);
    let expected =
        Ran { code: Some(code), stdout: String::new(), stderr: format!("catchment: {line}\n") };
    assert_eq!(ran, expected, "{arguments:?}");
    assert_eq!(app.state(), before, "{arguments:?}");
}

#[test]
fn files_that_are_none_of_shops() {
    let app = TestApp::with_shops();
    app.file("binary", b"\x7fELF\x02\x01\x01\0\0\0");
    app.file("empty", "");
    app.file("column", "id,name,category,region,latitude,lon\na,n,c,r,1,2\n");
    let import = |file, line: &str| {
        let line = format!("could not import {file}: {line}");
        check(&app, &["shops", "import", file], 1, &line);
    };
    import("missing.csv", "there is no such file");
    import(".", "it is a folder");
    import("empty", "it is empty");
    import("binary", "it is not a CSV file: its first line is not text");
    import("column", "it has no column `lat`, only id, name, category, region, latitude, lon");
}

#[test]
fn rows_that_are_no_shops() {
    let app = TestApp::with_shops();
    for (row, reason) in [
        ("x,n,c,r,91,0,", "a latitude lies between -90 and 90 degrees, not 91"),
        ("x,n,c,r,NaN,0,", "a latitude lies between -90 and 90 degrees, not NaN"),
        ("x,n,c,r,0,0,-1", "base_radius is `-1`: a radius cannot be negative"),
        (
            "x,n,c,r,0,0,1000000000000",
            "base_radius is `1000000000000`: a radius is at most 100000 m",
        ),
        ("a,n,c,r,0,0,", "the id `a` is in line 2 already"),
    ] {
        app.file("bad.csv", format!("{HEADER},base_radius\na,n,c,r,0,0,\n{row}\n"));
        let line = format!(
            "could not import bad.csv: line 3: {reason}; \
             nothing was stored (--skip-bad leaves bad rows out)"
        );
        check(&app, &["shops", "import", "bad.csv"], 1, &line);
    }
}

#[test]
fn a_line_without_an_end() {
    let app = TestApp::with_shops();
    let before = app.state();
    let mut child = Command::new(program())
        .args(["shops", "import", "-"])
        .current_dir(app.path(""))
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let piece = vec![b'x'; 1 << 16];
    let mut written = 0_usize;
    input.write_all(format!("{HEADER}\n").as_bytes()).unwrap();
    // Writing fails when the command no longer reads.
    while written < 1 << 30 && input.write_all(&piece).is_ok() {
        written += piece.len();
    }
    drop(input);
    let ran = Ran::from(child.wait_with_output().unwrap());
    let line = "catchment: could not import the standard input: line 2 is longer than 1 MiB\n";
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(1), line));
    assert!(written < 4 << 20, "read {written} bytes of one line");
    assert_eq!(app.state(), before);
}

#[test]
fn limits_and_kinds_that_make_no_sense() {
    let app = TestApp::with_shops();
    for (limit, why) in [
        ("3 parsecs", "expected a limit such as `3km`, `1500m`, `50%` or `closed`"),
        ("150%", "a limit is at most 100%"),
        ("0m", "a limit of zero is refused: say `closed`"),
        ("3", "say `3m` or `3km`"),
    ] {
        let line = format!("invalid value '{limit}' for '--limit <LIMIT>': {why}");
        start(&app, &["--kind", "manual", "--all", "--limit", limit], 2, &line);
    }
    let line = "there is no trigger kind `bad_wether`: did you mean `bad_weather`?";
    start(&app, &["--kind", "bad_wether", "--all"], 1, &format!("{FAILED}: {line}"));
    let line = "`manual` has no limit of its own: say --limit";
    start(&app, &["--kind", "manual", "--all"], 1, &format!("{FAILED}: {line}"));
}

#[test]
fn lanes_that_are_none() {
    let app = TestApp::with_shops();
    let line = "the following required arguments were not provided: <LANE|--all>";
    check(&app, &["lanes", "accept"], 2, line);
    check(&app, &["lanes", "accept", "--reply"], 2, line);
    let line = "the argument '[LANE]' cannot be used with '--all'";
    check(&app, &["lanes", "accept", "1", "--all"], 2, line);
    for number in ["x", "65536"] {
        let line =
            format!("invalid value '{number}' for '[LANE]': expected a lane's number, such as 3");
        check(&app, &["lanes", "accept", number], 2, &line);
    }
}

#[test]
fn scopes_that_hold_nothing() {
    let app = TestApp::with_shops();
    let line = "the following required arguments were not provided: \
                <--all|--ids <FILE>|--region <R>|--category <C>|--within <LAT,LON,RADIUS>>";
    start(&app, &["--kind", "bad_weather"], 2, line);
    for (options, line) in [
        (&["--region", "Hackny"][..], "there is no region `Hackny`: did you mean `Hackney`?"),
        (&["--region", "역삼동"], "there is no region `역삼동`: did you mean `강남구 역삼동`?"),
        (&["--category", "caffe"], "there is no category `caffe`: did you mean `cafe`?"),
        (&["--within", "0,0,1km"], "the scope has no shop"),
        (&["--within", "0,0,1km", "--dry-run"], "the scope has no shop"),
        (&["--ids", "none"], "there is no shop id in none"),
        (&["--ids", "missing"], "could not read ids from missing: there is no such file"),
        (&["--all", "--replace", "99"], "there is no campaign 99"),
        (&["--all", "--until", "2001-01-01T00:00:00Z"], "--until lies in the past"),
    ] {
        app.file("none", "\n \n");
        let options = [&["--kind", "bad_weather"], options].concat();
        start(&app, &options, 1, &format!("{FAILED}: {line}"));
    }
}

const FAILED: &str = "could not start the campaign";

fn start(app: &TestApp, options: &[&str], code: i32, line: &str) {
    check(app, &[&["campaign", "start"], options].concat(), code, line);
}

#[test]
fn campaigns_that_are_not_there_or_over() {
    let app = TestApp::with_shops();
    let campaign = app.ask(&["campaign", "start", "--kind", "bad_weather", "--all"]);
    assert_eq!(campaign["campaign"], 2);
    for (command, verb) in [
        ("show", "show the campaign"),
        ("watch", "watch the campaign"),
        ("end", "end the campaign"),
        ("retry", "retry the campaign"),
        ("give-up", "give up the campaign"),
        ("outcomes", "list the outcomes"),
    ] {
        let line = format!("could not {verb}: there is no campaign 99");
        check(&app, &["campaign", command, "99"], 1, &line);
    }
    assert_eq!(app.run(&["campaign", "end", "2"]).code, Some(0));
    let line = "could not end the campaign: campaign 2 has ended already";
    check(&app, &["campaign", "end", "2"], 1, line);
}

#[test]
fn formats_that_contradict_each_other() {
    let app = TestApp::with_shops();
    app.ask(&["campaign", "start", "--kind", "bad_weather", "--all"]);
    check(
        &app,
        &["--json", "campaign", "outcomes", "2", "--format", "csv"],
        2,
        "--json is ndjson: leave out --json or --format",
    );
}

#[test]
fn words_that_are_unknown() {
    let app = TestApp::with_shops();
    check(&app, &["frobnicate"], 2, "unrecognized subcommand 'frobnicate'");
    check(
        &app,
        &["campaign", "start", "--kidn", "manual"],
        2,
        "unexpected argument '--kidn' found; tip: a similar argument exists: '--kind'",
    );
    check(
        &app,
        &["shops", "show", "nobody"],
        1,
        "could not show shop `nobody`: there is no such shop",
    );
}
