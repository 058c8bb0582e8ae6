//! A running service seen from outside: its probes, its signals and its last lines.

use std::io::Read as _;
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use catchment_bootstrap::health;

/// How long anything may take before a test fails.
const PATIENCE: Duration = Duration::from_mins(1);
/// The pause between two checks, which leaves the processors to the services.
const LOOK: Duration = Duration::from_millis(20);

/// A running service. It is killed when this is dropped.
pub(crate) struct Process {
    child: Child,
    probes: SocketAddr,
    stderr: Option<JoinHandle<String>>,
}

/// How a service ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    /// Everything that the service wrote to stderr.
    pub(crate) stderr: String,
    /// How long the service took to end after it was asked, or after the test began to wait.
    pub(crate) after: Duration,
}

/// Returns an address of this machine at which nothing listens. Each test process uses a host of
/// its own in 127.0.0.0/8. Outgoing connections use ports of 127.0.0.1, so they cannot take this
/// address.
pub(crate) fn free_address() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(8_000);
    let [_, a, b, c] = std::process::id().to_be_bytes();
    SocketAddr::from(([127, a, b, c], NEXT.fetch_add(1, Ordering::Relaxed)))
}

impl Process {
    /// Starts a service whose probes have a port of their own.
    pub(crate) fn start(mut command: Command) -> Self {
        let probes = free_address();
        command.env("CATCHMENT__PROBES__ADDRESS", probes.to_string());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut pipe = child.stderr.take().unwrap();
        let stderr = thread::spawn(move || {
            let mut said = String::new();
            pipe.read_to_string(&mut said).unwrap();
            said
        });
        Self { child, probes, stderr: Some(stderr) }
    }

    /// Waits until the probes answer, ready or not.
    pub(crate) fn wait_until_it_answers(&self) {
        let until = Instant::now() + PATIENCE;
        while self.health().is_none() {
            assert!(Instant::now() < until, "its probes do not answer");
            thread::park_timeout(LOOK);
        }
    }

    /// Waits until the service is not ready and says so in these words.
    pub(crate) fn wait_until_it_says(&mut self, words: &str) {
        let until = Instant::now() + PATIENCE;
        while !self.health().is_some_and(|health| !health.is_ready && health.text.contains(words)) {
            if let Some(status) = self.child.try_wait().unwrap() {
                let said = self.stderr.take().unwrap().join().unwrap();
                panic!("ended with {status} before it said `{words}`: {said}");
            }
            assert!(Instant::now() < until, "it does not say `{words}`: {:?}", self.health());
            thread::park_timeout(LOOK);
        }
    }

    /// Returns the answer of `/readyz`, or `None` if there is none.
    fn health(&self) -> Option<health::Health> {
        health::ask(self.probes).ok()
    }

    /// Waits until the service is ready.
    pub(crate) fn wait_until_ready(&mut self) {
        let until = Instant::now() + PATIENCE;
        while !self.health().is_some_and(|health| health.is_ready) {
            if let Some(status) = self.child.try_wait().unwrap() {
                let said = self.stderr.take().unwrap().join().unwrap();
                panic!("ended with {status} before it was ready: {said}");
            }
            assert!(Instant::now() < until, "not ready: {:?}", self.health());
            thread::park_timeout(LOOK);
        }
    }

    /// Sends a signal to the service, such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits until the service has ended.
    pub(crate) fn ended(mut self) -> Ended {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(start.elapsed() < PATIENCE, "it does not end");
            thread::park_timeout(LOOK);
        };
        let stderr = self.stderr.take().unwrap().join().unwrap();
        Ended { status, stderr, after: start.elapsed() }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A service that has already ended cannot be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
