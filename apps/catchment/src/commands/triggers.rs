//! `catchment triggers`: lists the trigger kinds.

use anyhow::bail;
use catchment_application::nearest::suggest;
use catchment_bootstrap::settings::Settings;
use catchment_domain::{Policy, TriggerKind, TriggerRule};
use serde_json::json;

use crate::ending::Ending;
use crate::output::{Output, table};

/// Shows each kind with its rank and default limit, the highest rank first.
pub(crate) fn run(settings: &Settings, output: Output) -> anyhow::Result<Ending> {
    let mut kinds: Vec<_> = settings.policy.triggers.iter().collect();
    kinds.sort_by_key(|(kind, rule)| (std::cmp::Reverse(rule.rank), **kind));
    let limit = |rule: &TriggerRule| rule.default_limit.map(|l| l.to_string());
    if output.json {
        for (kind, rule) in kinds {
            output.value(&json!({
                "kind": kind.as_str(), "rank": rule.rank.0, "default_limit": limit(rule),
            }))?;
        }
        return Ok(Ending::Done);
    }
    let mut rows = table(&["kind", ">rank", ">default limit"]);
    for (kind, rule) in kinds {
        let limit = limit(rule).unwrap_or_else(|| "-".to_owned());
        rows.add_row([kind.to_string(), rule.rank.0.to_string(), limit]);
    }
    output.line(rows.trim_fmt())?;
    Ok(Ending::Done)
}

/// Returns the trigger kind of this name, and its rule.
///
/// # Errors
///
/// When the settings have no trigger kind of this name.
pub(crate) fn known<'a>(
    name: &str,
    policy: &'a Policy,
) -> anyhow::Result<(TriggerKind, &'a TriggerRule)> {
    let kinds = &policy.triggers;
    let Some((kind, rule)) = kinds.iter().find(|(kind, _)| kind.as_str() == name) else {
        let hint = suggest(name, kinds.keys().map(TriggerKind::as_str));
        bail!("there is no trigger kind `{name}`{hint}");
    };
    Ok((*kind, rule))
}
