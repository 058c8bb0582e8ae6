//! `bench campaign --over kafka`: measures requester and consumers as separate processes, compared
//! with Kafka alone and the bare database in the same run.

use anyhow::Context as _;
use catchment_bootstrap::settings::Settings;
use catchment_domain::Lanes;

use self::calls::Calls;
use self::report::Measured;
use self::usage::Watched;
use super::cluster::Cluster;
use super::scratch::Scratch;
use crate::bench::{Arguments, campaign};
use crate::commands::Context;
use crate::commands::shops::generate;
use crate::ending::Ending;
use crate::number::{counted, grouped};
use crate::output::{Output, note};
use crate::run::Interrupts;
use crate::stores::Stores;

mod calls;
mod report;
mod usage;

/// Runs the benchmark on its own topics and schema, which are removed afterwards.
///
/// # Errors
///
/// When a step fails, with the step and the reason.
pub(crate) async fn run(
    arguments: &Arguments,
    mut settings: Settings,
    output: Output,
) -> anyhow::Result<Ending> {
    let mut interrupts = Interrupts::listen().context("could not listen to interrupts")?;
    let scratch = Scratch::create(&mut settings, Lanes(arguments.partitions)).await?;
    if !output.json {
        note(format_args!("topics and schema of this benchmark: {}", scratch.name()));
    }
    let measured = tokio::select! {
        measured = measure(arguments, &scratch, settings, output) => measured.map(Some),
        () = interrupts.asked() => Ok(None),
    };
    scratch.remove().await;
    let Some(measured) = measured? else { return Ok(Ending::Interrupted) };
    report::tell(&measured, output)?;
    Ok(Ending::Done)
}

async fn measure(
    arguments: &Arguments,
    scratch: &Scratch,
    settings: Settings,
    output: Output,
) -> anyhow::Result<Measured> {
    let stores = Stores::open_existing(&settings.database).await?;
    let context = Context { settings, stores, output };
    let measured = on(arguments, scratch, &context).await;
    context.stores.close().await;
    measured
}

async fn on(
    arguments: &Arguments,
    scratch: &Scratch,
    context: &Context,
) -> anyhow::Result<Measured> {
    let say = |what: &str| {
        if !context.output.json {
            note(what);
        }
    };
    let Arguments { shops, consumers, calls, .. } = *arguments;
    say(&format!("making {}", counted(shops.into(), "shop")));
    generate(context, shops, 1).await?;
    say("Kafka alone: as many messages there and back");
    let raw = scratch.raw_round_trip(context.stores.shops.lanes(), shops).await?;

    say(&format!("a requester and {}: a campaign", counted(consumers.get().into(), "consumer")));
    let mut cluster = Cluster::start(consumers.get(), &context.settings).await?;
    let mut watched = Watched::of(&cluster, &context.settings);
    watched.begin();
    let took = tokio::select! {
        took = campaign(context, "3km") => took?,
        error = cluster.failure() => return Err(error),
    };
    let times = watched.used();

    say(&format!("{} calls one after the other", grouped(calls.get().into())));
    let caller = Calls::begin(context, shops).await?;
    let (idle, busy) = tokio::select! {
        samples = async {
            let idle = caller.run(calls.get()).await?;
            say("calls during another campaign");
            let (campaign, busy) = caller.run_while(campaign(context, "2km")).await?;
            campaign.map(|_| (idle, busy))
        } => samples?,
        error = cluster.failure() => return Err(error),
    };
    caller.end().await;
    // The usage shows peak memory, and processor time during the first campaign.
    let usage = watched.used().into_iter().zip(times);
    let usage = usage.map(|(last, first)| usage::Usage { time: first.time, ..last });
    let usage = usage.collect();
    cluster.stop().await?;

    say("the database alone: bare transactions");
    let bare = context.stores.bare_batches(context.settings.engine.batch).await?;
    Ok(Measured { shops, consumers, campaign: took, raw, bare, idle, busy, usage })
}
