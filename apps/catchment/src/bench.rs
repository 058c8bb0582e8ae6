//! `catchment bench`: how fast this machine is, beside the database alone in the same run.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use catchment_bootstrap::settings::{DatabaseUrl, Settings};
use catchment_domain::{Draft, Scope, Status};
use clap::{Args, Subcommand, value_parser};
use serde_json::json;

use crate::commands::Context;
use crate::commands::shops::generate;
use crate::demo::rate;
use crate::ending::Ending;
use crate::number::grouped;
use crate::output::{Output, facts, note};
use crate::random;
use crate::report::Wait;
use crate::run::{Begun, drive};
use crate::stores::Stores;
use crate::watch::Goal;

/// What to measure.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// A campaign over all shops, from the accepted command to the last stored outcome.
    Campaign(Arguments),
}

/// What `bench campaign` takes.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// How many shops.
    #[arg(long, value_name = "N", default_value_t = 300_000,
          value_parser = value_parser!(u32).range(1..=10_000_000))]
    shops: u32,
}

/// Measures in a database of its own, which goes away afterwards.
///
/// # Errors
///
/// With what could not be done, and why.
pub(crate) async fn run(
    command: &Command,
    mut settings: Settings,
    output: Output,
) -> anyhow::Result<Ending> {
    let Command::Campaign(Arguments { shops }) = command;
    let folder = tempfile::tempdir().context("could not make a folder for the database")?;
    settings.database.url = DatabaseUrl::of_file(&folder.path().join("bench.db"));
    let stores = Stores::open(&settings.database).await?;
    let context = Context { settings, stores, output };
    if !output.json {
        note(format_args!("making {} shops", grouped(u64::from(*shops))));
    }
    generate(&context, *shops, 1).await?;
    let campaign = campaign(&context).await?;
    // Afterwards, so that both write rows of one size.
    let bare = context.stores.bare_batches(context.settings.engine.batch).await?;
    context.stores.close().await;
    report(*shops, bare, campaign, output)?;
    Ok(Ending::Done)
}

async fn campaign(context: &Context) -> anyhow::Result<Duration> {
    let draft = Draft {
        kind: "manual".parse()?,
        limit: "3km".parse()?,
        scope: Scope::everything(),
        reason: "bench".to_owned(),
        timeout: context.settings.timeout,
        until: None,
        replaces: None,
        id: random::campaign_id(),
        nonce: random::nonce(),
    };
    let begun = Begun::now()?;
    let start = Instant::now();
    let campaign = context.stores.campaigns.add(&draft).await?;
    let finished = drive(context, campaign.name.revision, Goal::Settled, begun).await?;
    let seconds = start.elapsed();
    let applied = finished.standing.tallies.activation.of(Status::Applied);
    if finished.wait != Wait::Through || applied != campaign.shops {
        bail!("{applied} of {} shops were narrowed: there is nothing to report", campaign.shops);
    }
    Ok(seconds)
}

fn report(shops: u32, bare: Duration, campaign: Duration, output: Output) -> std::io::Result<()> {
    let shops = u64::from(shops);
    let bare_rate = rate(shops, bare.as_secs_f64());
    let campaign_rate = rate(shops, campaign.as_secs_f64());
    let ratio = bare.as_secs_f64() / campaign.as_secs_f64();
    let memory = peak_memory_mb();
    if output.json {
        return output.value(&json!({
            "shops": shops,
            "seconds": campaign.as_secs_f64(),
            "shops_per_second": campaign_rate,
            "bare_seconds": bare.as_secs_f64(),
            "bare_shops_per_second": bare_rate,
            "ratio_to_bare": ratio,
            "peak_memory_mb": memory,
        }));
    }
    let rate = |rate| format!("{} shops/s", grouped(rate));
    output.line(facts(&[
        ("campaign", rate(campaign_rate)),
        ("bare", rate(bare_rate)),
        ("ratio", format!("{ratio:.2}")),
        ("memory", memory.map_or_else(|| "unknown".to_owned(), |mb| format!("{mb} MB at most"))),
    ]))
}

/// The most memory that this process had, where the system tells.
fn peak_memory_mb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes / 1_024)
}
