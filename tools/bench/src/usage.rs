//! The memory and the processor time of the processes of a campaign.

use std::time::Duration;

use crate::campaign::Campaign;
use crate::resources::{listening_on, own_time, peak_memory, time_with_children};
use crate::scratch::Servers;
use crate::services::Services;

/// The usage of a process, as far as the system shows it.
#[derive(Clone, Debug)]
pub(crate) struct Usage {
    pub(crate) name: String,
    /// The most memory that the process has had, in bytes. Only our processes have bounded memory,
    /// so only theirs is measured.
    pub(crate) memory: Option<u64>,
    /// The processor time during the campaign. That of a broker or a database includes its child
    /// processes.
    pub(crate) time: Option<Duration>,
}

/// The processes whose usage is measured.
#[derive(Debug)]
pub(crate) struct Watched {
    services: Vec<(String, u32)>,
    /// Broker and database, if they run on this machine.
    servers: Vec<(&'static str, u32)>,
    before: Vec<Option<Duration>>,
}

impl Watched {
    /// Starts counting processor time.
    pub(crate) fn begin(services: &Services, servers: &Servers) -> Self {
        let brokers = servers.brokers.split(',').next().unwrap_or_default().trim();
        let database = host_and_port(&servers.database);
        let servers = [("broker", brokers), ("database", &database)];
        let servers = servers.map(|(name, address)| Some((name, listening_on(address)?)));
        let servers = servers.into_iter().flatten().collect();
        let mut watched =
            Self { services: services.members().to_vec(), servers, before: Vec::new() };
        watched.before = watched.now();
        watched
    }

    fn now(&self) -> Vec<Option<Duration>> {
        let services = self.services.iter().map(|(_, pid)| own_time(*pid));
        services.chain(self.servers.iter().map(|(_, pid)| time_with_children(*pid))).collect()
    }

    /// Returns the processor times since the start: services first, then servers.
    pub(crate) fn times(&self) -> Vec<Option<Duration>> {
        let pairs = self.now().into_iter().zip(&self.before);
        pairs.map(|(now, before)| Some(now?.saturating_sub((*before)?))).collect()
    }

    /// Returns the processor time of the services together.
    pub(crate) fn time_of_services(&self) -> Option<Duration> {
        self.times().into_iter().take(self.services.len()).sum()
    }

    /// Returns the usage of all processes, and of the command that ran the campaign.
    pub(crate) fn usage(&self, times: Vec<Option<Duration>>, campaign: &Campaign) -> Vec<Usage> {
        let services = self.services.iter().map(|(name, pid)| (name.clone(), peak_memory(*pid)));
        let servers = self.servers.iter().map(|(name, _)| ((*name).to_owned(), None));
        let processes = services.chain(servers).zip(times);
        let mut all: Vec<_> =
            processes.map(|((name, memory), time)| Usage { name, memory, time }).collect();
        let command =
            Usage { name: "command".to_owned(), memory: campaign.memory, time: campaign.time };
        all.insert(self.services.len(), command);
        all
    }
}

/// Returns the `host:port` of a database's URL.
fn host_and_port(url: &str) -> String {
    let place = url.split_once("://").map_or(url, |(_, place)| place);
    let place = place.split('?').next().unwrap_or_default();
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
    }
}
