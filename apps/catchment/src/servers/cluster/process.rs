//! One process: started, listened to, stopped.

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

/// How long a process may take to stop: longer than it gives itself.
const GRACE: Duration = Duration::from_secs(30);

/// A process that runs. Dropped, it is killed.
pub(super) struct Process {
    name: String,
    pid: u32,
    child: Child,
    /// Nothing is written to it: that it ends asks the process to stop.
    stdin: ChildStdin,
    /// The last line that it wrote on stderr, once it has ended.
    last_words: JoinHandle<Option<String>>,
}

impl Process {
    /// Starts a program; what it says on stderr is said on that of this process.
    ///
    /// # Errors
    ///
    /// When it cannot be started.
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
        // An interrupt at the terminal is for this process, which stops the others in order.
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

    /// Watches it until it is to stop, and stops it.
    ///
    /// # Errors
    ///
    /// When it ended by itself, had to be killed, or ended badly.
    pub(super) async fn supervise(
        mut self,
        mut stopping: watch::Receiver<bool>,
    ) -> anyhow::Result<()> {
        tokio::select! {
            status = self.child.wait() => {
                return Err(failed(&self.name, status?, self.last_words).await);
            }
            // Whoever let go of the other end wants nothing of it any more either.
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

/// Passes on what a process says, and returns the last of it.
async fn relay(name: String, stderr: ChildStderr) -> Option<String> {
    let mut lines = BufReader::new(stderr).lines();
    let mut last = None;
    // What is not text ends the relay, and the process with it: our programs write text.
    while let Ok(Some(line)) = lines.next_line().await {
        note(format_args!("{name}: {line}"));
        last = Some(line);
    }
    last
}
