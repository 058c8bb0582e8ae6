//! `catchment demo`: plays the story of the origin, from nothing, in one process or with the
//! services of a server.

mod oracle;
mod story;

use anyhow::{Context as _, bail};
use catchment_api as api;
use catchment_bootstrap::engine::{Engine, EngineLock};
use catchment_bootstrap::settings::{DatabaseUrl, Settings};
use catchment_bootstrap::stores::Stores;
use catchment_domain::{Scope, Status, Tally};
use clap::{Args, value_parser};

use crate::commands::Context;
use crate::commands::shops::generate;
use crate::ending::Ending;
use crate::number::{counted, grouped, rate};
use crate::output::{Output, table};
use crate::run::Interrupts;

use self::story::{Act, Stage};

/// What `demo` takes.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// How many shops the city has.
    #[arg(long, value_name = "N", default_value_t = 100_000,
          value_parser = value_parser!(u32).range(4..=10_000_000))]
    shops: u32,
    /// Another seed gives another city.
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
}

/// Plays the story, in its own database unless one was named.
///
/// # Errors
///
/// When the database holds shops or campaigns, or a step fails, with the step and the reason.
pub(crate) async fn run(
    arguments: &Arguments,
    mut settings: Settings,
    output: Output,
) -> anyhow::Result<Ending> {
    let mut interrupts = Interrupts::listen().context("could not listen to interrupts")?;
    let folder = tempfile::tempdir().context("could not make a folder for the database")?;
    if settings.is_default("database.url") {
        settings.database.url = DatabaseUrl::of_file(&folder.path().join("demo.db"));
    }
    let stores = if settings.database.url.is_postgres() {
        Stores::open_existing(&settings.database).await?
    } else {
        Stores::open(&settings.database).await?
    };
    let context = Context { settings, stores, output };
    let wrong = tokio::select! {
        wrong = play(arguments, &context) => wrong.map(Some),
        () = interrupts.asked() => Ok(None),
    };
    context.stores.close().await;
    Ok(match wrong? {
        Some(0) => Ending::Done,
        Some(_) => Ending::Incomplete,
        None => Ending::Interrupted,
    })
}

/// Opens the city, and plays the story with the engine of this process, or with the services of a
/// server. Returns how often a shop was wrong.
async fn play(arguments: &Arguments, context: &Context) -> anyhow::Result<u64> {
    let Context { settings, stores, output } = context;
    let url = &settings.database.url;
    let has_shops = 0 < stores.shops.count(&Scope::everything()).await?;
    let campaigns = stores.campaigns.list(None, 1).await?;
    if has_shops || !campaigns.found.is_empty() || !campaigns.damaged.is_empty() {
        bail!("the demo needs a database without shops and campaigns, and {url} has some");
    }
    let lock = EngineLock::try_take(stores)?;
    if stores.is_embedded() && lock.is_none() {
        bail!("another process runs the engine on {url}");
    }
    let mut acts = vec![opening(arguments, context).await?];
    let engine = lock.map(|lock| Engine::start(settings, stores, lock));
    let mut stage = Stage { stores, policy: &settings.policy, engine };
    let wrong = story::play(&mut stage, |act| {
        if !output.json {
            print(*output, act)?;
        }
        acts.push(view(act));
        Ok(())
    })
    .await?;
    if let Some(engine) = stage.engine {
        engine.stop().await;
    }
    if output.json {
        output.value(&api::Demo { acts, wrong })?;
    } else {
        let shops = counted(arguments.shops.into(), "shop");
        output.line(format_args!("{shops}, {} acts: wrong {wrong}", acts.len()))?;
    }
    Ok(wrong)
}

/// Plays the act before the first: the city opens.
async fn opening(arguments: &Arguments, context: &Context) -> anyhow::Result<api::Act> {
    let start = std::time::Instant::now();
    let imported = generate(context, arguments.shops, arguments.seed).await?.imported;
    let seconds = start.elapsed().as_secs_f64();
    if !context.output.json {
        let shops = counted(imported.added, "shop");
        context.output.line(format_args!("the city opens: {shops} of base radius 5 km\n"))?;
    }
    Ok(api::Act {
        name: "the city opens".to_owned(),
        shops: imported.added,
        outcomes: api::Counts::new(),
        shops_per_second: rate(imported.added, seconds),
        wrong: 0,
    })
}

fn view(act: &Act) -> api::Act {
    api::Act {
        name: act.name.to_owned(),
        shops: act.shops(),
        outcomes: act.outcomes(),
        shops_per_second: rate(act.shops(), act.seconds),
        wrong: act.wrong,
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
