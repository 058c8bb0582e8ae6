//! Written files are complete or absent, and never replace the database.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::app::{Ran, TestApp, program};

#[track_caller]
fn check_refused(app: &TestApp, target: &str) {
    let before = app.state();
    let ran = app.run(&["shops", "export", "-o", target]);
    let stderr = format!(
        "catchment: could not write {target}: it belongs to a database; name another file\n"
    );
    assert_eq!(ran, Ran { code: Some(1), stdout: String::new(), stderr });
    assert_eq!(app.state(), before, "{target}");
}

#[test]
fn shops_export_to_catchment_db_is_refused_under_every_name() {
    let app = TestApp::with_shops();
    let path = app.path("catchment.db");
    symlink(&path, app.path("link.csv")).unwrap();
    fs::create_dir(app.path("sub")).unwrap();
    for target in ["catchment.db", "./sub/../catchment.db", "link.csv"] {
        check_refused(&app, target);
    }
    check_refused(&app, path.to_str().unwrap());
    // This leaves the lock file of the engine.
    app.run(&["campaign", "start", "--kind", "bad_weather", "--all"]).done();
    fs::hard_link(app.path("catchment.db.lock"), app.path("hard.csv")).unwrap();
    check_refused(&app, "hard.csv");
    for side_file in ["-wal", "-shm", "-journal", ".lock"] {
        check_refused(&app, &format!("catchment.db{side_file}"));
    }
}

#[test]
fn shops_export_to_any_other_database_is_refused() {
    let app = TestApp::with_shops();
    app.run(&["database", "backup", "other.db"]).done();
    symlink("other.db", app.path("link.csv")).unwrap();
    let before = fs::read(app.path("other.db")).unwrap();
    for target in ["other.db", "link.csv", "other.db-wal", "other.db-journal", "other.db.lock"] {
        check_refused(&app, target);
    }
    assert_eq!(fs::read(app.path("other.db")).unwrap(), before);
    app.file("out.csv", "");
    app.file("out.csv.lock", "of another program");
    app.run(&["shops", "export", "-o", "out.csv"]).done();
}

#[test]
fn an_export_leaves_a_file_that_is_write_protected() {
    let app = TestApp::with_shops();
    app.file("out.csv", "the old one");
    fs::set_permissions(app.path("out.csv"), fs::Permissions::from_mode(0o444)).unwrap();
    let ran = app.run(&["shops", "export", "-o", "out.csv"]);
    let stderr = "catchment: could not write out.csv: it is write-protected\n".to_owned();
    assert_eq!(ran, Ran { code: Some(1), stdout: String::new(), stderr });
    assert_eq!(fs::read(app.path("out.csv")).unwrap(), b"the old one");
}

#[test]
fn an_export_to_the_standard_output_by_its_name_is_appended() {
    let app = TestApp::with_shops();
    let exported = app.run(&["shops", "export"]).stdout;
    app.file("all.csv", "before\n");
    let all = fs::File::options().append(true).open(app.path("all.csv")).unwrap();
    let mut command = app.command(&["shops", "export", "-o", "/dev/stdout"]);
    assert!(command.stdout(all).status().unwrap().success());
    assert_eq!(fs::read_to_string(app.path("all.csv")).unwrap(), format!("before\n{exported}"));
}

#[test]
fn an_export_that_fails_leaves_the_old_file_and_nothing_else() {
    let app = TestApp::empty();
    app.run(&["shops", "generate", "--count", "5000"]).done();
    app.file("out.csv", "the old one");
    let before = app.names();
    // The signal that comes with the failure would end the command if it were not ignored.
    let limited = "trap '' XFSZ; ulimit -f 200; exec \"$@\"";
    for target in ["out.csv", "new.csv"] {
        let ran = Command::new("sh")
            .args(["-c", limited, "sh"])
            .arg(program())
            .args(["shops", "export", "-o", target])
            .current_dir(app.path(""))
            .env_clear()
            .output();
        let ran = Ran::from(ran.unwrap());
        assert_eq!((ran.code, ran.stderr.lines().count()), (Some(1), 1), "{ran:?}");
        assert!(ran.stderr.starts_with(&format!("catchment: could not write {target}: ")));
        assert_eq!(app.names(), before);
    }
    assert_eq!(fs::read(app.path("out.csv")).unwrap(), b"the old one");
    app.run(&["shops", "export", "-o", "out.csv"]).done();
    assert_eq!(fs::read_to_string(app.path("out.csv")).unwrap().lines().count(), 5_001);
    assert_eq!(app.names(), before);
}

#[test]
fn an_export_takes_the_place_of_a_file_as_it_was() {
    let app = TestApp::with_shops();
    let expected = app.run(&["shops", "export"]).stdout;
    fs::create_dir(app.path("sub")).unwrap();
    app.file("sub/out.csv", "the old one");
    fs::set_permissions(app.path("sub/out.csv"), fs::Permissions::from_mode(0o640)).unwrap();
    symlink("sub/out.csv", app.path("link.csv")).unwrap();
    for target in ["link.csv", "new.csv"] {
        app.run(&["shops", "export", "-o", target]).done();
        assert_eq!(fs::read_to_string(app.path(target)).unwrap(), expected);
    }
    let mode = |name| fs::metadata(app.path(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("sub/out.csv"), 0o640);
    app.file("usual", "");
    assert_eq!(mode("new.csv"), mode("usual"));
    assert!(app.path("link.csv").is_symlink());
    assert_eq!(app.run(&["shops", "export", "-o", "-"]).done(), expected);
    assert_eq!(app.run(&["shops", "export", "-o", "/dev/stdout"]).done(), expected);
    assert!(!app.path("-").exists());
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let app = TestApp::with_shops();
    symlink("nowhere", app.path("broken.csv")).unwrap();
    for (target, reason) in [
        (".", "it is a folder"),
        ("broken.csv", "it is a link to a file that is not there"),
        ("missing/out.csv", "its folder cannot be used: No such file or directory (os error 2)"),
    ] {
        let ran = app.run(&["shops", "export", "-o", target]);
        let stderr = format!("catchment: could not write {target}: {reason}\n");
        assert_eq!(ran, Ran { code: Some(1), stdout: String::new(), stderr });
    }
}

#[test]
fn an_export_is_compressed_where_its_name_says_so() {
    let app = TestApp::with_shops();
    app.run(&["shops", "export", "-o", "all.csv.gz"]).done();
    assert!(fs::read(app.path("all.csv.gz")).unwrap().starts_with(b"\x1f\x8b"));
    let other = ["--database", "sqlite://other.db"];
    let imported = app.run(&[&other[..], &["shops", "import", "all.csv.gz"]].concat());
    assert_eq!(imported.done(), "added 6, updated 0, bad 0\n");
    for (name, code, part) in [
        ("all.csv.zst", 2, "an export is compressed where its name ends with `.gz`"),
        ("sqlite:all.csv", 2, "it is a URL; name the file by its path, such as `all.csv`"),
        ("new.db-wal", 1, "is that of a file beside a database; name another file"),
    ] {
        let ran = app.run(&["shops", "export", "-o", name]);
        assert_eq!((ran.code, ran.stderr.lines().count()), (Some(code), 1), "{ran:?}");
        assert!(ran.stderr.contains(part), "{ran:?}");
        assert!(!app.path(name).exists(), "{name}");
    }
}

#[test]
fn an_interrupt_ends_an_export_into_a_pipe_that_nobody_reads() {
    let app = TestApp::empty();
    // These shops fill more than a pipe.
    app.run(&["shops", "generate", "--count", "5000"]).done();
    assert!(Command::new("mkfifo").arg(app.path("out.csv")).status().unwrap().success());
    let mut child = app.command(&["shops", "export", "-o", "out.csv"]).spawn().unwrap();
    // The open call returns when the command has opened the pipe.
    let reader = fs::File::open(app.path("out.csv")).unwrap();
    let sent = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
    assert!(sent.unwrap().success());
    let deadline = Instant::now() + Duration::from_secs(20);
    while child.try_wait().unwrap().is_none() && Instant::now() < deadline {
        std::thread::park_timeout(Duration::from_millis(5));
    }
    let ended = child.try_wait().unwrap();
    child.kill().unwrap();
    assert_eq!(ended.and_then(|status| status.signal()), Some(15));
    drop(reader);
}
