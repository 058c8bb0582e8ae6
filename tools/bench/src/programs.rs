//! The programs of one build, run as processes.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::Value;
use tokio::process::Command;

use crate::resources::{peak_memory, time_of_children};

/// How often the memory of a command is read while it runs.
const LOOK: Duration = Duration::from_millis(20);

/// Settings of the programs, as environment variables.
pub(crate) type Variables = Vec<(&'static str, String)>;

/// The folder of the programs `catchment`, `requester` and `consumer`.
#[derive(Clone, Debug)]
pub(crate) struct Programs(PathBuf);

impl From<PathBuf> for Programs {
    fn from(folder: PathBuf) -> Self {
        Self(folder)
    }
}

/// A command that has ended well.
#[derive(Debug)]
pub(crate) struct Ran {
    /// What it printed.
    pub(crate) lines: Vec<Value>,
    /// The most memory that it had, in bytes, if the system shows it.
    pub(crate) memory: Option<u64>,
    /// The processor time that it took, if the system shows it.
    pub(crate) time: Option<Duration>,
}

impl Programs {
    /// The programs that are built beside this one.
    ///
    /// # Errors
    ///
    /// When the system does not say where this program is.
    pub(crate) fn beside_this() -> anyhow::Result<Self> {
        let this = std::env::current_exe().context("could not find this program")?;
        Ok(Self(this.parent().map(Into::into).unwrap_or_default()))
    }

    /// Returns a command that runs a program, and ends it when it is dropped.
    ///
    /// # Errors
    ///
    /// When the program is missing.
    pub(crate) fn command(&self, name: &str, variables: &Variables) -> anyhow::Result<Command> {
        let program = self.0.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
        if !program.is_file() {
            bail!(
                "there is no {}; build it with `cargo build --release --features \
                 catchment/servers -p catchment -p catchment-requester -p catchment-consumer`",
                program.display()
            );
        }
        let mut command = Command::new(program);
        command.envs(variables.iter().map(|(name, value)| (name, value))).kill_on_drop(true);
        Ok(command)
    }

    /// Runs `catchment --json` with these arguments.
    ///
    /// # Errors
    ///
    /// When the command cannot be run or fails, with its last words.
    pub(crate) async fn catchment(
        &self,
        variables: &Variables,
        arguments: &[&str],
    ) -> anyhow::Result<Ran> {
        let mut command = self.command("catchment", variables)?;
        command.arg("--json").args(arguments).stdin(Stdio::null());
        let before = time_of_children();
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let (pid, mut memory) = (child.id(), None);
        let mut output = std::pin::pin!(child.wait_with_output());
        let output = loop {
            tokio::select! {
                output = &mut output => break output?,
                () = tokio::time::sleep(LOOK) => memory = pid.and_then(peak_memory).or(memory),
            }
        };
        if !output.status.success() {
            let words = String::from_utf8_lossy(&output.stderr);
            let last = words.lines().last().unwrap_or("it said nothing");
            bail!("`catchment {}` ended with {}: {last}", arguments.join(" "), output.status);
        }
        let lines = String::from_utf8_lossy(&output.stdout);
        let lines = lines.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
        let time = time_of_children().zip(before).map(|(now, before)| now.saturating_sub(before));
        Ok(Ran { lines, memory, time })
    }
}
