//! Everything around a service's work, from outside: a service that does nothing, and does not
//! end when it is told to.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a step that a test builds on must work"
)]

mod built;
mod old;

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU16, Ordering};

use catchment_bootstrap::health;

use crate::built::built;

/// The idle service.
static IDLE: LazyLock<PathBuf> = LazyLock::new(|| {
    let tests = std::env::current_exe().unwrap();
    built(tests.parent().unwrap().with_file_name("examples").join("idle"))
});

/// The idle service, with nothing in its environment but these settings.
fn command(settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(&*IDLE);
    command.env_clear();
    for (key, value) in settings {
        command.env(format!("CATCHMENT__{key}"), value);
    }
    command
}

/// Runs a command that ends by itself, and returns its exit code and last line.
fn ran(mut command: Command) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = command.output().unwrap();
    let said = String::from_utf8(stderr).unwrap();
    (status.code(), said.lines().last().unwrap_or_default().to_owned())
}

/// The service, running. Dropped, it is killed.
struct Running {
    child: Child,
    probes: SocketAddr,
    stderr: BufReader<ChildStderr>,
    /// What it has said so far.
    said: String,
}

impl Running {
    /// Starts it, and returns once it is ready.
    fn start(settings: &[(&str, &str)]) -> Self {
        let probes = free_address();
        let mut command = command(settings);
        command.env("CATCHMENT__PROBES__ADDRESS", probes.to_string());
        let command = command.stdin(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let mut running = Self { child, probes, stderr, said: String::new() };
        running.wait_for("ready");
        running
    }

    /// Reads what it says until it says this.
    fn wait_for(&mut self, words: &str) {
        loop {
            let mut line = String::new();
            assert_ne!(self.stderr.read_line(&mut line).unwrap(), 0, "{}", self.said);
            self.said.push_str(&line);
            if line.contains(words) {
                return;
            }
        }
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }

    fn health(&self) -> health::Health {
        health::ask(self.probes).unwrap()
    }

    /// Waits until it ends, and returns its exit code and everything that it said.
    fn ended(mut self) -> (Option<i32>, String) {
        self.stderr.read_to_string(&mut self.said).unwrap();
        (self.child.wait().unwrap().code(), std::mem::take(&mut self.said))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended already cannot be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address of this machine at which nobody listens. Each test process uses a host of its own in
/// 127.0.0.0/8. Outgoing connections use ports of 127.0.0.1, so they cannot take this one.
fn free_address() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(8_000);
    let [_, a, b, c] = std::process::id().to_be_bytes();
    SocketAddr::from(([127, a, b, c], NEXT.fetch_add(1, Ordering::Relaxed)))
}

#[test]
fn told_to_stop_it_is_not_ready_while_it_drains_and_ends_at_the_deadline() {
    for signal in ["TERM", "INT"] {
        let mut running = Running::start(&[("SHUTDOWN__DRAIN", "300ms")]);
        assert!(running.health().is_ready);
        running.signal(signal);
        running.wait_for(&format!(
            "told to stop: finishing what is under way role=\"idle\" request=SIG{signal}"
        ));
        let health = running.health();
        assert!(!health.is_ready);
        assert_eq!(health.text, r#"{"ready":false,"reasons":["draining"]}"#);
        let (code, said) = running.ended();
        assert!(said.contains("ended at the drain deadline"), "{said}");
        assert_eq!(code, Some(75));
    }
}

#[test]
fn told_twice_it_ends_at_once() {
    let mut running = Running::start(&[]);
    running.signal("TERM");
    running.wait_for("told to stop");
    running.signal("TERM");
    let (code, said) = running.ended();
    assert!(said.contains("told again to stop: ended at once"), "{said}");
    assert_eq!(code, Some(143));
}

#[test]
fn the_end_of_its_input_stops_it_where_that_is_wanted() {
    let mut running =
        Running::start(&[("SHUTDOWN__WITH_STDIN", "true"), ("SHUTDOWN__DRAIN", "300ms")]);
    drop(running.child.stdin.take());
    running.wait_for("the end of the standard input");
    assert_eq!(running.ended().0, Some(75));
}

#[test]
fn without_probes_nobody_listens() {
    let (code, last) = ran({
        let mut command = command(&[("PROBES__ADDRESS", "none")]);
        command.arg("health");
        command
    });
    assert_eq!(last, "idle: there are no probes to ask: `probes.address` is `none`");
    assert_eq!(code, Some(64));
}

#[test]
fn health_asks_the_one_that_runs() {
    let running = Running::start(&[]);
    let probes = running.probes.to_string();
    let health = || {
        let mut command = command(&[("PROBES__ADDRESS", &probes)]);
        command.arg("health");
        ran(command)
    };
    assert_eq!(health(), (Some(0), String::new()));
    drop(running);
    let (code, last) = health();
    assert!(last.starts_with(&format!("idle: no answer from {probes}: ")), "{last}");
    assert_eq!(code, Some(1));
}

#[test]
fn a_port_that_is_taken_is_refused() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let (code, last) = ran(command(&[("PROBES__ADDRESS", &address.to_string())]));
    let expected = format!("idle: could not listen on `probes.address` {address}: Address already");
    assert!(last.starts_with(&expected), "{last}");
    assert_eq!(code, Some(69));
}

#[test]
fn bad_settings_are_one_line() {
    for (key, value, line) in [
        (
            "KAFKA__GROUP",
            "shops",
            "unknown setting `kafka.group` in an environment variable: did you mean \
             `kafka.group_id`?",
        ),
        (
            "SHUTDOWN__DRAIN",
            "8s",
            "`shutdown.drain` is 8 s: it must be below `kafka.session_timeout`, which is 8 s",
        ),
        (
            "KAFKA__CONSUMER__FETCH_WAT_MAX_MS",
            "5",
            "section `kafka`: `fetch.wat.max.ms` = `***` was refused: No such configuration \
             property: \"fetch.wat.max.ms\"",
        ),
    ] {
        let (code, last) = ran(command(&[(key, value)]));
        assert_eq!(last, format!("idle: bad settings: {line}"));
        assert_eq!(code, Some(64));
    }
}

#[test]
fn wrong_usage_is_one_line_and_help_has_examples() {
    let mut wrong = command(&[]);
    wrong.arg("walk");
    let (code, last) = ran(wrong);
    assert_eq!(last, "idle: unrecognized subcommand 'walk'");
    assert_eq!(code, Some(2));
    let help = command(&[]).arg("--help").output().unwrap();
    assert!(String::from_utf8(help.stdout).unwrap().contains("Examples:\n"));
    assert!(help.status.success());
}

#[test]
fn no_password_is_said() {
    let running = Running::start(&[
        ("DATABASE__URL", "postgres://me:hush@localhost/shops"),
        ("KAFKA__PROPERTIES__SASL_PASSWORD", "hush"),
        ("SHUTDOWN__DRAIN", "100ms"),
    ]);
    running.signal("TERM");
    let (_, said) = running.ended();
    assert!(said.contains("database.url=postgres://me:***@localhost/shops"), "{said}");
    assert!(said.contains("kafka.properties.sasl.password=***"), "{said}");
    assert!(!said.contains("hush"), "{said}");
    let (_, last) = ran(command(&[("DATABASE__URL", "mysql://me:hush@localhost/shops")]));
    assert!(last.contains("`mysql://***`") && !last.contains("hush"), "{last}");
}
