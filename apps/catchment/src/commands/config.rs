//! `catchment config`: shows the settings, and where each comes from.

use catchment_api::Setting;
use catchment_bootstrap::settings::{Settings, Shown};
use clap::Subcommand;

use crate::ending::Ending;
use crate::output::{Output, table};

/// What to do with the settings.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Checks the settings and shows each with the layer that set it.
    Check,
}

/// Shows the settings. Reading them has already checked them.
pub(crate) fn run(
    Command::Check: &Command,
    settings: &Settings,
    output: Output,
) -> anyhow::Result<Ending> {
    let mut rows = table(&["setting", "value", "from"]);
    for Shown { key, text, origin, .. } in settings.shown() {
        if output.json {
            output.value(&Setting { setting: key, value: text, from: origin })?;
        } else {
            rows.add_row([key, text, origin]);
        }
    }
    if !output.json {
        output.line(rows.trim_fmt())?;
    }
    Ok(Ending::Done)
}
