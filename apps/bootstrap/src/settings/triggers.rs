//! Sections `shops.floor` and `triggers`: the rules of every decision.

use std::collections::BTreeMap;

use catchment_domain::{Limit, Policy, Rank, TriggerKind, TriggerRule};

use super::SettingsError;
use super::keys::Keys;

pub(super) fn read(keys: &Keys) -> Result<Policy, SettingsError> {
    let mut triggers = BTreeMap::new();
    for key in keys.names() {
        let Some(rest) = key.strip_prefix("triggers.") else { continue };
        let Some((name, _)) = rest.split_once('.') else { continue };
        let kind: TriggerKind = name.parse().map_err(|error| keys.refuse(key, error))?;
        triggers.insert(kind, rule(keys, name)?);
    }
    Ok(Policy { floor: keys.parsed("shops.floor", |error| error)?, triggers })
}

fn rule(keys: &Keys, name: &str) -> Result<TriggerRule, SettingsError> {
    let rank = Rank(keys.number(&format!("triggers.{name}.rank"), 0..=255)?);
    let key = format!("triggers.{name}.default_limit");
    let limit = || keys.parsed::<Limit, _>(&key, |error| error);
    let default_limit = keys.has(&key).then(limit).transpose()?;
    Ok(TriggerRule { rank, default_limit })
}
