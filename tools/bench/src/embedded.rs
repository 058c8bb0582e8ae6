//! A campaign in one process, on a new database file.

use std::time::Duration;

use anyhow::{Context as _, ensure};

use crate::bare;
use crate::programs::{Programs, Ran, Variables};

/// A campaign, and the database alone.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) shops: u32,
    pub(crate) campaign: Campaign,
    /// The bare transactions over all shops.
    pub(crate) bare: Duration,
}

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

/// Measures a campaign, and then the database with rows of the same size.
///
/// # Errors
///
/// When a step fails.
pub(crate) async fn measure(programs: &Programs, shops: u32) -> anyhow::Result<Measured> {
    let folder = tempfile::tempdir().context("could not make a folder for the database")?;
    let file = folder.path().join("bench.db");
    let variables = vec![("CATCHMENT__DATABASE__URL", format!("sqlite://{}", file.display()))];
    generate(programs, &variables, shops).await?;
    let campaign = campaign(programs, &variables, shops, "3km").await?;
    let bare = bare::sqlite::measure(&file).await.context("the database alone")?;
    Ok(Measured { shops, campaign, bare })
}

/// Measures a campaign on a database of its own.
///
/// # Errors
///
/// When a step fails.
pub(crate) async fn measure_campaign(programs: &Programs, shops: u32) -> anyhow::Result<Campaign> {
    let folder = tempfile::tempdir().context("could not make a folder for the database")?;
    let url = format!("sqlite://{}", folder.path().join("bench.db").display());
    let variables = vec![("CATCHMENT__DATABASE__URL", url)];
    generate(programs, &variables, shops).await?;
    campaign(programs, &variables, shops, "3km").await
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
    let applied = summary.pointer("/outcomes/applied").and_then(serde_json::Value::as_u64);
    ensure!(applied == Some(shops.into()), "not all shops were narrowed: {summary}");
    let seconds = summary.get("seconds").and_then(serde_json::Value::as_f64);
    let took = Duration::from_secs_f64(seconds.context("a campaign without `seconds`")?);
    Ok(Campaign { took, memory, time })
}
