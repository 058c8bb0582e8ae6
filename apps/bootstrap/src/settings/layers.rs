//! The layers of settings: the defaults, a file for the environment, variables and options.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use catchment_seaorm::DatabaseUrl;
use config::{Config, Environment, File, FileFormat, ValueKind};

use super::SettingsError;
use super::kafka::PASSED_THROUGH;
use catchment_application::nearest::nearest;

const DEFAULTS: &str = include_str!("../../../../config/default.toml");
/// The origin of a value that nothing has set.
pub(super) const DEFAULTS_NAME: &str = "the defaults";
const VARIABLES: &str = "an environment variable";

/// All sources of settings, read once at the start.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    /// The environment's name: `prod` stands for `prod.toml`.
    pub(super) environment: Option<String>,
    /// The folder of the environment's file.
    pub(super) folder: PathBuf,
    /// The file that is read instead of the environment's file.
    pub(super) file: Option<PathBuf>,
    /// The environment variables.
    pub(super) variables: HashMap<String, String>,
    /// The names of those `CATCHMENT_` variables whose name or value is not valid text.
    pub(super) unreadable: Vec<String>,
    /// The defaults that an app changes.
    pub(super) defaults: Vec<(&'static str, &'static str)>,
    /// The option `--database`.
    pub(super) database: Option<String>,
}

/// A value as it was written, with its origin.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Value {
    /// The text.
    pub(super) text: String,
    /// The name of the last layer that set the value.
    pub(super) origin: String,
}

impl Layers {
    /// Reads the layers of this process.
    #[must_use]
    pub fn of_process(database: Option<String>) -> Self {
        let (mut variables, mut unreadable) = (HashMap::new(), Vec::new());
        for (name, value) in std::env::vars_os() {
            let shown = name.to_string_lossy().into_owned();
            match (name.into_string(), value.into_string()) {
                (Ok(name), Ok(value)) => drop(variables.insert(name, value)),
                _ if shown.starts_with("CATCHMENT_") => unreadable.push(shown),
                _ => {}
            }
        }
        Self {
            environment: variables.get("CATCHMENT_ENV").filter(|name| !name.is_empty()).cloned(),
            folder: variables.get("CATCHMENT_CONFIG").map_or("config", String::as_str).into(),
            variables,
            unreadable,
            database,
            ..Self::default()
        }
    }

    /// Reads this file instead of the environment's file.
    #[must_use]
    pub fn with_file(mut self, file: Option<PathBuf>) -> Self {
        self.file = file;
        self
    }

    /// Changes some defaults for an app.
    #[must_use]
    pub fn with_defaults(mut self, defaults: &[(&'static str, &'static str)]) -> Self {
        self.defaults.extend_from_slice(defaults);
        self
    }

    /// Returns all values by key, each from the last layer that sets it.
    pub(super) fn read(&self) -> Result<BTreeMap<String, Value>, SettingsError> {
        let defaults = Config::builder().add_source(File::from_str(DEFAULTS, FileFormat::Toml));
        let mut values = flattened(defaults, DEFAULTS_NAME)?;
        for (key, text) in &self.defaults {
            let origin = DEFAULTS_NAME.to_owned();
            values.insert((*key).to_owned(), Value { text: (*text).to_owned(), origin });
        }
        let known: Vec<String> = values.keys().cloned().collect();
        for (key, value) in self.file()?.into_iter().chain(self.variables()?) {
            check_known(&key, &value.origin, &known)?;
            values.insert(key, value);
        }
        if let Some(text) = self.database.clone() {
            values.insert("database.url".into(), Value { text, origin: "--database".into() });
        }
        Ok(values)
    }

    fn file(&self) -> Result<BTreeMap<String, Value>, SettingsError> {
        if let Some(file) = &self.file {
            let missing = || format!("there is no file {}", shown_path(file));
            return read_file(file, missing);
        }
        let Some(environment) = &self.environment else { return Ok(BTreeMap::new()) };
        let path = self.folder.join(format!("{environment}.toml"));
        read_file(&path, || {
            let (environment, path) = (DatabaseUrl::redact_in(environment), shown_path(&path));
            format!("CATCHMENT_ENV is `{environment}`, but there is no file {path}")
        })
    }

    fn variables(&self) -> Result<BTreeMap<String, Value>, SettingsError> {
        if let Some(name) = self.unreadable.first() {
            return Err(SettingsError(format!("the environment variable `{name}` is not UTF-8")));
        }
        let variables = Environment::with_prefix("CATCHMENT")
            .prefix_separator("__")
            .separator("__")
            .source(Some(self.variables.clone()));
        let values = flattened(Config::builder().add_source(variables), VARIABLES)?;
        // No librdkafka property that is set as text has an underscore in its name, and no variable
        // has a dot.
        let dotted = |key: String| match PASSED_THROUGH.iter().find(|table| key.starts_with(*table))
        {
            Some(table) => format!("{table}{}", key.trim_start_matches(table).replace('_', ".")),
            None => key,
        };
        Ok(values.into_iter().map(|(key, value)| (dotted(key), value)).collect())
    }
}

fn read_file(
    path: &Path,
    missing: impl FnOnce() -> String,
) -> Result<BTreeMap<String, Value>, SettingsError> {
    if !path.is_file() {
        return Err(SettingsError(missing()));
    }
    let file = File::from(path).format(FileFormat::Toml);
    flattened(Config::builder().add_source(file), &shown_path(path))
}

/// Returns a path as it may be shown. A user may have given the URL of a database instead of a
/// file.
fn shown_path(path: &Path) -> String {
    DatabaseUrl::redact_in(&path.display().to_string())
}

type Builder = config::ConfigBuilder<config::builder::DefaultState>;

/// Returns the values of one source, by key.
fn flattened(source: Builder, origin: &str) -> Result<BTreeMap<String, Value>, SettingsError> {
    let unreadable =
        |error: config::ConfigError| SettingsError(format!("{origin}: {}", without_quote(&error)));
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

/// Returns the place of an error in a file and what was expected there. The line that the parser
/// quotes is left out, because it may be the line of a password.
fn without_quote(error: &config::ConfigError) -> String {
    let text = match error {
        config::ConfigError::FileParse { cause, .. } => cause.to_string(),
        other => other.to_string(),
    };
    let is_quote = |line: &&str| {
        line.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ').starts_with('|')
    };
    let lines = text.lines().filter(|line| !is_quote(line)).map(str::trim);
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(": ")
}

fn check_known(key: &str, origin: &str, known: &[String]) -> Result<(), SettingsError> {
    if PASSED_THROUGH.iter().any(|table| key.starts_with(table)) {
        return Ok(());
    }
    let mut known: Vec<&str> = known.iter().map(String::as_str).collect();
    // Trigger kinds can be added, and each has the same two settings.
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
