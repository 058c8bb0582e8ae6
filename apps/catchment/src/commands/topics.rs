//! `catchment topics`: manages the topics of requester and consumer, and moves the database away from
//! them.

use std::num::NonZeroU16;

use catchment_api as api;
use catchment_application::{MoveError, MoveStores, check_topics, create_topics, move_topics};
use catchment_bootstrap::settings::Settings;
use catchment_bootstrap::stores::Stores;
use catchment_domain::ports::Wanted;
use catchment_domain::{Lanes, Moved};
use clap::{Args, Subcommand};

use crate::cli::parse_partitions;
use crate::ending::{Ending, WrongUsage, complain};
use crate::number::{counted, grouped};
use crate::output::Output;
use crate::servers;

/// What to do with the topics.
#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum Command {
    /// Makes the topics that are missing, and checks the existing ones.
    Create(Arguments),
    /// Checks that the existing topics have the right settings and hold what the database has read,
    /// and changes nothing.
    Check,
    /// Detaches the database from its topics, so that it can use others: on another cluster, with
    /// other names, or with another number of partitions.
    ///
    /// Run it with the settings of before, while all services are stopped and everything is
    /// answered; otherwise it says what to wait for. Afterwards the database belongs to no topic.
    /// Name the new ones in the settings of all services and clients, run `catchment topics create`,
    /// and start the services: they read the new topic of requests from its beginning. The old one
    /// is refused from then on.
    ///
    /// Shops and campaigns keep what they have. With another number of lanes, receipts are deleted,
    /// so `audit` cannot check outcomes of before by them. A database file has no topics; there, the
    /// command changes the number of lanes.
    Move(MoveArguments),
}

/// What `topics move` takes.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct MoveArguments {
    /// How many lanes the database has from now on, and so how many partitions the new topic of
    /// requests has; without it as many as before.
    #[arg(long, value_name = "N", value_parser = parse_partitions)]
    lanes: Option<NonZeroU16>,
    /// Changes nothing, and says what would be changed.
    #[arg(long)]
    dry_run: bool,
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

/// Runs the command. It first reads the number of the database's lanes, because requests have as
/// many partitions.
pub(super) async fn run(
    command: Command,
    settings: &Settings,
    output: Output,
) -> anyhow::Result<Ending> {
    let stores = Stores::open_existing(&settings.database).await?;
    let done = match command {
        Command::Move(arguments) => move_away(arguments, &stores, settings, output).await,
        Command::Create(arguments) => {
            create(arguments, &stores, settings, output).await.map(|()| Ending::Done)
        }
        Command::Check => check(&stores, settings, output).await.map(|()| Ending::Done),
    };
    stores.close().await;
    done
}

async fn create(
    Arguments { reply_partitions, replication_factor }: Arguments,
    stores: &Stores,
    settings: &Settings,
    output: Output,
) -> anyhow::Result<()> {
    let wanted = Wanted {
        reply_lanes: reply_partitions.map(NonZeroU16::get),
        replication: replication_factor.map(NonZeroU16::get),
    };
    let created = servers::with_cluster(settings, stores.shops.lanes(), async |cluster| {
        create_topics(cluster?, wanted).await
    });
    let created = created.await??;
    for (topic, is_new) in created.topics {
        tell(topic, is_new, output)?;
    }
    Ok(created.checked?)
}

async fn check(stores: &Stores, settings: &Settings, output: Output) -> anyhow::Result<()> {
    let lanes = stores.shops.lanes();
    let checked = servers::with_cluster(settings, lanes, async |cluster| {
        check_topics(stores.lanes(), cluster?).await
    });
    checked.await??;
    let lanes = lanes.count();
    if output.json {
        output.value(&api::TopicsChecked { partitions: lanes })?;
    } else {
        let partitions = counted(lanes.into(), "partition");
        output.line(format_args!("the topics can be used; requests have {partitions}"))?;
    }
    Ok(())
}

/// Leaves the topics if everything is drained; otherwise says what is not, line by line.
async fn move_away(
    MoveArguments { lanes, dry_run }: MoveArguments,
    stores: &Stores,
    settings: &Settings,
    output: Output,
) -> anyhow::Result<Ending> {
    let is_embedded = stores.is_embedded();
    if is_embedded && lanes.is_none() {
        return Err(NO_TOPICS.into());
    }
    let wanted = (lanes.map_or(stores.shops.lanes(), Lanes), dry_run);
    let ports =
        MoveStores { lanes: stores.lanes(), campaigns: &*stores.campaigns, moves: &*stores.moves };
    let moved = if is_embedded {
        move_topics(ports, None, wanted).await
    } else {
        let moved = servers::with_cluster(settings, stores.shops.lanes(), async |cluster| {
            move_topics(ports, Some(cluster?), wanted).await
        });
        moved.await?
    };
    let moved = match moved {
        Err(MoveError::NotDrained(not_drained)) => {
            for not_drained in &not_drained {
                complain(&not_drained.to_string());
            }
            return Ok(Ending::Incomplete);
        }
        Err(MoveError::Lanes(error)) => return Err(error.into()),
        Ok(moved) => moved,
    };
    if output.json {
        output.value(&api::Moved::new(moved, dry_run))?;
    } else {
        for line in lines(&moved, is_embedded, dry_run) {
            output.line(line)?;
        }
    }
    Ok(Ending::Done)
}

const NO_TOPICS: WrongUsage =
    WrongUsage("a database file has no topics; name the new number of its lanes by `--lanes`");

fn lines(moved: &Moved, is_embedded: bool, dry_run: bool) -> Vec<String> {
    let Moved { before, lanes, shops, campaigns } = *moved;
    let mut lines: Vec<String> = Vec::new();
    lines.extend(dry_run.then(|| "nothing is changed; without --dry-run:".to_owned()));
    let (shops, campaigns) = (counted(shops, "shop"), counted(campaigns, "campaign"));
    let count = counted(lanes.count().into(), "lane");
    lines.push(if before == lanes {
        format!("{count} as before, with {shops} and {campaigns}")
    } else {
        let before = grouped(before.count().into());
        format!("{count}, before {before}: {shops} and {campaigns} are divided anew")
    });
    let lanes_setting = format!("`database.lanes` to {}", lanes.count());
    lines.push(if is_embedded {
        format!("set {lanes_setting}")
    } else {
        format!(
            "the database has left its topics: name new ones in the settings of all services and \
             clients, set {lanes_setting}, and run `catchment topics create`"
        )
    });
    lines
}

fn tell(topic: String, is_new: bool, output: Output) -> std::io::Result<()> {
    if output.json {
        return output.value(&api::Topic { topic, created: is_new });
    }
    let what = if is_new { "created" } else { "was there" };
    output.line(format_args!("{what}: {topic}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_do_next_is_told() {
        let lanes = |count| Lanes(NonZeroU16::new(count).unwrap());
        let moved = Moved { before: lanes(12), lanes: lanes(24), shops: 12_000, campaigns: 1 };
        let next = "the database has left its topics: name new ones in the settings of all services \
                    and clients, set `database.lanes` to 24, and run `catchment topics create`";
        let divided = "24 lanes, before 12: 12,000 shops and 1 campaign are divided anew";
        let dry = "nothing is changed; without --dry-run:";
        assert_eq!(lines(&moved, false, true), [dry, divided, next]);
        assert_eq!(lines(&moved, true, false), [divided, "set `database.lanes` to 24"]);
        let same = Moved { before: lanes(24), ..moved };
        let as_before = "24 lanes as before, with 12,000 shops and 1 campaign";
        assert_eq!(lines(&same, false, false), [as_before, next]);
    }
}
