//! A campaign over Kafka and `PostgreSQL`, with requester and consumers as separate processes, and
//! Kafka and the database alone in the same run.

use std::time::Duration;

use anyhow::Context as _;
use catchment_request_reply::Settings;

use crate::calls::{Calls, Latencies};
use crate::campaign::{Campaign, campaign, generate};
use crate::interrupts::unless_interrupted;
use crate::programs::Programs;
use crate::report::note;
use crate::scratch::Scratch;
use crate::services::Services;
use crate::usage::{Usage, Watched};
use crate::{Workload, bare, round_trip};

/// The measurements of one run.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) campaign: Campaign,
    /// The same number of messages to Kafka and back, without a database.
    pub(crate) raw: Duration,
    /// The bare transactions over all shops.
    pub(crate) bare: Duration,
    /// Calls one after another, with no other work.
    pub(crate) idle: Latencies,
    /// Calls one after another, during a campaign over all shops.
    pub(crate) busy: Latencies,
    pub(crate) usage: Vec<Usage>,
}

/// Measures a campaign, calls, and what they are compared with, on topics and a schema that are
/// removed afterwards.
///
/// # Errors
///
/// When a step fails, or an interrupt comes.
pub(crate) async fn measure(programs: &Programs, workload: &Workload) -> anyhow::Result<Measured> {
    on_scratch(programs, workload, async |scratch| on(programs, workload, scratch).await).await
}

/// Does the work on topics and a schema that are removed afterwards, also after an interrupt while
/// they are made.
async fn on_scratch<T>(
    programs: &Programs,
    workload: &Workload,
    work: impl AsyncFnOnce(&Scratch) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let scratch = Scratch::new(workload.servers()?)?;
    note(format_args!("topics and schema of this benchmark: {}", scratch.name()));
    let done = unless_interrupted(async {
        scratch.make(programs, workload.partitions).await?;
        work(&scratch).await
    })
    .await;
    scratch.remove().await;
    done
}

async fn on(
    programs: &Programs,
    workload: &Workload,
    scratch: &Scratch,
) -> anyhow::Result<Measured> {
    let Workload { shops, consumers, calls, .. } = *workload;
    let variables = scratch.variables(workload.partitions);
    let settings = Settings::new(&scratch.servers().brokers, scratch.name());
    generate(programs, &variables, shops).await?;
    note("Kafka alone: as many messages there and back");
    let [there, back] = scratch.raw();
    let raw = round_trip::measure(&settings, &there, &back, shops as usize).await;
    let raw = raw.context("could not send raw messages there and back")?;

    note("a campaign");
    let mut services = Services::start(programs, &variables, consumers.get()).await?;
    let watched = Watched::begin(&services, scratch.servers());
    let measured = tokio::select! {
        measured = campaign(programs, &variables, shops, "3km") => measured?,
        error = services.failure() => return Err(error),
    };
    let times = watched.times();

    note("calls one after the other, and then during another campaign");
    let mut caller = Calls::begin(&settings, scratch.topics(), shops).await?;
    let (idle, busy) = tokio::select! {
        latencies = async {
            let idle = caller.run(calls.get()).await?;
            let other = campaign(programs, &variables, shops, "2km");
            anyhow::Ok((idle, caller.run_while(other).await?))
        } => latencies?,
        error = services.failure() => return Err(error),
    };
    caller.end().await?;
    let usage = watched.usage(times, &measured);
    services.stop().await?;

    note("the database alone: bare transactions");
    let bare = bare::postgres::measure(&scratch.url()).await.context("the database alone")?;
    Ok(Measured { campaign: measured, raw, bare, idle, busy, usage })
}

/// Measures a campaign alone, with the processor time of the services.
///
/// # Errors
///
/// When a step fails, or an interrupt comes.
pub(crate) async fn measure_campaign(
    programs: &Programs,
    workload: &Workload,
) -> anyhow::Result<Campaign> {
    on_scratch(programs, workload, async |scratch| alone_on(programs, workload, scratch).await)
        .await
}

async fn alone_on(
    programs: &Programs,
    workload: &Workload,
    scratch: &Scratch,
) -> anyhow::Result<Campaign> {
    let variables = scratch.variables(workload.partitions);
    generate(programs, &variables, workload.shops).await?;
    let mut services = Services::start(programs, &variables, workload.consumers.get()).await?;
    let watched = Watched::begin(&services, scratch.servers());
    let mut measured = tokio::select! {
        measured = campaign(programs, &variables, workload.shops, "3km") => measured?,
        error = services.failure() => return Err(error),
    };
    measured.time = watched.time_of_services();
    services.stop().await?;
    Ok(measured)
}
