//! `catchment bench`: measures the speed of this machine, compared with the bare database in the
//! same run.

use std::num::{NonZeroU16, NonZeroU32};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use catchment_bootstrap::settings::{DatabaseUrl, Settings};
use catchment_domain::{Draft, Scope, Status};
use clap::{Args, Subcommand, value_parser};
use serde_json::json;

use crate::cli::{Over, parse_partitions};
use crate::commands::Context;
use crate::commands::shops::generate;
use crate::ending::Ending;
use crate::number::{grouped, rate};
use crate::output::{Output, facts, note};
use crate::peak_memory::peak_memory;
use crate::random;
use crate::report::Wait;
use crate::run::{Begun, drive};
use crate::servers;
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
    pub(crate) shops: u32,
    /// What requests and replies travel over: a log in this process's memory, or Kafka, with
    /// requester and consumers as processes of their own.
    #[arg(long, value_name = "LOG", value_enum, default_value_t = Over::Memory)]
    over: Over,
    /// How many partitions the requests have over Kafka.
    #[arg(long, value_name = "P", default_value = "12", value_parser = parse_partitions)]
    pub(crate) partitions: NonZeroU16,
    /// How many consumers share them.
    #[arg(long, value_name = "C", default_value = "1")]
    pub(crate) consumers: NonZeroU16,
    /// How many single calls are made over Kafka while nothing else is done.
    #[arg(long, value_name = "M", default_value = "2000")]
    pub(crate) calls: NonZeroU32,
}

/// Runs the benchmark in its own database, or on its own topics and schema. They are removed
/// afterwards.
///
/// # Errors
///
/// When a step fails, with the step and the reason.
pub(crate) async fn run(
    Command::Campaign(arguments): &Command,
    settings: Settings,
    output: Output,
) -> anyhow::Result<Ending> {
    match arguments.over {
        Over::Memory => in_memory(arguments.shops, settings, output).await,
        Over::Kafka => servers::bench::run(arguments, settings, output).await,
    }
}

async fn in_memory(shops: u32, mut settings: Settings, output: Output) -> anyhow::Result<Ending> {
    let folder = tempfile::tempdir().context("could not make a folder for the database")?;
    settings.database.url = DatabaseUrl::of_file(&folder.path().join("bench.db"));
    let stores = Stores::open(&settings.database).await?;
    let context = Context { settings, stores, output };
    if !output.json {
        note(format_args!("making {} shops", grouped(u64::from(shops))));
    }
    generate(&context, shops, 1).await?;
    let campaign = campaign(&context, "3km").await?;
    // This comes last, so that both measurements write rows of the same size.
    let bare = context.stores.bare_batches(context.settings.engine.batch).await?;
    context.stores.close().await;
    report(shops, bare, campaign, output)?;
    Ok(Ending::Done)
}

/// Runs a campaign over all shops, and returns how long it took.
pub(crate) async fn campaign(context: &Context, limit: &str) -> anyhow::Result<Duration> {
    let draft = Draft {
        kind: "manual".parse()?,
        limit: limit.parse()?,
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
    let memory = peak_memory(std::process::id()).map(|bytes| bytes / 1_048_576);
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
