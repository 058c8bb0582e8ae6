//! The settings: complete and checked before anything is opened.

mod layers;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::num::NonZeroU16;
use std::ops::RangeInclusive;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use catchment_domain::{Lanes, Limit, Policy, Radius, Rank, TriggerKind, TriggerRule};
use thiserror::Error;

use crate::duration;

pub use layers::{Layers, Value};

/// Every setting, checked.
#[derive(Debug)]
pub struct Settings {
    /// Section `database`.
    pub database: Database,
    /// The base radius of a new shop for which a file names none.
    pub default_base: Radius,
    /// The trigger kinds, and the floor.
    pub policy: Policy,
    /// How long after its start a campaign's requests may begin to apply.
    pub timeout: Duration,
    /// Section `engine`.
    pub engine: Engine,
    /// Section `log`.
    pub log: Log,
    /// What they were read from, by key.
    pub values: BTreeMap<String, Value>,
}

/// Section `database`.
#[derive(Clone, Debug)]
pub struct Database {
    /// Where it is.
    pub url: DatabaseUrl,
    /// How many lanes a new one is made for.
    pub lanes: Lanes,
    /// How long receipts are kept after their replies were sent.
    pub receipts_kept: Duration,
}

/// Section `engine`.
#[derive(Clone, Copy, Debug)]
pub struct Engine {
    /// The most requests that one transaction applies.
    pub batch: usize,
    /// How long a silent requester keeps its campaigns.
    pub lease: Duration,
    /// How often campaigns are looked up.
    pub look: Duration,
    /// The silence after which open requests are sent again.
    pub resend: Duration,
}

/// Section `log`.
#[derive(Clone, Debug)]
pub struct Log {
    /// A filter of `tracing`.
    pub filter: String,
    /// Whether lines are JSON.
    pub json: bool,
}

/// Where the database is. Its `Debug` and [`redacted`] hide the password.
#[derive(Clone)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    /// The database of this file.
    #[must_use]
    pub fn of_file(path: &Path) -> Self {
        Self(format!("sqlite://{}", path.display()))
    }

    /// The whole URL, with the password that may be in it: for the connection alone.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&redacted(&self.0))
    }
}

/// The text of a URL with `***` in the place of a password.
#[must_use]
pub fn redacted(url: &str) -> String {
    let secret = || {
        let (scheme, rest) = url.split_once("://")?;
        let authority = rest.split(['/', '?']).next()?;
        let (user, host) = authority.rsplit_once('@')?;
        let (name, _) = user.split_once(':')?;
        let path = rest.strip_prefix(authority)?;
        Some(format!("{scheme}://{name}:***@{host}{path}"))
    };
    secret().unwrap_or_else(|| url.to_owned())
}

/// What is wrong with the settings, in one line that names the key.
#[derive(Debug, Error)]
#[error("bad settings: {0}")]
pub struct SettingsError(pub(crate) String);

impl Settings {
    /// Reads and checks all layers.
    ///
    /// # Errors
    ///
    /// When a layer cannot be read, has an unknown key, or a value that is none.
    pub fn load(layers: &Layers) -> Result<Self, SettingsError> {
        let keys = Keys(layers.read()?);
        Ok(Self {
            database: Database {
                url: keys.database_url()?,
                lanes: Lanes(keys.number::<NonZeroU16>("database.lanes", 1..=1024)?),
                receipts_kept: keys.duration("database.receipts_kept")?,
            },
            default_base: keys.parsed("shops.default_base", |error| error)?,
            policy: keys.policy()?,
            timeout: keys.duration("campaigns.timeout")?,
            engine: Engine {
                batch: keys.number("engine.batch", 1..=100_000)?,
                lease: keys.duration("engine.lease")?,
                look: keys.duration("engine.look")?,
                resend: keys.duration("engine.resend")?,
            },
            log: Log { filter: keys.log_filter()?, json: keys.log_format()? },
            values: keys.0,
        })
    }

    /// Whether nobody has set it to anything else than the defaults.
    #[must_use]
    pub fn is_default(&self, key: &str) -> bool {
        self.values.get(key).is_some_and(|value| value.origin == layers::DEFAULTS_NAME)
    }
}

/// The values by key, and how each is checked.
struct Keys(BTreeMap<String, Value>);

impl Keys {
    fn value(&self, key: &str) -> Result<&Value, SettingsError> {
        self.0.get(key).ok_or_else(|| SettingsError(format!("`{key}` is missing")))
    }

    fn text(&self, key: &str) -> Result<&str, SettingsError> {
        self.value(key).map(|value| value.text.as_str())
    }

    fn refuse(&self, key: &str, why: impl Display) -> SettingsError {
        match self.0.get(key) {
            Some(Value { text, origin }) => {
                SettingsError(format!("`{key}` is `{}` in {origin}: {why}", redacted(text)))
            }
            None => SettingsError(format!("`{key}`: {why}")),
        }
    }

    /// `explain` says what is wrong where the error of `T` alone does not.
    fn parsed<T: FromStr, E: Display>(
        &self,
        key: &str,
        explain: impl FnOnce(T::Err) -> E,
    ) -> Result<T, SettingsError> {
        self.text(key)?.parse().map_err(|error| self.refuse(key, explain(error)))
    }

    fn database_url(&self) -> Result<DatabaseUrl, SettingsError> {
        let url = self.text("database.url")?;
        if url.starts_with("sqlite:") {
            return Ok(DatabaseUrl(url.to_owned()));
        }
        Err(self.refuse("database.url", "expected a file such as `sqlite://catchment.db`"))
    }

    fn duration(&self, key: &str) -> Result<Duration, SettingsError> {
        duration::parse(self.text(key)?).map_err(|error| self.refuse(key, error))
    }

    fn number<T: FromStr>(
        &self,
        key: &str,
        range: RangeInclusive<u64>,
    ) -> Result<T, SettingsError> {
        let text = self.text(key)?;
        let is_in_range = text.parse().is_ok_and(|number| range.contains(&number));
        text.parse().ok().filter(|_| is_in_range).ok_or_else(|| {
            let (least, most) = (range.start(), range.end());
            self.refuse(key, format_args!("expected a whole number from {least} to {most}"))
        })
    }

    fn policy(&self) -> Result<Policy, SettingsError> {
        let mut triggers = BTreeMap::new();
        for key in self.0.keys() {
            let Some(rest) = key.strip_prefix("triggers.") else { continue };
            let Some((name, _)) = rest.split_once('.') else { continue };
            let kind: TriggerKind = name.parse().map_err(|error| self.refuse(key, error))?;
            triggers.insert(kind, self.trigger(name)?);
        }
        Ok(Policy { floor: self.parsed("shops.floor", |error| error)?, triggers })
    }

    fn trigger(&self, name: &str) -> Result<TriggerRule, SettingsError> {
        let rank = Rank(self.number(&format!("triggers.{name}.rank"), 0..=255)?);
        let key = format!("triggers.{name}.default_limit");
        let has_limit = self.0.contains_key(&key);
        let default_limit =
            has_limit.then(|| self.parsed::<Limit, _>(&key, |error| error)).transpose()?;
        Ok(TriggerRule { rank, default_limit })
    }

    fn log_filter(&self) -> Result<String, SettingsError> {
        let filter = self.text("log.level")?;
        let explain = |error| format!("expected a level or a filter: {error}");
        self.parsed::<tracing_subscriber::filter::Targets, _>("log.level", explain)?;
        Ok(filter.to_owned())
    }

    fn log_format(&self) -> Result<bool, SettingsError> {
        match self.text("log.format")? {
            "json" => Ok(true),
            "text" => Ok(false),
            _ => Err(self.refuse("log.format", "expected `text` or `json`")),
        }
    }
}

#[cfg(test)]
mod tests;
