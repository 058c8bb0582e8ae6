//! `catchment demo`: plays the story of the origin, from nothing, in one process or over Kafka.

mod oracle;
mod story;

use std::collections::BTreeMap;
use std::num::NonZeroU16;

use anyhow::{Context as _, bail};
use catchment_bootstrap::settings::{DatabaseUrl, Settings};
use catchment_domain::{Scope, Status, Tally};
use clap::Args;
use clap::value_parser;
use serde::Serialize;

use crate::cli::{Over, parse_partitions};
use crate::commands::Context;
use crate::commands::shops::generate;
use crate::ending::Ending;
use crate::engine::{Engine, EngineLock};
use crate::number::{counted, grouped, rate};
use crate::output::{Output, table};
use crate::run::Interrupts;
use crate::servers;
use crate::stores::Stores;
use crate::workers::Workers;

use self::story::{Act, Stage};

/// What `demo` takes.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// How many shops the city has: 100,000, or 300,000 over Kafka.
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(4..=10_000_000))]
    shops: Option<u32>,
    /// Another seed gives another city.
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// What requests and replies travel over: a log in this process's memory, or Kafka, with
    /// one requester and two consumers as processes of their own.
    #[arg(long, value_name = "LOG", value_enum, default_value_t = Over::Memory)]
    over: Over,
    /// How many partitions the requests have over Kafka.
    #[arg(long, value_name = "P", default_value = "12", value_parser = parse_partitions)]
    pub(crate) partitions: NonZeroU16,
}

impl Arguments {
    fn shops(&self) -> u32 {
        self.shops.unwrap_or(match self.over {
            Over::Memory => 100_000,
            Over::Kafka => 300_000,
        })
    }
}

/// Plays the story.
///
/// # Errors
///
/// When a step fails, with the step and the reason.
pub(crate) async fn run(
    arguments: &Arguments,
    settings: Settings,
    output: Output,
) -> anyhow::Result<Ending> {
    let mut interrupts = Interrupts::listen().context("could not listen to interrupts")?;
    let wrong = match arguments.over {
        Over::Memory => in_memory(arguments, settings, output, &mut interrupts).await?,
        Over::Kafka => servers::demo::run(arguments, settings, output, &mut interrupts).await?,
    };
    Ok(match wrong {
        Some(0) => Ending::Done,
        Some(_) => Ending::Incomplete,
        None => Ending::Interrupted,
    })
}

/// Plays the story in this process, in its own database unless one was named. Returns how often a
/// shop was wrong, or `None` if the demo was interrupted.
async fn in_memory(
    arguments: &Arguments,
    mut settings: Settings,
    output: Output,
    interrupts: &mut Interrupts,
) -> anyhow::Result<Option<u64>> {
    let folder = tempfile::tempdir().context("could not make a folder for the database")?;
    if settings.is_default("database.url") {
        let path = folder.path().join("demo.db");
        settings.database.url = DatabaseUrl::of_file(&path);
    }
    let stores = Stores::open(&settings.database).await?;
    let context = Context { settings, stores, output };
    let url = &context.settings.database.url;
    if 0 < context.stores.shops.count(&Scope::everything()).await? {
        bail!("the demo needs a database without shops, and {url} has some");
    }
    let Some(lock) = EngineLock::try_take(&context.stores)? else {
        bail!("another process runs the engine on {url}");
    };
    let engine = async { Ok(Engine::start(&context.settings, &context.stores, lock)) };
    let wrong = tokio::select! {
        wrong = play(arguments, &context, engine) => wrong.map(Some),
        () = interrupts.asked() => Ok(None),
    };
    context.stores.close().await;
    wrong
}

/// Opens the city, starts the workers, and plays the story with them.
pub(crate) async fn play<W: Workers>(
    arguments: &Arguments,
    context: &Context,
    workers: impl Future<Output = anyhow::Result<W>> + Send,
) -> anyhow::Result<u64> {
    let opening = opening(arguments, context).await?;
    let mut workers = workers.await?;
    let mut stage =
        Stage { stores: &context.stores, policy: &context.settings.policy, workers: &mut workers };
    let human = !context.output.json;
    let mut acts = vec![opening];
    let wrong = story::play(&mut stage, |act| {
        if human {
            print(context.output, act)?;
        }
        acts.push(ActView::of(act));
        Ok(())
    })
    .await?;
    workers.stop().await?;
    if human {
        let shops = counted(u64::from(arguments.shops()), "shop");
        context.output.line(format_args!("{shops}, {} acts: wrong {wrong}", acts.len()))?;
    } else {
        context.output.value(&DemoView { acts, wrong })?;
    }
    Ok(wrong)
}

/// Plays the act before the first: the city opens.
async fn opening(arguments: &Arguments, context: &Context) -> anyhow::Result<ActView> {
    let start = std::time::Instant::now();
    let imported = generate(context, arguments.shops(), arguments.seed).await?.imported;
    let seconds = start.elapsed().as_secs_f64();
    if !context.output.json {
        let shops = counted(imported.added, "shop");
        context.output.line(format_args!("the city opens: {shops} of base radius 5 km\n"))?;
    }
    Ok(ActView {
        name: "the city opens",
        shops: imported.added,
        outcomes: BTreeMap::new(),
        shops_per_second: rate(imported.added, seconds),
        wrong: 0,
    })
}

#[derive(Serialize)]
struct DemoView {
    acts: Vec<ActView>,
    wrong: u64,
}

#[derive(Serialize)]
struct ActView {
    name: &'static str,
    shops: u64,
    outcomes: BTreeMap<&'static str, u64>,
    shops_per_second: u64,
    wrong: u64,
}

impl ActView {
    fn of(act: &Act) -> Self {
        Self {
            name: act.name,
            shops: act.shops(),
            outcomes: act.outcomes(),
            shops_per_second: rate(act.shops(), act.seconds),
            wrong: act.wrong,
        }
    }
}

fn print(output: Output, act: &Act) -> std::io::Result<()> {
    output.line(format_args!("{}", act.name))?;
    let mut rows = table(&[
        ">campaign",
        "kind",
        ">limit",
        ">shops",
        ">applied",
        ">unchanged",
        ">other",
        "reason",
    ]);
    for (campaign, tally) in &act.rows {
        let of = |status| u64::from(tally.of(status));
        let plain = of(Status::Applied) + of(Status::Unchanged);
        rows.add_row([
            campaign.name.revision.to_string(),
            campaign.kind.to_string(),
            campaign.limit.to_string(),
            grouped(u64::from(campaign.shops)),
            grouped(of(Status::Applied)),
            grouped(of(Status::Unchanged)),
            grouped(all(tally) - plain),
            campaign.reason.clone(),
        ]);
    }
    output.line(rows.trim_fmt())?;
    output.line(format_args!(
        "{} asked in {:.2} s: {} shops/s, wrong {}\n",
        counted(act.shops(), "shop"),
        act.seconds,
        grouped(rate(act.shops(), act.seconds)),
        act.wrong
    ))
}

fn all(tally: &Tally) -> u64 {
    u64::from(tally.open) + u64::from(tally.answered())
}
