//! Names and copies of an embedded database.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::app::{HEADER, Ran, TestApp, program};

/// Starts a campaign over so many shops that it takes a while, and waits until it has begun.
fn running(app: &TestApp) -> Child {
    app.run(&["shops", "generate", "--count", "30000"]).done();
    let arguments = ["--json", "campaign", "start", "--all", "--kind", "rider_shortage"];
    let mut command = app.command(&arguments);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert!(line.contains("\"status\":\"sending\""), "{line}");
    child
}

/// Starts a command, and waits until a file is half written.
fn writing(app: &TestApp, arguments: &[&str]) -> Child {
    let mut command = app.command(arguments);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while !is_writing(app) {
        assert!(child.try_wait().unwrap().is_none(), "{:?}", app.names());
    }
    child
}

fn is_writing(app: &TestApp) -> bool {
    app.names().iter().any(|name| name.ends_with(".partial"))
}

/// Starts a command, and stops it while a file is half written. Repeats a command that was too
/// fast.
#[cfg(unix)]
fn stopped(app: &TestApp, arguments: &[&str], file: &str) -> Child {
    let mut attempts = (0..20).map(|_| writing(app, arguments));
    let stopped = attempts.find_map(|child| {
        send(&child, "-STOP");
        if is_writing(app) {
            return Some(child);
        }
        send(&child, "-CONT");
        Ran::from(child.wait_with_output().unwrap()).done();
        fs::remove_file(app.path(file)).unwrap();
        None
    });
    stopped.unwrap()
}

#[cfg(unix)]
fn send(child: &Child, signal: &str) {
    let sent = Command::new("kill").args([signal, &child.id().to_string()]).status();
    assert!(sent.unwrap().success());
}

#[cfg(unix)]
fn make_pipe(app: &TestApp, name: &str) {
    assert!(Command::new("mkfifo").arg(app.path(name)).status().unwrap().success());
}

/// Runs a command that must not wait for anything.
#[cfg(unix)]
fn run_in_time(app: &TestApp, arguments: &[&str]) -> Ran {
    let mut child =
        app.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for_end(&mut child);
    Ran::from(child.wait_with_output().unwrap())
}

#[cfg(unix)]
fn wait_for_end(child: &mut Child) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while child.try_wait().unwrap().is_none() && Instant::now() < deadline {
        std::thread::park_timeout(Duration::from_millis(5));
    }
    let ended = child.try_wait().unwrap();
    child.kill().unwrap();
    assert!(ended.is_some(), "the command does not end");
}

#[track_caller]
fn refused(ran: &Ran, line: &str) {
    let stderr = format!("catchment: {line}\n");
    assert_eq!(ran, &Ran { code: Some(1), stdout: String::new(), stderr });
}

#[cfg(unix)]
#[test]
fn two_engines_on_one_file_by_a_hard_link_are_refused() {
    let app = TestApp::empty();
    let mut child = running(&app);
    fs::hard_link(app.path("catchment.db"), app.path("link.db")).unwrap();
    let start = ["--database", "sqlite://link.db", "campaign", "start", "--all", "--yes", "--kind"];
    let ran = app.run(&[&start[..], &["bad_weather"]].concat());
    let line = "could not open the database: `link.db` has another name (a hard link), and SQLite \
                keeps a log beside each name; remove one of the names";
    refused(&ran, line);
    assert!(!app.path("link.db-wal").exists());
    fs::remove_file(app.path("link.db")).unwrap();
    assert!(child.wait().unwrap().success());
}

/// Returns whether this process may mount without a namespace of its own.
#[cfg(target_os = "linux")]
fn may_mount() -> bool {
    const CAP_SYS_ADMIN: u32 = 21;
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let rights = status.lines().find_map(|line| line.strip_prefix("CapEff:")).unwrap();
    u64::from_str_radix(rights.trim(), 16).unwrap() & (1 << CAP_SYS_ADMIN) != 0
}

/// If only root may mount, and the test does not run as root, there is nothing to refuse.
#[cfg(target_os = "linux")]
#[test]
fn two_engines_on_one_file_by_a_mount_of_the_single_file_are_refused() {
    let app = TestApp::with_shops();
    fs::create_dir(app.path("mounted")).unwrap();
    app.file("mounted/catchment.db", "");
    let mounted = |script: &str| {
        let namespaces: &[&str] =
            if may_mount() { &["--mount"] } else { &["--mount", "--map-root-user"] };
        let mut command = Command::new("unshare");
        command.args(namespaces).args(["sh", "-c", script, "sh"]);
        command.arg(program()).current_dir(app.path("")).output()
    };
    let mount = "mount --bind catchment.db mounted/catchment.db";
    let tried = mounted(mount);
    if !tried.as_ref().is_ok_and(|output| output.status.success()) {
        assert!(!may_mount(), "{tried:?}");
        return;
    }
    let url = "sqlite://mounted/catchment.db";
    let ran = mounted(&format!("{mount} && exec \"$1\" --database {url} campaign list"));
    let line = "could not open the database: `mounted/catchment.db` is mounted as a single file, \
                so its log `mounted/catchment.db-wal` would lie elsewhere than the file itself; \
                mount its folder";
    refused(&Ran::from(ran.unwrap()), line);
    assert_eq!(fs::read_dir(app.path("mounted")).unwrap().count(), 1);
}

#[cfg(unix)]
#[test]
fn two_engines_on_one_file_by_a_symbolic_link_are_one_database() {
    let app = TestApp::empty();
    let child = running(&app);
    std::os::unix::fs::symlink(app.path("catchment.db"), app.path("link.db")).unwrap();
    let start = ["--database", "sqlite://link.db", "campaign", "start", "--all", "--kind"];
    let second = app.ask(&[&start[..], &["bad_weather"]].concat());
    assert_eq!(second["status"], "settled");
    assert_eq!(Ran::from(child.wait_with_output().unwrap()).code, Some(0));
    app.run(&["audit"]).done();
}

#[test]
fn a_copy_without_its_wal_is_refused_and_says_how_to_go_on() {
    let app = TestApp::empty();
    let mut child = running(&app);
    fs::copy(app.path("catchment.db"), app.path("copy.db")).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let ran = app.run(&["--database", "sqlite://copy.db", "campaign", "list"]);
    let line = "`copy.db` was copied or renamed without its log while it was in use: what was \
                stored last is missing; bring the log here as `copy.db-wal`, or give the file its \
                old name back, or take it as it is with `catchment database restore FILE \
                --incomplete`";
    refused(&ran, &format!("could not open the database: {line}"));
    let restored = ["--database", "sqlite://new.db", "database", "restore", "copy.db"];
    refused(&app.run(&restored), &format!("could not restore the database: {line}"));
    app.run(&[&restored[..], &["--incomplete"]].concat()).done();
    app.run(&["--database", "sqlite://new.db", "campaign", "list"]).done();
    // The file of the killed process still has its log, and can be used.
    assert_eq!(app.ask(&["campaign", "watch", "2"])["status"], "settled");
}

#[test]
fn a_database_that_is_renamed_after_a_kill_goes_on_only_with_its_wal() {
    let app = TestApp::empty();
    let mut child = running(&app);
    child.kill().unwrap();
    child.wait().unwrap();
    fs::rename(app.path("catchment.db"), app.path("moved.db")).unwrap();
    let moved = ["--database", "sqlite://moved.db"];
    let ran = app.run(&[&moved[..], &["campaign", "list"]].concat());
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{ran:?}");
    assert!(ran.stderr.contains("bring the log here as `moved.db-wal`"), "{ran:?}");
    let ran = app.run(&["campaign", "list"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{ran:?}");
    assert!(ran.stderr.contains("there is no database `catchment.db`, but its file"), "{ran:?}");
    fs::rename(app.path("catchment.db-wal"), app.path("moved.db-wal")).unwrap();
    let watched = app.run(&[&["--json"], &moved[..], &["campaign", "watch", "2"]].concat());
    assert_eq!(watched.value()["outcomes"], json!({ "applied": 30_000 }));
}

#[test]
fn a_backup_beside_a_running_engine_holds_a_whole_campaign() {
    let app = TestApp::empty();
    let child = running(&app);
    let backup = app.ask(&["database", "backup", "copy.db"]);
    assert_eq!((&backup["shops"], &backup["revision"]), (&json!(30_000), &json!(2)));
    assert_eq!((&backup["database"], &backup["file"]), (&json!("catchment.db"), &json!("copy.db")));
    let campaign = Ran::from(child.wait_with_output().unwrap());
    assert_eq!(campaign.code, Some(0));
    let copy = ["--json", "--database", "sqlite://copy.db"];
    let watched = app.run(&[&copy[..], &["campaign", "watch", "2"]].concat()).value();
    assert_eq!(watched["outcomes"], json!({ "applied": 30_000 }));
    app.run(&[&copy[..], &["audit"]].concat()).done();
}

#[test]
fn a_backup_replaces_nothing_unless_that_is_said() {
    let app = TestApp::with_shops();
    app.file("copy.db", "a letter");
    let attempt = "could not back up the database";
    refused(
        &app.run(&["database", "backup", "copy.db"]),
        &format!(
            "{attempt}: could not write `copy.db`: it is there already; name another file, or say \
             `--force`"
        ),
    );
    assert_eq!(fs::read(app.path("copy.db")).unwrap(), b"a letter");
    let ran = app.run(&["database", "backup", "copy.db", "--force"]);
    let bytes = fs::metadata(app.path("copy.db")).unwrap().len();
    assert_eq!(bytes % 8_192, 0);
    assert!(ran.done().starts_with("wrote copy.db: 6 shops, newest revision 1, "), "{ran:?}");
    app.run(&["--database", "sqlite://copy.db", "campaign", "list"]).done();
    let line = format!(
        "{attempt}: could not write `copy.db`: it is a database and no copy; name another file"
    );
    refused(&app.run(&["database", "backup", "copy.db", "--force"]), &line);
    for own in ["catchment.db", "./catchment.db", "catchment.db-wal", "catchment.db.lock"] {
        let line = format!(
            "{attempt}: could not write `{own}`: it belongs to a database; name another file"
        );
        refused(&app.run(&["database", "backup", own, "--force"]), &line);
    }
    let before = app.state();
    let missing = app.run(&["database", "backup", "nowhere/copy.db"]);
    assert_eq!((missing.code, missing.stderr.lines().count()), (Some(1), 1), "{missing:?}");
    assert_eq!(app.state(), before);
}

/// A device would be refused like this pipe, because neither is a regular file. No test may name a
/// device: a failing test would replace it.
#[cfg(unix)]
#[test]
fn a_backup_replaces_regular_files_alone() {
    use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _, chown, symlink};

    let app = TestApp::with_shops();
    let check = |target: &str, reason: &str| {
        let before = app.names();
        let ran = app.run(&["database", "backup", target, "--force"]);
        let line = format!("could not back up the database: could not write `{target}`: {reason}");
        refused(&ran, &line);
        assert_eq!(app.names(), before);
    };
    let made = Command::new("mkfifo").arg(app.path("pipe.db")).status().unwrap();
    assert!(made.success());
    check("pipe.db", "it is no regular file; name another one");
    assert!(fs::symlink_metadata(app.path("pipe.db")).unwrap().file_type().is_fifo());
    fs::create_dir(app.path("folder")).unwrap();
    check("folder", "it is a folder");
    symlink("nowhere.db", app.path("link.db")).unwrap();
    check("link.db", "it is a link to a file that is not there");
    refused(
        &app.run(&["database", "backup", "link.db"]),
        "could not back up the database: could not write `link.db`: it is a link to a file that \
         is not there",
    );
    app.file("protected.db", "a letter");
    fs::set_permissions(app.path("protected.db"), fs::Permissions::from_mode(0o444)).unwrap();
    check("protected.db", "it is write-protected");
    assert_eq!(fs::read(app.path("protected.db")).unwrap(), b"a letter");
    app.file("theirs.db", "a letter");
    // Only root may give a file to another user, and only root could replace this one.
    if chown(app.path("theirs.db"), Some(1), Some(1)).is_ok() {
        check(
            "theirs.db",
            "it belongs to another user or group; remove it first, or name another file",
        );
        assert_eq!(fs::read(app.path("theirs.db")).unwrap(), b"a letter");
    }
}

#[cfg(unix)]
#[test]
fn a_backup_grants_nobody_what_the_database_does_not() {
    use std::os::unix::fs::PermissionsExt as _;

    let app = TestApp::with_shops();
    let set = |name: &str, mode| {
        fs::set_permissions(app.path(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    let mode = |name: &str| fs::metadata(app.path(name)).unwrap().permissions().mode() & 0o777;
    set("catchment.db", 0o600);
    app.run(&["database", "backup", "new.db"]).done();
    assert_eq!(mode("new.db"), 0o600);
    app.file("old.db", "");
    for (database, before, after) in
        [(0o600, 0o644, 0o600), (0o644, 0o600, 0o600), (0o664, 0o640, 0o640)]
    {
        set("catchment.db", database);
        set("old.db", before);
        app.run(&["database", "backup", "old.db", "--force"]).done();
        assert_eq!(mode("old.db"), after, "{database:o} {before:o}");
    }
}

#[cfg(unix)]
#[test]
fn a_backup_or_an_export_that_is_interrupted_leaves_nothing_behind() {
    let app = TestApp::empty();
    app.run(&["shops", "generate", "--count", "30000"]).done();
    let before = app.names();
    for (arguments, signal) in [
        (["database", "backup", "copy.db", "--force"], "-TERM"),
        (["database", "backup", "copy.db", "--force"], "-INT"),
        (["shops", "export", "-o", "copy.db"], "-TERM"),
    ] {
        let child = stopped(&app, &arguments, "copy.db");
        send(&child, signal);
        send(&child, "-CONT");
        let ran = Ran::from(child.wait_with_output().unwrap());
        assert_eq!(ran.code, Some(130), "{ran:?}");
        assert_eq!(app.names(), before);
    }
}

/// The import is the last to write, and the backup is the last to close.
#[cfg(unix)]
#[test]
fn a_backup_of_a_closed_database_holds_up_nobody_and_leaves_one_whole_file() {
    let app = TestApp::empty();
    app.run(&["shops", "generate", "--count", "30000"]).done();
    let backup = stopped(&app, &["--json", "database", "backup", "copy.db"], "copy.db");
    assert_eq!(
        app.import(&format!("{HEADER}\nx,n,c,r,0,0\n"), &[]).done(),
        "added 1, updated 0, bad 0\n"
    );
    assert!(is_writing(&app));
    send(&backup, "-CONT");
    let ran = Ran::from(backup.wait_with_output().unwrap());
    assert_eq!(ran.value()["shops"], 30_000);
    assert_eq!(app.names(), ["catchment.db", "copy.db", "shops.csv"]);
    fs::copy(app.path("catchment.db"), app.path("whole.db")).unwrap();
    let exported = app.run(&["--database", "sqlite://whole.db", "shops", "export"]);
    assert_eq!(exported.done().lines().count(), 30_002);
}

#[test]
fn a_backup_that_is_killed_leaves_no_file_of_its_name() {
    let app = TestApp::empty();
    app.run(&["shops", "generate", "--count", "30000"]).done();
    let mut child = writing(&app, &["database", "backup", "copy.db"]);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!app.path("copy.db").exists());
    app.run(&["database", "backup", "copy.db"]).done();
    app.run(&["--database", "sqlite://copy.db", "database", "check"]).done();
    assert_eq!(app.run(&["shops", "export"]).done().lines().count(), 30_001);
}

#[test]
fn a_restore_brings_back_what_was_and_keeps_what_is() {
    let app = TestApp::with_shops();
    let before = app.state();
    app.run(&["database", "backup", "copy.db"]).done();
    app.ask(&["campaign", "start", "--kind", "bad_weather", "--all"]);
    let after = app.state();
    assert_ne!(after, before);
    let ran = app.run(&["database", "restore", "copy.db"]);
    let lines: Vec<&str> = ran.done().lines().collect();
    assert!(lines[0].starts_with("restored catchment.db from copy.db: 6 shops, "), "{ran:?}");
    assert!(lines[1].starts_with("the database before is kept: "), "{ran:?}");
    assert!(lines[1].ends_with("/catchment.db.before-restore"), "{ran:?}");
    assert_eq!(app.state(), before);
    fs::rename(app.path("catchment.db.before-restore"), app.path("old.db")).unwrap();
    app.run(&["database", "restore", "old.db"]).done();
    assert_eq!(app.state(), after);
}

#[test]
fn a_restore_is_refused_while_an_engine_runs() {
    let app = TestApp::with_shops();
    app.run(&["database", "backup", "copy.db"]).done();
    let child = running(&app);
    let ran = app.run(&["database", "restore", "copy.db"]);
    let line = "could not restore the database: `catchment.db` is in use by another process; \
                stop it first";
    refused(&ran, line);
    assert_eq!(Ran::from(child.wait_with_output().unwrap()).code, Some(0));
    assert_eq!(app.run(&["shops", "export"]).done().lines().count(), 30_007);
}

/// An engine goes on when its database is renamed.
#[test]
fn a_restore_is_refused_while_an_engine_runs_on_the_database_that_was_renamed() {
    let app = TestApp::with_shops();
    app.run(&["database", "backup", "copy.db"]).done();
    fs::rename(app.path("catchment.db"), app.path("old.db")).unwrap();
    let engine = fs::File::create(app.path("catchment.db.lock")).unwrap();
    engine.lock().unwrap();
    let before = app.names();
    let line = "could not restore the database: `catchment.db` is in use by another process; \
                stop it first";
    refused(&app.run(&["database", "restore", "copy.db"]), line);
    assert_eq!(app.names(), before);
    drop(engine);
    app.run(&["database", "restore", "copy.db"]).done();
    assert_eq!(app.run(&["shops", "export"]).done().lines().count(), 7);
}

#[test]
fn a_server_has_tools_of_its_own() {
    let app = TestApp::empty();
    for (command, tool) in [("backup", "pg_dump"), ("restore", "pg_restore")] {
        let url = "postgres://me:hunter2@localhost/shops";
        let ran = app.run(&["--database", url, "database", command, "copy.db"]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(64), ""), "{ran:?}");
        assert!(ran.stderr.contains(tool) && !ran.stderr.contains("hunter2"), "{ran:?}");
    }
}

#[cfg(unix)]
#[test]
fn what_is_no_regular_file_is_no_database_and_no_copy() {
    let app = TestApp::with_shops();
    app.run(&["database", "backup", "copy.db"]).done();
    make_pipe(&app, "p.db");
    fs::create_dir(app.path("dd")).unwrap();
    for (name, what) in [("p.db", "a pipe"), ("dd", "a folder")] {
        let reason = format!("`{name}` is {what}, where a regular file must be");
        let url = format!("sqlite://{name}");
        for (arguments, attempt) in [
            (&["database", "check"][..], "the database cannot be used"),
            (&["database", "migrate"], "could not bring the database up to date"),
            (&["database", "backup", "y.db"], "could not back up the database"),
            (&["database", "restore", "copy.db"], "could not restore the database"),
            (&["shops", "import", "shops.csv"], "could not open the database"),
            (&["shops", "list"], "could not open the database"),
        ] {
            let ran = run_in_time(&app, &[&["--database", &url], arguments].concat());
            refused(&ran, &format!("{attempt}: {reason}"));
        }
        let ran =
            run_in_time(&app, &["--database", "sqlite://new.db", "database", "restore", name]);
        refused(&ran, &format!("could not restore the database: {reason}"));
    }
    assert_eq!(app.names(), ["catchment.db", "copy.db", "dd", "p.db", "shops.csv"]);
}

#[cfg(unix)]
#[test]
fn a_pipe_beside_a_database_is_not_opened() {
    let app = TestApp::with_shops();
    for (ending, arguments) in [
        ("-wal", &["shops", "list"][..]),
        ("-shm", &["database", "check"]),
        ("-journal", &["database", "backup", "copy.db"]),
        (".lock", &["campaign", "start", "--kind", "bad_weather", "--all"]),
        (".lock", &["database", "restore", "shops.csv"]),
    ] {
        let beside = format!("catchment.db{ending}");
        make_pipe(&app, &beside);
        let ran = run_in_time(&app, arguments);
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert_eq!(ran.stderr.lines().count(), 1, "{ran:?}");
        assert!(ran.stderr.contains(&beside), "{ran:?}");
        assert!(ran.stderr.ends_with(" is a pipe, where a regular file must be\n"), "{ran:?}");
        fs::remove_file(app.path(&beside)).unwrap();
    }
    app.run(&["campaign", "watch", "2"]).done();
}

#[test]
fn the_name_of_a_copy_that_may_mean_another_thing_is_refused() {
    let app = TestApp::with_shops();
    for (file, code, part) in [
        ("-", 2, "a copy is a file, not the standard input or output; name one"),
        ("sqlite:y.db", 2, "it is a URL; name the file by its path, such as `y.db`"),
        ("b.db.gz", 2, "a copy is not compressed; leave `.gz` out, and compress it then"),
        ("x.db-wal", 1, "is that of a file beside a database; name another file"),
        ("x.db-shm", 1, "is that of a file beside a database; name another file"),
        ("x.db-journal", 1, "is that of a file beside a database; name another file"),
        ("x.db.lock", 1, "is that of a file beside a database; name another file"),
    ] {
        let ran = app.run(&["database", "backup", file]);
        assert_eq!((ran.code, ran.stderr.lines().count()), (Some(code), 1), "{ran:?}");
        assert!(ran.stderr.contains(part), "{ran:?}");
    }
    for file in ["-", "sqlite:catchment.db"] {
        let ran = app.run(&["database", "restore", file]);
        assert_eq!((ran.code, ran.stderr.lines().count()), (Some(2), 1), "{ran:?}");
    }
    assert_eq!(app.names(), ["catchment.db", "shops.csv"]);
}

#[test]
fn a_blank_in_the_name_of_a_database_is_the_same_to_every_command() {
    let app = TestApp::with_shops();
    let run = |arguments: &[&str]| {
        app.run(&[&["--database", "sqlite://my shops.db"], arguments].concat()).done().to_owned()
    };
    run(&["shops", "import", "shops.csv"]);
    run(&["config", "check"]);
    run(&["database", "check"]);
    run(&["database", "backup", "my copy.db"]);
    run(&["database", "restore", "my copy.db"]);
    assert_eq!(run(&["shops", "export"]), app.run(&["shops", "export"]).stdout);
    let kept = "my shops.db.before-restore";
    assert_eq!(app.names(), ["catchment.db", "my copy.db", "my shops.db", kept, "shops.csv"]);
}
