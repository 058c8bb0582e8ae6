//! Databases that cannot be used, or not now.

use crate::app::{HEADER, Ran, TestApp, program};

const ROW: &str = "x,n,c,r,0,0";

/// Checks that a command on this database says a line that begins so, and leaves the file alone.
fn check(app: &TestApp, url: &str, line: &str) {
    app.file("one.csv", format!("{HEADER}\n{ROW}\n"));
    let before = std::fs::read(app.path("catchment.db")).unwrap();
    let ran = app.run(&["--database", url, "shops", "import", "one.csv"]);
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.lines().count()), (Some(1), "", 1));
    assert!(ran.stderr.starts_with(&format!("catchment: {line}")), "{ran:?}");
    assert_eq!(std::fs::read(app.path("catchment.db")).unwrap(), before);
}

/// Puts other bytes into the database's file.
fn overwrite(app: &TestApp, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = std::fs::read(app.path("catchment.db")).unwrap();
    change(&mut bytes);
    app.file("catchment.db", bytes);
}

#[test]
fn a_file_that_is_no_database() {
    let app = TestApp::empty();
    app.file("catchment.db", "a shopping list");
    let line = "could not open the database: \
                `catchment.db` is no database, or a damaged one; name another file";
    check(&app, "sqlite://catchment.db", line);
}

#[test]
fn a_database_of_another_program() {
    let app = TestApp::with_shops();
    // The application id stands in bytes 68 to 71 of the header.
    overwrite(&app, |bytes| bytes[68..72].fill(0));
    let line = "could not open the database: \
                `catchment.db` is the database of another program; name another one";
    check(&app, "sqlite://catchment.db", line);
}

#[test]
fn a_database_of_a_newer_version() {
    let app = TestApp::with_shops();
    overwrite(&app, |bytes| {
        let name = b"m0002_campaigns";
        let places = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(name));
        for at in places.collect::<Vec<_>>() {
            bytes[at + 1..at + 5].copy_from_slice(b"9999");
        }
    });
    let line = "could not open the database: `catchment.db` was written by a newer version \
                of this program; update this one";
    check(&app, "sqlite://catchment.db", line);
}

#[test]
fn a_database_that_is_read_only() {
    let app = TestApp::with_shops();
    let line = "could not import one.csv: nothing was stored: the database cannot be written";
    check(&app, "sqlite://catchment.db?mode=ro", line);
}

#[test]
fn a_database_that_is_not_there_is_made_by_an_import_alone() {
    let app = TestApp::empty();
    let ran = app.run(&["campaign", "list"]);
    let stderr = "catchment: could not open the database: \
                  there is no database `catchment.db`; check the path\n";
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(1), stderr));
    assert!(!app.path("catchment.db").exists());
    assert_eq!(app.import(&format!("{HEADER}\n{ROW}\n"), &[]).code, Some(0));
    assert!(app.path("catchment.db").exists());
}

#[test]
fn a_full_disk_stops_an_import_and_harms_nothing() {
    let app = TestApp::empty();
    let disk = app.path("disk");
    std::fs::create_dir(&disk).unwrap();
    let script = "mount -t tmpfs -o size=400k tmpfs disk && cd disk && \
                  $CATCHMENT shops generate --count 200 >&2 && \
                  $CATCHMENT shops export | sort > ../before && \
                  { $CATCHMENT shops generate --count 20000 --seed 2; echo code $?; } && \
                  $CATCHMENT shops export | sort > ../after";
    let ran = in_a_namespace(&app, script);
    if ran.code != Some(0) {
        eprintln!("skipped: no small disk can be mounted here: {}", ran.stderr);
        return;
    }
    assert_eq!(ran.stdout, "code 1\n");
    let line = ran.stderr.lines().last().unwrap();
    assert!(
        line.starts_with("catchment: could not generate shops: nothing was stored: "),
        "{ran:?}"
    );
    assert!(line.ends_with("database or disk is full"), "{ran:?}");
    let [before, after] = ["before", "after"].map(|name| std::fs::read(app.path(name)).unwrap());
    assert_eq!(before, after);
}

/// Runs a script with a mount table of its own.
fn in_a_namespace(app: &TestApp, script: &str) -> Ran {
    let unshare = std::process::Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", script])
        .current_dir(app.path(""))
        .env("CATCHMENT", program())
        .output();
    match unshare {
        Ok(output) => output.into(),
        Err(error) => Ran { code: None, stdout: String::new(), stderr: error.to_string() },
    }
}
