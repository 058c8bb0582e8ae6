//! `catchment lanes`: how the lanes stand, and taking those as they are that cannot go on.

mod accepting;

use catchment_api as api;
use catchment_application::list_lanes;
use catchment_bootstrap::chain;
use catchment_bootstrap::settings::Settings;
use catchment_bootstrap::stores::Stores;
use clap::{ArgGroup, Args, Subcommand};

use crate::ending::{Ending, complain};
use crate::number::grouped;
use crate::output::{Output, one_line, table};
use crate::servers;

/// What to do with the lanes.
#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum Command {
    /// Shows each lane of requests and of replies: its owner, its positions, and its problem if it
    /// cannot go on.
    ///
    /// The command ends with 1 if a lane cannot go on, and if it is not known whether one can: Kafka
    /// does not answer, or a partition has no leader.
    List,
    /// Lets a lane go on that has a problem, and says what is given up.
    ///
    /// Try first to bring back what is missing. The command skips records that are gone, reads a
    /// topic that was made again or another topic from its end, gives up replies that cannot be made
    /// again, and makes a row anew that was deleted. It says what is given up before it changes
    /// anything, and afterwards which campaigns ask shops again; `--dry-run` only says so. A single
    /// call whose request or reply is given up gets no reply.
    ///
    /// Services may run meanwhile. Start those again that have ended with exit code 78. A lane
    /// without a problem is refused. With `--json`, one line says how the lanes go on, and one what
    /// becomes of the campaigns.
    Accept(Arguments),
}

/// What `lanes accept` takes.
#[derive(Clone, Copy, Debug, Args)]
#[command(group(ArgGroup::new("which").required(true).args(["lane", "all"])))]
pub(crate) struct Arguments {
    /// The number of a lane of requests, as services and `lanes list` name it; with `--reply` that of
    /// a reply lane.
    #[arg(value_name = "LANE", value_parser = parse_lane)]
    lane: Option<u16>,
    /// Every lane that has a problem, of requests and of replies.
    #[arg(long)]
    all: bool,
    /// Takes reply lanes: `LANE --reply` is the reply lane of this number, `--all --reply` every
    /// reply lane that has a problem.
    #[arg(long)]
    reply: bool,
    /// Changes nothing, and says what would be changed.
    #[arg(long)]
    dry_run: bool,
}

/// Reads a lane's number.
fn parse_lane(text: &str) -> Result<u16, &'static str> {
    text.parse().map_err(|_| "expected a lane's number, such as 3")
}

pub(super) async fn run(
    command: Command,
    settings: &Settings,
    output: Output,
) -> anyhow::Result<Ending> {
    let stores = Stores::open_existing(&settings.database).await?;
    let done = match command {
        Command::List => list(settings, &stores, output).await,
        Command::Accept(arguments) => accepting::accept(arguments, settings, &stores, output).await,
    };
    stores.close().await;
    done
}

async fn list(settings: &Settings, stores: &Stores, output: Output) -> anyhow::Result<Ending> {
    let list = if stores.is_embedded() {
        list_lanes(stores.lanes(), None).await?
    } else {
        let list = servers::with_cluster(settings, stores.shops.lanes(), async |cluster| {
            list_lanes(stores.lanes(), Some(cluster)).await
        });
        list.await??
    };
    for problem in &list.problems {
        complain(&chain(problem));
    }
    if let Some(error) = &list.without_logs {
        complain(&format!(
            "only what the database has is shown, for Kafka does not say where the lanes end: {}",
            chain(error)
        ));
    }
    let lanes: Vec<api::Lane> = list.lanes.iter().map(Into::into).collect();
    if output.json {
        lanes.iter().try_for_each(|lane| output.value(lane))?;
    } else {
        show(&lanes, output)?;
    }
    Ok(if list.is_fine() { Ending::Done } else { Ending::Incomplete })
}

fn show(lanes: &[api::Lane], output: Output) -> std::io::Result<()> {
    let is_request = |lane: &&api::Lane| lane.of == api::LaneKind::Requests;
    let mut requests =
        table(&["lane", "owner", ">epoch", ">applied", ">answered", ">end", ">lag", "problem"]);
    for lane in lanes.iter().filter(is_request) {
        requests.add_row(cells(lane, Some(number(lane.answered))));
    }
    output.line(requests.trim_fmt())?;
    let mut replies =
        table(&["reply lane", "owner", ">epoch", ">recorded", ">end", ">lag", "problem"]);
    for lane in lanes.iter().filter(|lane| !is_request(lane)) {
        replies.add_row(cells(lane, None));
    }
    if !replies.is_empty() {
        output.line(format_args!("\n{}", replies.trim_fmt()))?;
    }
    for problem in lanes.iter().filter_map(|lane| lane.problem.as_ref()) {
        output.line(format_args!("\n{problem}"))?;
    }
    Ok(())
}

/// The cells of a lane; its problem is told below the table.
fn cells(lane: &api::Lane, answered: Option<String>) -> Vec<String> {
    let owner = lane.owner.as_deref().map_or_else(|| "-".to_owned(), one_line);
    let problem = if lane.problem.is_some() { "see below" } else { "" };
    let mut cells = vec![lane.lane.to_string(), owner, number(lane.epoch), number(lane.next)];
    cells.extend(answered);
    cells.extend([number(lane.end), number(lane.lag), problem.to_owned()]);
    cells
}

fn number(number: Option<u64>) -> String {
    number.map_or_else(|| "-".to_owned(), grouped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_and_a_problem_stay_in_their_cells() {
        let lane = api::Lane {
            of: api::LaneKind::Replies,
            lane: 1,
            owner: Some("a\nb".to_owned()),
            epoch: Some(4),
            next: Some(1_009),
            answered: None,
            end: None,
            lag: None,
            problem: Some("reply lane 1: a long line".to_owned()),
        };
        assert_eq!(cells(&lane, None), ["1", r"a\nb", "4", "1,009", "-", "-", "see below"]);
    }
}
