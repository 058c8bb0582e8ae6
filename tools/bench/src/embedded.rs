//! A campaign in one process, on a new database file.

use std::time::Duration;

use anyhow::Context as _;
use tempfile::TempDir;

use crate::bare;
use crate::campaign::{Campaign, campaign, generate};
use crate::programs::{Programs, Variables};

/// A campaign, and the database alone.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) campaign: Campaign,
    /// The bare transactions over all shops.
    pub(crate) bare: Duration,
}

/// Measures a campaign, and then the database with rows of the same size.
///
/// # Errors
///
/// When a step fails.
pub(crate) async fn measure(programs: &Programs, shops: u32) -> anyhow::Result<Measured> {
    let (folder, variables) = database()?;
    generate(programs, &variables, shops).await?;
    let campaign = campaign(programs, &variables, shops, "3km").await?;
    let bare = bare::sqlite::measure(&folder.path().join(FILE)).await;
    Ok(Measured { campaign, bare: bare.context("the database alone")? })
}

/// Measures a campaign alone.
///
/// # Errors
///
/// When a step fails.
pub(crate) async fn measure_campaign(programs: &Programs, shops: u32) -> anyhow::Result<Campaign> {
    let (_folder, variables) = database()?;
    generate(programs, &variables, shops).await?;
    campaign(programs, &variables, shops, "3km").await
}

const FILE: &str = "bench.db";

/// Makes a folder for a database, and the settings that name the database.
fn database() -> anyhow::Result<(TempDir, Variables)> {
    let folder = tempfile::tempdir().context("could not make a folder for the database")?;
    let url = format!("sqlite://{}", folder.path().join(FILE).display());
    Ok((folder, vec![("CATCHMENT__DATABASE__URL", url)]))
}
