//! Databases that cannot be used, or cannot be used now.

use std::process::Command;

use crate::app::{HEADER, Ran, TestApp, program};

const ROW: &str = "x,n,c,r,0,0";

/// Checks that a command on this database prints a line that begins with `line`, and does not
/// change the file.
fn check(app: &TestApp, url: &str, line: &str) {
    app.file("one.csv", format!("{HEADER}\n{ROW}\n"));
    let before = std::fs::read(app.path("catchment.db")).unwrap();
    let ran = app.run(&["--database", url, "shops", "import", "one.csv"]);
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.lines().count()), (Some(1), "", 1));
    assert!(ran.stderr.starts_with(&format!("catchment: {line}")), "{ran:?}");
    assert_eq!(std::fs::read(app.path("catchment.db")).unwrap(), before);
}

/// Overwrites bytes of the database's file.
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
    // The application id is in bytes 68 to 71 of the header.
    overwrite(&app, |bytes| bytes[68..72].fill(0));
    let line = "could not open the database: \
                `catchment.db` is the database of another program; name another one";
    check(&app, "sqlite://catchment.db", line);
}

#[test]
fn a_database_of_a_newer_version() {
    let app = TestApp::with_shops();
    overwrite(&app, |bytes| {
        let name = b"0002_campaigns";
        let places = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(name));
        for at in places.collect::<Vec<_>>() {
            bytes[at..at + 4].copy_from_slice(b"9999");
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

/// A limit on the size of files makes a write fail in the middle, like a full disk.
#[test]
fn a_disk_that_takes_no_more_stops_an_import_and_harms_nothing() {
    let app = TestApp::empty();
    app.run(&["shops", "generate", "--count", "200"]).done();
    let generate = ["shops", "generate", "--count", "20000", "--seed", "2"];
    // The signal that comes with the failure would end the command if it were not ignored.
    let limited = "trap '' XFSZ; ulimit -f 1000; exec \"$@\"";
    let ran = Command::new("sh")
        .args(["-c", limited, "sh"])
        .arg(program())
        .args(generate)
        .current_dir(app.path(""))
        .env_clear()
        .output();
    let ran = Ran::from(ran.unwrap());
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{ran:?}");
    let line = ran.stderr.lines().last().unwrap();
    let count = line.strip_prefix("catchment: could not generate shops: only ").unwrap();
    let (count, rest) = count.split_once(" shops were stored; ").unwrap();
    assert!(rest.starts_with("the import can be repeated: "), "{ran:?}");
    assert!(rest.ends_with("disk I/O error"), "{ran:?}");
    assert!((201..20_000).contains(&count.replace(',', "").parse().unwrap()), "{ran:?}");
    app.run(&generate).done();
    let exported = app.run(&["shops", "export"]);
    assert_eq!(exported.done().lines().count(), 1 + 20_000, "a header, and every shop once");
}
