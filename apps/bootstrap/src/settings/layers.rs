//! Where settings come from: the defaults, a file for the environment, variables, options.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use config::{Config, Environment, File, FileFormat, ValueKind};

use super::SettingsError;
use crate::nearest::nearest;

const DEFAULTS: &str = include_str!("../../../../config/default.toml");
/// The origin of what nobody has set.
pub(super) const DEFAULTS_NAME: &str = "the defaults";
const VARIABLES: &str = "an environment variable";

/// Everything that says something about the settings, read once at the start.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    /// The environment's name: `prod` stands for `prod.toml`.
    pub environment: Option<String>,
    /// The folder of that file.
    pub folder: PathBuf,
    /// The environment variables.
    pub variables: HashMap<String, String>,
    /// The option `--database`.
    pub database: Option<String>,
}

/// A value as it was written, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// The text.
    pub text: String,
    /// The last layer that set it.
    pub origin: String,
}

impl Layers {
    /// The layers of this process.
    pub fn of_process(database: Option<String>) -> Self {
        let variables: HashMap<String, String> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Self {
            environment: variables.get("CATCHMENT_ENV").filter(|name| !name.is_empty()).cloned(),
            folder: variables.get("CATCHMENT_CONFIG").map_or("config", String::as_str).into(),
            variables,
            database,
        }
    }

    /// All values by key, each from the last layer that sets it.
    ///
    /// # Errors
    ///
    /// When a file is missing or cannot be parsed, or a key is unknown.
    pub fn read(&self) -> Result<BTreeMap<String, Value>, SettingsError> {
        let defaults = Config::builder().add_source(File::from_str(DEFAULTS, FileFormat::Toml));
        let mut values = flattened(defaults, DEFAULTS_NAME)?;
        let known: Vec<String> = values.keys().cloned().collect();
        for (key, value) in self.environment_file()?.into_iter().chain(self.variables()?) {
            check_known(&key, &value.origin, &known)?;
            values.insert(key, value);
        }
        if let Some(text) = self.database.clone() {
            values.insert("database.url".into(), Value { text, origin: "--database".into() });
        }
        Ok(values)
    }

    fn environment_file(&self) -> Result<BTreeMap<String, Value>, SettingsError> {
        let Some(environment) = &self.environment else { return Ok(BTreeMap::new()) };
        let path = self.folder.join(format!("{environment}.toml"));
        let origin = path.display().to_string();
        if !path.is_file() {
            let why = format!("CATCHMENT_ENV is `{environment}`, but there is no file {origin}");
            return Err(SettingsError(why));
        }
        let file = File::from(path).format(FileFormat::Toml);
        flattened(Config::builder().add_source(file), &origin)
    }

    fn variables(&self) -> Result<BTreeMap<String, Value>, SettingsError> {
        let variables = Environment::with_prefix("CATCHMENT")
            .prefix_separator("__")
            .separator("__")
            .source(Some(self.variables.clone()));
        flattened(Config::builder().add_source(variables), VARIABLES)
    }
}

type Builder = config::ConfigBuilder<config::builder::DefaultState>;

/// The values of one source, by key.
fn flattened(source: Builder, origin: &str) -> Result<BTreeMap<String, Value>, SettingsError> {
    let unreadable = |error: config::ConfigError| {
        SettingsError(format!("{origin}: {}", error.to_string().replace('\n', " ")))
    };
    let table: HashMap<String, config::Value> =
        source.build().and_then(Config::try_deserialize).map_err(unreadable)?;
    let mut values = BTreeMap::new();
    let mut rest: Vec<(String, config::Value)> = table.into_iter().collect();
    while let Some((key, value)) = rest.pop() {
        match value.kind {
            ValueKind::Table(inner) => {
                rest.extend(
                    inner.into_iter().map(|(name, value)| (format!("{key}.{name}"), value)),
                );
            }
            ValueKind::Array(_) | ValueKind::Nil => {
                return Err(SettingsError(format!("`{key}` in {origin} is not a single value")));
            }
            kind => {
                let value = Value { text: kind.to_string(), origin: origin.to_owned() };
                values.insert(key, value);
            }
        }
    }
    Ok(values)
}

fn check_known(key: &str, origin: &str, known: &[String]) -> Result<(), SettingsError> {
    let mut known: Vec<&str> = known.iter().map(String::as_str).collect();
    // Trigger kinds can be added, each with the same two settings.
    let added: Vec<String> = key
        .strip_prefix("triggers.")
        .and_then(|rest| rest.split_once('.'))
        .map(|(kind, _)| ["rank", "default_limit"].map(|name| format!("triggers.{kind}.{name}")))
        .into_iter()
        .flatten()
        .collect();
    known.extend(added.iter().map(String::as_str));
    if known.contains(&key) {
        return Ok(());
    }
    let hint = match nearest(key, &known).first() {
        Some(near) => format!(": did you mean `{near}`?"),
        None => "; `catchment config check` shows those that there are".to_owned(),
    };
    Err(SettingsError(format!("unknown setting `{key}` in {origin}{hint}")))
}
