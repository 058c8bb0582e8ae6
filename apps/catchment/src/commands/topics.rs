//! `catchment topics`: manages the topics of requester and consumer, and moves the database away from
//! them.

use std::num::NonZeroU16;

use anyhow::bail;
use catchment_bootstrap::settings::Settings;
use catchment_domain::ports::StoreError;
use catchment_domain::service::CampaignPages;
use catchment_domain::{
    BeforeMove, Behind, Lane, LaneBeforeMove, Lanes, MoveTerms, Moved, ReplyLaneBeforeMove,
    StoredLane, StoredReplyLane,
};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::cli::parse_partitions;
use crate::ending::{Ending, WrongUsage, complain};
use crate::number::{counted, grouped};
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
    let plan = Plan { reply_partitions, replication: replication_factor };
    let (topics, checked) = servers::create_topics(settings, stores.shops.lanes(), plan).await?;
    for (topic, is_new) in topics {
        tell(&topic, is_new, output)?;
    }
    checked
}

async fn check(stores: &Stores, settings: &Settings, output: Output) -> anyhow::Result<()> {
    let lanes = stores.shops.lanes();
    servers::check_topics(settings, lanes).await?;
    servers::check_lanes(settings, stores).await?;
    let lanes = lanes.count();
    if output.json {
        output.value(&json!({ "usable": true, "partitions": lanes }))?;
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
    let before = if is_embedded {
        look_embedded(stores).await?
    } else {
        servers::look_before_move(settings, stores).await?
    };
    let not_drained = before.not_drained();
    if !not_drained.is_empty() {
        for not_drained in &not_drained {
            complain(&not_drained.to_string());
        }
        return Ok(Ending::Incomplete);
    }
    let lanes = lanes.map_or(stores.shops.lanes(), Lanes);
    let moved = match stores.moves.move_away(&MoveTerms::new(lanes, before, dry_run)).await {
        Err(StoreError::Fenced) => bail!(
            "the database did not answer, so it is not known whether it was moved: repeat this \
             command, which does no harm; if it then names another number of lanes, the move is done"
        ),
        moved => moved?,
    };
    if output.json {
        output.value(&view(&moved, dry_run))?;
    } else {
        for line in lines(&moved, is_embedded, dry_run) {
            output.line(line)?;
        }
    }
    Ok(Ending::Done)
}

const NO_TOPICS: WrongUsage =
    WrongUsage("a database file has no topics; name the new number of its lanes by `--lanes`");

/// What must be drained in a database file. Its logs end with their process.
async fn look_embedded(stores: &Stores) -> anyhow::Result<BeforeMove> {
    let request = |(lane, stored): (Lane, StoredLane)| {
        let mismatch = stored.mismatch();
        LaneBeforeMove { lane, stored, mismatch, behind: Behind::Nothing }
    };
    let reply = |stored: StoredReplyLane| ReplyLaneBeforeMove {
        stored,
        mismatch: None,
        behind: Behind::Nothing,
    };
    let requests = stores.acceptances.request_lanes().await?;
    let replies = stores.acceptances.reply_lanes().await?;
    Ok(BeforeMove {
        members: Vec::new(),
        requests: requests.into_iter().map(request).collect(),
        beyond: Vec::new(),
        replies: replies.into_iter().map(reply).collect(),
        campaigns: CampaignPages::new(&*stores.campaigns).all().await?,
    })
}

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

fn view(Moved { before, lanes, shops, campaigns }: &Moved, dry_run: bool) -> Value {
    json!({
        "dry_run": dry_run,
        "lanes": { "before": before.count(), "now": lanes.count() },
        "shops": shops,
        "campaigns": campaigns,
    })
}

fn tell(topic: &str, is_new: bool, output: Output) -> std::io::Result<()> {
    if output.json {
        return output.value(&json!({ "topic": topic, "created": is_new }));
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
        assert_eq!(view(&moved, false)["lanes"]["before"], 12);
    }
}
