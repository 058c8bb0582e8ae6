//! The settings. They are complete and checked before anything is opened.

mod database;
mod deadlines;
mod kafka;
mod keys;
mod layers;
mod log;
mod secrets;
mod triggers;

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use catchment_domain::{LONGEST_LEASE, Policy, Radius};
use thiserror::Error;

pub use catchment_seaorm::DatabaseUrl;
pub use database::Database;
pub use kafka::{Kafka, Properties};
pub use keys::Shown;
pub use layers::Layers;
pub use log::Log;
pub(crate) use log::parse as parse_filter;

use self::keys::Keys;
use crate::duration::show;

/// Every setting, checked.
pub struct Settings {
    /// Section `database`.
    pub database: Database,
    /// Section `kafka`.
    pub kafka: Kafka,
    /// The base radius of a new shop for which a file names none.
    pub default_base: Radius,
    /// The trigger kinds, and the floor.
    pub policy: Policy,
    /// How long after its start a campaign's requests may begin to apply.
    pub timeout: Duration,
    /// Section `engine`.
    pub engine: Engine,
    /// The address of the probes, or `None` for no probes.
    pub probes: Option<SocketAddr>,
    /// How long a lane with work may stand still before it is reported.
    pub stalled_after: Duration,
    /// How long work in progress may take at the end.
    pub drain: Duration,
    /// Whether the end of the standard input asks the process to stop.
    pub ends_with_stdin: bool,
    /// Section `log`.
    pub log: Log,
    keys: Keys,
}

/// Section `engine`.
#[derive(Clone, Copy, Debug)]
pub struct Engine {
    /// The most requests that one transaction applies.
    pub batch: usize,
    /// How long a requester keeps its campaigns without a sign of life.
    pub lease: Duration,
    /// How often campaigns are looked up.
    pub look: Duration,
    /// After how long without replies open requests are sent again.
    pub resend: Duration,
}

/// An error in the settings, in one line that names the key.
#[derive(Debug, Error)]
#[error("bad settings: {0}")]
pub struct SettingsError(pub String);

impl Settings {
    /// Reads and checks all layers.
    ///
    /// # Errors
    ///
    /// When a layer cannot be read, has an unknown key or an invalid value, or when two settings
    /// contradict each other.
    pub fn load(layers: &Layers) -> Result<Self, SettingsError> {
        let keys = Keys::new(layers.read()?);
        let settings = Self {
            database: Database::read(&keys)?,
            kafka: Kafka::read(&keys)?,
            default_base: keys.parsed("shops.default_base", |error| error)?,
            policy: triggers::read(&keys)?,
            timeout: keys.duration("campaigns.timeout")?,
            engine: Engine::read(&keys)?,
            probes: probes(&keys)?,
            stalled_after: keys.duration("probes.stalled_after")?,
            drain: keys.duration("shutdown.drain")?,
            ends_with_stdin: keys.flag("shutdown.with_stdin")?,
            log: Log::read(&keys)?,
            keys,
        };
        deadlines::check(&settings)?;
        #[cfg(feature = "servers")]
        settings.kafka.check(settings.database.lanes, settings.drain)?;
        Ok(settings)
    }

    /// Returns the settings of the Kafka adapter.
    #[cfg(feature = "servers")]
    #[must_use]
    pub fn kafka_adapter(&self) -> catchment_kafka::KafkaSettings {
        self.kafka.adapter(self.database.lanes, self.drain)
    }

    /// Returns every setting by key, as it may be shown.
    #[must_use]
    pub fn shown(&self) -> Vec<Shown> {
        self.keys.shown()
    }

    /// Returns whether the value of a key comes from the defaults.
    #[must_use]
    pub fn is_default(&self, key: &str) -> bool {
        self.shown().iter().any(|setting| setting.key == key && setting.is_default)
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.shown().into_iter().map(|s| (s.key, s.text))).finish()
    }
}

impl Engine {
    fn read(keys: &Keys) -> Result<Self, SettingsError> {
        const LEASE: &str = "engine.lease";
        let lease = keys.duration(LEASE)?;
        if LONGEST_LEASE < lease {
            let longest = show(LONGEST_LEASE);
            return Err(keys.refuse(LEASE, format_args!("a lease is at most {longest}")));
        }
        Ok(Self {
            batch: keys.number("engine.batch", 1..=100_000)?,
            lease,
            look: keys.duration("engine.look")?,
            resend: keys.duration("engine.resend")?,
        })
    }
}

fn probes(keys: &Keys) -> Result<Option<SocketAddr>, SettingsError> {
    const KEY: &str = "probes.address";
    if keys.text(KEY)? == "none" {
        return Ok(None);
    }
    let explain = |_| "expected an address such as `0.0.0.0:8080`, or `none`";
    keys.parsed(KEY, explain).map(Some)
}

#[cfg(test)]
mod tests;
