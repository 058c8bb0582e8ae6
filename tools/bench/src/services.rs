//! Runs requester and consumers as separate processes, as in a deployment, for as long as they are
//! measured.
//!
//! The processes never outlive this one. Each has a pipe from this process as its standard input,
//! and stops when the pipe is closed. The kernel closes the pipe however this process ends.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdin, Command};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

use crate::programs::{Programs, Variables};
use crate::report::note;

/// How long processes may take to become ready.
const READY: Duration = Duration::from_mins(1);
/// How often a process is asked whether it is ready.
const LOOK: Duration = Duration::from_millis(100);
/// How long a process may take to stop. This is longer than the process gives itself.
const GRACE: Duration = Duration::from_secs(30);

/// A running requester and its consumers.
#[derive(Debug)]
pub(crate) struct Services {
    members: Vec<(String, u32)>,
    stop: watch::Sender<bool>,
    tasks: JoinSet<anyhow::Result<()>>,
}

impl Services {
    /// Starts one requester and this many consumers, and waits until all are ready.
    ///
    /// # Errors
    ///
    /// When a program is missing, ends at once, or is not ready in a minute. Then none keeps
    /// running.
    pub(crate) async fn start(
        programs: &Programs,
        variables: &Variables,
        consumers: u16,
    ) -> anyhow::Result<Self> {
        let mut services =
            Self { members: Vec::new(), stop: watch::Sender::new(false), tasks: JoinSet::new() };
        let consumers = (1..=consumers).map(|number| ("consumer", number));
        let mut questions = Vec::new();
        for (program, number) in [("requester", 1)].into_iter().chain(consumers) {
            let name = format!("{program} {number}");
            let probes = ("CATCHMENT__PROBES__ADDRESS", free_address()?.to_string());
            let variables = [&variables[..], &[probes]].concat();
            let service = Service::start(&name, programs.command(program, &variables)?)?;
            services.members.push((name.clone(), service.pid));
            services.tasks.spawn(service.supervise(services.stop.subscribe()));
            questions.push((name, programs.command(program, &variables)?));
        }
        for (name, mut question) in questions {
            question.arg("health").stdin(Stdio::null());
            let is_late = tokio::select! {
                ready = timeout(READY, until_ready(&mut question)) => ready.is_err(),
                error = services.failure() => return Err(error),
            };
            if is_late {
                let says = question.output().await?.stdout;
                bail!("the {name} was not ready in time: {}", String::from_utf8_lossy(&says));
            }
        }
        Ok(services)
    }

    /// Returns the names and ids of the processes, the requester first.
    pub(crate) fn members(&self) -> &[(String, u32)] {
        &self.members
    }

    /// Waits until a process ends by itself, and returns its last words.
    pub(crate) async fn failure(&mut self) -> anyhow::Error {
        while let Some(ended) = self.tasks.join_next().await {
            if let Err(error) = ended.map_err(Into::into).flatten() {
                return error;
            }
        }
        std::future::pending().await
    }

    /// Stops all processes at once.
    ///
    /// # Errors
    ///
    /// When a process had to be killed, or ended with an error.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        self.stop.send_replace(true);
        let mut result = Ok(());
        while let Some(ended) = self.tasks.join_next().await {
            result = result.and(ended.map_err(Into::into).flatten());
        }
        result
    }
}

/// Returns an address of this machine at which nothing listens now.
fn free_address() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?;
    Ok(listener.local_addr()?)
}

/// Asks `requester health` or `consumer health` until it says yes.
async fn until_ready(question: &mut Command) {
    while !question.output().await.is_ok_and(|answer| answer.status.success()) {
        tokio::time::sleep(LOOK).await;
    }
}

/// A running process. It is killed when this is dropped.
struct Service {
    name: String,
    pid: u32,
    child: Child,
    /// The input of the process. Nothing is written to it. Closing it asks the process to stop.
    stdin: ChildStdin,
    /// The last line that the process wrote on stderr, when it has ended.
    last_words: JoinHandle<Option<String>>,
}

impl Service {
    fn start(name: &str, mut command: Command) -> anyhow::Result<Self> {
        command.env("CATCHMENT__SHUTDOWN__WITH_STDIN", "true");
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        // An interrupt at the terminal must reach only this process, which then stops the others in
        // order.
        #[cfg(unix)]
        command.process_group(0);
        let attempt = || format!("could not start the {name}");
        let mut child = command.spawn().with_context(attempt)?;
        let pid = child.id().with_context(attempt)?;
        let stdin = child.stdin.take().with_context(attempt)?;
        let stderr = child.stderr.take().with_context(attempt)?;
        let last_words = tokio::spawn(relay(name.to_owned(), stderr));
        Ok(Self { name: name.to_owned(), pid, child, stdin, last_words })
    }

    /// Watches the process until it has to stop, and stops it.
    async fn supervise(mut self, mut stopping: watch::Receiver<bool>) -> anyhow::Result<()> {
        tokio::select! {
            status = self.child.wait() => {
                return Err(failed(&self.name, status?, self.last_words).await);
            }
            // If the sender is gone, the process has to stop, too.
            () = async { drop(stopping.wait_for(|stop| *stop).await) } => {}
        }
        let Self { name, mut child, stdin, last_words, .. } = self;
        drop(stdin);
        let Ok(status) = timeout(GRACE, child.wait()).await else {
            child.kill().await.with_context(|| format!("could not kill the {name}"))?;
            bail!("the {name} did not stop in {} s and was killed", GRACE.as_secs());
        };
        let status = status?;
        if status.success() { Ok(()) } else { Err(failed(&name, status, last_words).await) }
    }
}

async fn failed(
    name: &str,
    status: ExitStatus,
    last_words: JoinHandle<Option<String>>,
) -> anyhow::Error {
    let said = last_words.await.ok().flatten();
    let said = said.unwrap_or_else(|| "it said nothing".to_owned());
    anyhow!("the {name} ended with {status}: {said}")
}

/// Relays the output of a process, and returns its last line.
async fn relay(name: String, stderr: ChildStderr) -> Option<String> {
    let mut lines = BufReader::new(stderr).lines();
    let mut last = None;
    // Output that is not text ends the relay, and so the process. Our programs write only text.
    while let Ok(Some(line)) = lines.next_line().await {
        note(format_args!("{name}: {line}"));
        last = Some(line);
    }
    last
}
