//! One process: starts it, relays its output, and stops it.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdin, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::output::note;

/// How long a process may take to stop. This is longer than the process gives itself.
const GRACE: Duration = Duration::from_secs(30);

/// A running process. It is killed when this is dropped.
pub(super) struct Process {
    name: String,
    pid: u32,
    child: Child,
    /// The input of the process. Nothing is written to it. Closing it asks the process to stop.
    stdin: ChildStdin,
    /// The last line that the process wrote on stderr, when it has ended.
    last_words: JoinHandle<Option<String>>,
}

impl Process {
    /// Starts a program. Its stderr is relayed to the stderr of this process.
    ///
    /// # Errors
    ///
    /// When the program cannot be started.
    pub(super) fn start(
        name: &str,
        program: &Path,
        probes: SocketAddr,
        variables: &[(&str, String)],
    ) -> anyhow::Result<Self> {
        let mut command = Command::new(program);
        command
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .env("CATCHMENT__PROBES__ADDRESS", probes.to_string())
            .env("CATCHMENT__SHUTDOWN__WITH_STDIN", "true")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
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

    pub(super) const fn pid(&self) -> u32 {
        self.pid
    }

    /// Watches the process until it has to stop, and stops it.
    ///
    /// # Errors
    ///
    /// When the process ended by itself, had to be killed, or ended with an error.
    pub(super) async fn supervise(
        mut self,
        mut stopping: watch::Receiver<bool>,
    ) -> anyhow::Result<()> {
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
