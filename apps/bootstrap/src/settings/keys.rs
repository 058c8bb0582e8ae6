//! The values by key, with a check for each type.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use super::SettingsError;
use super::layers::{DEFAULTS_NAME, Value};
use super::secrets::shown;
use crate::duration;

/// All values by key.
pub(super) struct Keys(BTreeMap<String, Value>);

/// A setting as it may be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The setting's key.
    pub key: String,
    /// The setting's value, or `***` for a secret.
    pub text: String,
    /// The layer that set the value.
    pub origin: String,
    /// Whether the value comes from the defaults.
    pub is_default: bool,
}

impl Keys {
    pub(super) const fn new(values: BTreeMap<String, Value>) -> Self {
        Self(values)
    }

    /// Returns every setting as it may be shown.
    pub(super) fn shown(&self) -> Vec<Shown> {
        let show = |(key, value): (&String, &Value)| Shown {
            key: key.clone(),
            text: shown(key, &value.text),
            origin: value.origin.clone(),
            is_default: value.origin == DEFAULTS_NAME,
        };
        self.0.iter().map(show).collect()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    pub(super) fn text(&self, key: &str) -> Result<&str, SettingsError> {
        let value = self.0.get(key).ok_or_else(|| SettingsError(format!("`{key}` is missing")))?;
        Ok(&value.text)
    }

    /// Reads a text that must not be empty.
    pub(super) fn filled(&self, key: &str) -> Result<&str, SettingsError> {
        match self.text(key)?.trim() {
            "" => Err(self.refuse(key, "it must not be empty")),
            text => Ok(text),
        }
    }

    /// Reads a text, or returns `None` if it is empty.
    pub(super) fn optional(&self, key: &str) -> Result<Option<String>, SettingsError> {
        let text = self.text(key)?.trim();
        Ok((!text.is_empty()).then(|| text.to_owned()))
    }

    /// Reads the items between commas.
    pub(super) fn list(&self, key: &str) -> Result<Vec<String>, SettingsError> {
        let items = self.text(key)?.split(',').map(str::trim).filter(|item| !item.is_empty());
        Ok(items.map(ToOwned::to_owned).collect())
    }

    /// Returns the values whose keys begin with `prefix`, by the rest of their keys.
    pub(super) fn table(&self, prefix: &str) -> BTreeMap<String, String> {
        let entry = |(key, value): (&String, &Value)| {
            Some((key.strip_prefix(prefix)?.to_owned(), value.text.clone()))
        };
        self.0.iter().filter_map(entry).collect()
    }

    pub(super) fn refuse(&self, key: &str, why: impl Display) -> SettingsError {
        match self.0.get(key) {
            Some(Value { text, origin }) => {
                SettingsError(format!("`{key}` is `{}` in {origin}: {why}", shown(key, text)))
            }
            None => SettingsError(format!("`{key}`: {why}")),
        }
    }

    /// Parses a value. `explain` describes the error if the error of `T` alone does not.
    pub(super) fn parsed<T: FromStr, E: Display>(
        &self,
        key: &str,
        explain: impl FnOnce(T::Err) -> E,
    ) -> Result<T, SettingsError> {
        self.text(key)?.parse().map_err(|error| self.refuse(key, explain(error)))
    }

    pub(super) fn flag(&self, key: &str) -> Result<bool, SettingsError> {
        self.parsed(key, |_| "expected `true` or `false`")
    }

    pub(super) fn duration(&self, key: &str) -> Result<Duration, SettingsError> {
        duration::parse(self.text(key)?).map_err(|error| self.refuse(key, error))
    }

    pub(super) fn number<T: FromStr>(
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
}
