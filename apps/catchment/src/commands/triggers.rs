//! `catchment triggers`: lists the trigger kinds.

use catchment_api::Trigger;
use catchment_application::trigger_kinds;
use catchment_bootstrap::settings::Settings;

use crate::ending::Ending;
use crate::output::{Output, table};

/// Shows each kind with its rank and default limit, the highest rank first.
pub(crate) fn run(settings: &Settings, output: Output) -> anyhow::Result<Ending> {
    let kinds = trigger_kinds(&settings.policy);
    if output.json {
        kinds.into_iter().try_for_each(|kind| output.value(&Trigger::from(kind)))?;
        return Ok(Ending::Done);
    }
    let mut rows = table(&["kind", ">rank", ">default limit"]);
    for (kind, rule) in kinds {
        let limit = rule.default_limit.map_or_else(|| "-".to_owned(), |limit| limit.to_string());
        rows.add_row([kind.to_string(), rule.rank.0.to_string(), limit]);
    }
    output.line(rows.trim_fmt())?;
    Ok(Ending::Done)
}
