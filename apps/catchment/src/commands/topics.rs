//! `catchment topics`: manages the topics of requester and consumer.

use std::num::NonZeroU16;

use catchment_bootstrap::settings::Settings;
use clap::{Args, Subcommand};
use serde_json::json;

use crate::cli::parse_partitions;
use crate::ending::Ending;
use crate::number::counted;
use crate::output::Output;
use crate::servers;
use crate::stores::Stores;

/// What to do with the topics.
#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum Command {
    /// Makes the topics that are missing, and checks the existing ones.
    Create(Arguments),
    /// Checks that the existing topics have the right settings and hold what the database has read,
    /// and changes nothing.
    Check,
}

/// What `topics create` takes.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Arguments {
    /// How many partitions each new topic of replies gets, by default 4: each requester leases one
    /// for itself. An existing topic is not changed, and is named where it has another number.
    #[arg(long, value_name = "P", value_parser = parse_partitions)]
    reply_partitions: Option<NonZeroU16>,
    /// How many replicas each partition of a new topic gets; without it the brokers' default. An
    /// existing topic is not changed, and is named where it has another number. With 3 or more, 2
    /// replicas must have a record before it counts as sent (`min.insync.replicas`).
    #[arg(long, value_name = "R")]
    replication_factor: Option<NonZeroU16>,
}

/// The plan for topics. The topic of requests always has a partition for each lane.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(
    not(feature = "servers"),
    expect(dead_code, reason = "read only with the feature `servers`")
)]
pub(crate) struct Plan {
    /// How many partitions topics of replies must have.
    pub(crate) reply_partitions: Option<NonZeroU16>,
    /// How many replicas each partition must have, or `None` for the brokers' default.
    pub(crate) replication: Option<NonZeroU16>,
}

/// Runs the command. It first reads the number of the database's lanes, because requests have as
/// many partitions.
pub(super) async fn run(
    command: Command,
    settings: &Settings,
    output: Output,
) -> anyhow::Result<Ending> {
    let stores = Stores::open_existing(&settings.database).await?;
    let done = obey(command, &stores, settings, output).await;
    stores.close().await;
    done.map(|()| Ending::Done)
}

async fn obey(
    command: Command,
    stores: &Stores,
    settings: &Settings,
    output: Output,
) -> anyhow::Result<()> {
    let lanes = stores.shops.lanes();
    match command {
        Command::Create(Arguments { reply_partitions, replication_factor }) => {
            let plan = Plan { reply_partitions, replication: replication_factor };
            let (topics, checked) = servers::create_topics(settings, lanes, plan).await?;
            for (topic, is_new) in topics {
                tell(&topic, is_new, output)?;
            }
            checked?;
        }
        Command::Check => {
            servers::check_topics(settings, lanes).await?;
            servers::check_lanes(settings, stores).await?;
            let lanes = lanes.count();
            if output.json {
                output.value(&json!({ "usable": true, "partitions": lanes }))?;
            } else {
                let partitions = counted(lanes.into(), "partition");
                output.line(format_args!("the topics can be used; requests have {partitions}"))?;
            }
        }
    }
    Ok(())
}

fn tell(topic: &str, is_new: bool, output: Output) -> std::io::Result<()> {
    if output.json {
        return output.value(&json!({ "topic": topic, "created": is_new }));
    }
    let what = if is_new { "created" } else { "was there" };
    output.line(format_args!("{what}: {topic}"))
}
