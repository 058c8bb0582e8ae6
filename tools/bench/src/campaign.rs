//! A campaign over made-up shops, run by the command.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::programs::{Programs, Ran, Variables};

/// A campaign over all shops.
#[derive(Debug)]
pub(crate) struct Campaign {
    /// From the accepted command to the last stored outcome.
    pub(crate) took: Duration,
    /// The most memory of the command, in bytes.
    pub(crate) memory: Option<u64>,
    /// The processor time of the command.
    pub(crate) time: Option<Duration>,
}

/// Stores made-up shops.
///
/// # Errors
///
/// When the command fails.
pub(crate) async fn generate(
    programs: &Programs,
    variables: &Variables,
    shops: u32,
) -> anyhow::Result<()> {
    let arguments = ["shops", "generate", "--count", &shops.to_string()];
    programs.catchment(variables, &arguments).await.map(drop)
}

/// Runs a campaign over all shops.
///
/// # Errors
///
/// When the command fails, or a shop was not narrowed.
pub(crate) async fn campaign(
    programs: &Programs,
    variables: &Variables,
    shops: u32,
    limit: &str,
) -> anyhow::Result<Campaign> {
    let kind = ["campaign", "start", "--kind", "manual", "--limit", limit];
    let arguments = [&kind[..], &["--all", "--reason", "bench", "--yes"]].concat();
    let Ran { lines, memory, time } = programs.catchment(variables, &arguments).await?;
    let summary = lines.last().context("a campaign printed nothing")?;
    let applied = summary.pointer("/outcomes/applied").and_then(Value::as_u64);
    ensure!(applied == Some(shops.into()), "not all shops were narrowed: {summary}");
    let seconds = summary.get("seconds").and_then(Value::as_f64);
    let took = Duration::from_secs_f64(seconds.context("a campaign without `seconds`")?);
    Ok(Campaign { took, memory, time })
}
