//! `demo --over kafka`: plays the story with separate processes.

use catchment_bootstrap::settings::Settings;
use catchment_domain::Lanes;

use super::cluster::Cluster;
use super::scratch::Scratch;
use crate::commands::Context;
use crate::demo::{Arguments, play};
use crate::output::{Output, note};
use crate::run::Interrupts;
use crate::stores::Stores;

/// The number of consumers that share the lanes.
const CONSUMERS: u16 = 2;

/// Plays the story with one requester and two consumers as separate processes, on topics and in a
/// schema that are removed at the end.
pub(crate) async fn run(
    arguments: &Arguments,
    mut settings: Settings,
    output: Output,
    interrupts: &mut Interrupts,
) -> anyhow::Result<Option<u64>> {
    let scratch = Scratch::create(&mut settings, Lanes(arguments.partitions)).await?;
    if !output.json {
        note(format_args!("topics and schema of this demo: {}", scratch.name()));
    }
    let wrong = tokio::select! {
        wrong = with_processes(arguments, settings, output) => wrong.map(Some),
        // The processes are killed. Their topics and schema are removed, too.
        () = interrupts.asked() => Ok(None),
    };
    scratch.remove().await;
    wrong
}

async fn with_processes(
    arguments: &Arguments,
    settings: Settings,
    output: Output,
) -> anyhow::Result<u64> {
    let stores = Stores::open_existing(&settings.database).await?;
    let context = Context { settings, stores, output };
    let cluster = async { Cluster::start(CONSUMERS, &context.settings).await };
    let wrong = play(arguments, &context, cluster).await;
    context.stores.close().await;
    wrong
}
