//! The resources that the processes of a benchmark use.

use std::time::Duration;

use catchment_bootstrap::settings::Settings;

use crate::peak_memory::peak_memory;
use crate::servers::cluster::Cluster;
use crate::servers::resources::{listening_on, own_time, processor_time};

/// The processes whose pids are known.
pub(super) struct Watched(Vec<Process>);

struct Process {
    name: String,
    pid: u32,
    /// Whether the process is ours. Only our processes have bounded memory, so only theirs is
    /// measured. The processor time of a broker or a database includes that of its child processes.
    is_ours: bool,
    /// The processor time of the process at the last check, if it is known.
    before: Option<Duration>,
}

/// The usage of a process, as far as the system shows it.
#[derive(Clone, Debug)]
pub(super) struct Usage {
    pub(super) name: String,
    /// The most memory that the process has had, in bytes.
    pub(super) memory: Option<u64>,
    /// The processor time since the last check.
    pub(super) time: Option<Duration>,
}

impl Watched {
    /// Returns the processes of a cluster, this process, and broker and database if they run on
    /// this machine.
    pub(super) fn of(cluster: &Cluster, settings: &Settings) -> Self {
        let ours = cluster.members().iter().map(|member| (member.name.clone(), member.pid, true));
        let this = ("this process".to_owned(), std::process::id(), true);
        let servers = [
            ("broker", first(&settings.kafka.bootstrap_servers).to_owned()),
            ("database", host_and_port(settings.database.url.expose())),
        ];
        let servers = servers.into_iter().filter_map(|(name, address)| {
            listening_on(&address).map(|pid| (name.to_owned(), pid, false))
        });
        let all = ours.chain([this]).chain(servers);
        let watched = all.map(|(name, pid, is_ours)| Process { name, pid, is_ours, before: None });
        Self(watched.collect())
    }

    /// Starts counting processor time.
    pub(super) fn begin(&mut self) {
        for process in &mut self.0 {
            process.before = process.time();
        }
    }

    /// Returns the usage since the start.
    pub(super) fn used(&self) -> Vec<Usage> {
        self.0.iter().map(Process::used).collect()
    }
}

impl Process {
    fn time(&self) -> Option<Duration> {
        if self.is_ours { own_time(self.pid) } else { processor_time(self.pid) }
    }

    fn used(&self) -> Usage {
        let now = self.time();
        Usage {
            name: self.name.clone(),
            memory: self.is_ours.then(|| peak_memory(self.pid)).flatten(),
            time: now.zip(self.before).map(|(now, before)| now.saturating_sub(before)),
        }
    }
}

fn first(servers: &str) -> &str {
    servers.split(',').next().unwrap_or_default().trim()
}

/// Returns the `host:port` of a database's URL.
fn host_and_port(url: &str) -> String {
    let place = url.split_once("://").map_or(url, |(_, place)| place);
    let place = place.split(['?']).next().unwrap_or_default();
    let place = place.rsplit_once('@').map_or(place, |(_, place)| place);
    let place = place.split('/').next().unwrap_or_default();
    if place.contains(':') { place.to_owned() } else { format!("{place}:5432") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_found_in_its_url() {
        for (url, expected) in [
            ("postgres://me:p@ss@localhost:5433/shops?a=b", "localhost:5433"),
            ("postgres://localhost/shops", "localhost:5432"),
            ("postgres://me@127.0.0.1", "127.0.0.1:5432"),
        ] {
            assert_eq!(host_and_port(url), expected);
        }
        assert_eq!(first("a:1, b:2"), "a:1");
    }
}
