//! Runs requester and consumers as separate processes, as in a deployment, for as long as a command
//! needs them.
//!
//! The processes never outlive this one. Each has a pipe from this process as its standard input,
//! and stops when the pipe is closed. The kernel closes the pipe however this process ends.

mod probe;
mod process;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use async_trait::async_trait;
use catchment_bootstrap::settings::Settings;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use self::process::Process;
use crate::workers::Workers;

/// How long processes may take to become ready.
const READY: Duration = Duration::from_mins(1);

/// The role of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Requester,
    Consumer,
}

impl Role {
    const fn name(self) -> &'static str {
        match self {
            Self::Requester => "requester",
            Self::Consumer => "consumer",
        }
    }

    /// Returns the role's program, which is built beside this one.
    fn program(self) -> anyhow::Result<PathBuf> {
        let this = std::env::current_exe().context("could not find this program")?;
        let program =
            this.with_file_name(format!("{}{}", self.name(), std::env::consts::EXE_SUFFIX));
        if !program.is_file() {
            bail!(
                "there is no {}; build it with \
                 `cargo build --release -p catchment-requester -p catchment-consumer`",
                program.display()
            );
        }
        Ok(program)
    }
}

/// The running processes of a requester and its consumers.
#[derive(Debug)]
pub(crate) struct Cluster {
    members: Vec<Member>,
    stop: watch::Sender<bool>,
    tasks: JoinSet<anyhow::Result<()>>,
}

/// One process of a cluster.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    /// The role and number of the process, such as `consumer 2`.
    pub(crate) name: String,
    pub(crate) pid: u32,
    probes: SocketAddr,
}

impl Cluster {
    /// Starts one requester and this many consumers with these settings, and waits until all are
    /// ready.
    ///
    /// # Errors
    ///
    /// When a program is missing, ends at once, or is not ready in a minute. Then none keeps
    /// running.
    pub(crate) async fn start(consumers: u16, settings: &Settings) -> anyhow::Result<Self> {
        let variables = variables(settings);
        let (stop, stopping) = watch::channel(false);
        let mut cluster = Self { members: Vec::new(), stop, tasks: JoinSet::new() };
        let roles = std::iter::once((Role::Requester, 1));
        for (role, number) in roles.chain((1..=consumers).map(|n| (Role::Consumer, n))) {
            let name = format!("{} {number}", role.name());
            let probes = probe::free_address().context("could not find a free port")?;
            let process = Process::start(&name, &role.program()?, probes, &variables)?;
            cluster.members.push(Member { name, pid: process.pid(), probes });
            cluster.tasks.spawn(process.supervise(stopping.clone()));
        }
        cluster.ready().await?;
        Ok(cluster)
    }

    /// Returns the processes, the requester first.
    pub(crate) fn members(&self) -> &[Member] {
        &self.members
    }

    /// Waits until a process ends by itself, and returns its last words.
    pub(super) async fn failure(&mut self) -> anyhow::Error {
        while let Some(ended) = self.tasks.join_next().await {
            match ended {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return error,
                Err(error) => return error.into(),
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

    async fn ready(&mut self) -> anyhow::Result<()> {
        for member in self.members.clone() {
            let mut says = "it does not answer".to_owned();
            let ready = timeout(READY, probe::until_ready(member.probes, &mut says));
            let is_late = tokio::select! {
                ready = ready => ready.is_err(),
                error = self.failure() => return Err(error),
            };
            if is_late {
                let (name, seconds) = (&member.name, READY.as_secs());
                bail!("the {name} was not ready after {seconds} s: {}", says.replace('\n', ", "));
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Workers for Cluster {
    async fn failure(&mut self) -> anyhow::Error {
        Self::failure(self).await
    }

    async fn stop(self) -> anyhow::Result<()> {
        Self::stop(self).await
    }
}

/// Returns the settings that the command line may have changed, as variables for the processes.
fn variables(settings: &Settings) -> [(&'static str, String); 7] {
    let Settings { database, kafka, log, .. } = settings;
    [
        ("CATCHMENT__DATABASE__URL", database.url.expose().to_owned()),
        ("CATCHMENT__DATABASE__LANES", database.lanes.count().to_string()),
        ("CATCHMENT__KAFKA__BOOTSTRAP_SERVERS", kafka.bootstrap_servers.clone()),
        ("CATCHMENT__KAFKA__REQUESTS_TOPIC", kafka.requests_topic.clone()),
        ("CATCHMENT__KAFKA__REPLIES_TOPIC", kafka.replies_topic.clone()),
        ("CATCHMENT__KAFKA__GROUP_ID", kafka.group_id.clone()),
        ("CATCHMENT__LOG__LEVEL", log.filter.to_string()),
    ]
}
