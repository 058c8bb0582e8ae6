//! `catchment lanes`: how the lanes stand, and taking those as they are that cannot go on.

mod accepting;

use std::collections::BTreeMap;

use catchment_bootstrap::settings::Settings;
use catchment_domain::{
    AcceptTerms, AnyLane, Lane, LaneProblem, Mismatch, Position, ReplyLane, StoredLane, Unclear,
    UnclearLane,
};
use clap::{ArgGroup, Args, Subcommand};
use serde_json::{Value, json};

use crate::ending::{Ending, complain};
use crate::number::grouped;
use crate::output::{Output, one_line, table};
use crate::servers;
use crate::stores::Stores;

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

/// The lanes that are to be taken.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Chosen {
    /// One of requests.
    Request(Lane),
    /// One of replies.
    Reply(ReplyLane),
    /// Every one that cannot go on.
    All,
    /// Every one of replies that cannot go on.
    AllReplies,
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AcceptOrder {
    pub(crate) chosen: Chosen,
    pub(crate) dry_run: bool,
}

/// What Kafka says of the lanes.
#[derive(Debug, Default)]
pub(crate) struct LanesInKafka {
    /// What is wrong beside the lanes.
    pub(crate) topics: Vec<String>,
    /// One past the last record of each.
    pub(crate) ends: BTreeMap<AnyLane, Position>,
    /// The members of the consumers' group.
    pub(crate) owners: BTreeMap<AnyLane, String>,
    /// The lanes that cannot go on.
    pub(crate) problems: BTreeMap<AnyLane, Mismatch>,
    /// The lanes of which it is not known whether they can go on.
    pub(crate) unclear: BTreeMap<AnyLane, Unclear>,
}

/// The lanes to accept.
#[derive(Debug)]
pub(crate) struct LanesToAccept {
    /// How each lane is accepted.
    pub(crate) terms: AcceptTerms,
    /// The chosen ones of which it is not known now whether, or where, they can go on.
    pub(crate) left_out: Vec<UnclearLane>,
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

/// A lane as it is shown.
struct Row {
    lane: AnyLane,
    owner: Option<String>,
    epoch: Option<u64>,
    /// The next position to apply, or the next reply to record.
    next: Option<Position>,
    /// The next position to answer.
    answered: Option<Position>,
    end: Option<Position>,
    problem: Option<Mismatch>,
    /// Why it is not known whether there is a problem.
    unclear: Option<Unclear>,
}

async fn list(settings: &Settings, stores: &Stores, output: Output) -> anyhow::Result<Ending> {
    let (requests, replies) = (request_rows(stores).await?, reply_rows(stores).await?);
    let mut rows: Vec<Row> = requests.into_iter().chain(replies).collect();
    let mut is_fine = true;
    if !stores.is_embedded() {
        match servers::look_at_lanes(settings, stores).await {
            Ok(kafka) => {
                is_fine = kafka.topics.is_empty();
                kafka.topics.iter().for_each(|problem| complain(problem));
                add(&mut rows, kafka);
            }
            Err(error) => {
                is_fine = false;
                complain(&format!(
                    "only what the database has is shown, for Kafka does not say where the lanes \
                     end: {error:#}"
                ));
            }
        }
    }
    is_fine &= rows.iter().all(|row| row.problem.is_none() && row.unclear.is_none());
    if output.json {
        rows.iter().try_for_each(|row| output.value(&view(row)))?;
    } else {
        show(&rows, output)?;
    }
    Ok(if is_fine { Ending::Done } else { Ending::Incomplete })
}

async fn request_rows(stores: &Stores) -> anyhow::Result<Vec<Row>> {
    let lanes = stores.acceptances.request_lanes().await?;
    let row = |(lane, stored): (Lane, StoredLane)| {
        let lane = AnyLane::Requests(lane);
        let problem = stored.mismatch();
        let (epoch, next, answered) = match stored {
            StoredLane::Known { progress, .. } => {
                (Some(progress.epoch.0), Some(progress.applied_next), Some(progress.replied_next))
            }
            StoredLane::Lost { .. } => (None, None, None),
        };
        Row { lane, owner: None, epoch, next, answered, end: None, problem, unclear: None }
    };
    Ok(lanes.into_iter().map(row).collect())
}

async fn reply_rows(stores: &Stores) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for stored in stores.acceptances.reply_lanes().await? {
        let (lane, known) = (AnyLane::Replies(stored.lane), stored.row.transpose());
        let (known, problem) = match known {
            Ok(known) => (known, None),
            Err(what) => (None, Some(Mismatch::UnreadableRow { what })),
        };
        rows.push(Row {
            lane,
            owner: known.as_ref().and_then(|row| row.holder.clone()),
            epoch: known.as_ref().map(|row| row.epoch.0),
            next: known.as_ref().map(|row| row.position),
            answered: None,
            end: None,
            problem,
            unclear: None,
        });
    }
    Ok(rows)
}

/// Adds what Kafka says, also lanes that the database does not know yet.
fn add(rows: &mut Vec<Row>, mut kafka: LanesInKafka) {
    for row in &mut *rows {
        row.end = kafka.ends.remove(&row.lane);
        row.owner = row.owner.take().or_else(|| kafka.owners.remove(&row.lane));
        row.problem = kafka.problems.remove(&row.lane).or_else(|| row.problem.take());
        row.unclear = kafka.unclear.remove(&row.lane);
    }
    let new = |(lane, end)| Row {
        lane,
        owner: None,
        epoch: None,
        next: None,
        answered: None,
        end: Some(end),
        problem: None,
        unclear: None,
    };
    rows.extend(kafka.ends.into_iter().map(new));
    rows.sort_by_key(|row| row.lane);
}

impl Row {
    /// What is wrong with the lane, or why that is not known.
    fn complaint(&self) -> Option<String> {
        let lane = self.lane;
        let problem = self.problem.clone().map(|mismatch| LaneProblem { lane, mismatch });
        let unclear = self.unclear.map(|why| UnclearLane { lane, why }.to_string());
        problem.map(|problem| problem.to_string()).or(unclear)
    }

    /// How many positions lie between where the lane stands and its end, if both are of one log.
    fn lag(&self) -> Option<u64> {
        let is_other = matches!(
            self.problem,
            Some(
                Mismatch::OtherLog
                    | Mismatch::LeftLog
                    | Mismatch::EndsEarly { .. }
                    | Mismatch::OtherRecord { .. }
            )
        );
        if is_other { None } else { Some(self.end?.0.saturating_sub(self.next?.0)) }
    }
}

fn view(row: &Row) -> Value {
    let (of, lane) = match row.lane {
        AnyLane::Requests(lane) => ("requests", lane.0),
        AnyLane::Replies(lane) => ("replies", lane.0),
    };
    let position = |position: Option<Position>| position.map(|position| position.0);
    json!({
        "of": of,
        "lane": lane,
        "owner": row.owner,
        "epoch": row.epoch,
        "next": position(row.next),
        "answered": position(row.answered),
        "end": position(row.end),
        "lag": row.lag(),
        "problem": row.complaint(),
    })
}

fn show(rows: &[Row], output: Output) -> std::io::Result<()> {
    let is_request = |row: &&Row| matches!(row.lane, AnyLane::Requests(_));
    let mut requests =
        table(&["lane", "owner", ">epoch", ">applied", ">answered", ">end", ">lag", "problem"]);
    for row in rows.iter().filter(is_request) {
        requests.add_row(cells(row, Some(number(row.answered.map(|answered| answered.0)))));
    }
    output.line(requests.trim_fmt())?;
    let mut replies =
        table(&["reply lane", "owner", ">epoch", ">recorded", ">end", ">lag", "problem"]);
    for row in rows.iter().filter(|row| !is_request(row)) {
        replies.add_row(cells(row, None));
    }
    if !replies.is_empty() {
        output.line(format_args!("\n{}", replies.trim_fmt()))?;
    }
    for row in rows {
        if let Some(complaint) = row.complaint() {
            output.line(format_args!("\n{complaint}"))?;
        }
    }
    Ok(())
}

/// The cells of a lane; its problem is told below the table.
fn cells(row: &Row, answered: Option<String>) -> Vec<String> {
    let lane = match row.lane {
        AnyLane::Requests(lane) => lane.to_string(),
        AnyLane::Replies(lane) => lane.to_string(),
    };
    let owner = row.owner.as_deref().map_or_else(|| "-".to_owned(), one_line);
    let problem = if row.complaint().is_some() { "see below" } else { "" };
    let mut cells = vec![lane, owner, number(row.epoch), number(row.next.map(|next| next.0))];
    cells.extend(answered);
    let rest = [number(row.end.map(|end| end.0)), number(row.lag()), problem.to_owned()];
    cells.extend(rest);
    cells
}

fn number(number: Option<u64>) -> String {
    number.map_or_else(|| "-".to_owned(), grouped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_that_kafka_does_not_show_is_no_lane_without_a_problem() {
        let lane = |number| AnyLane::Requests(Lane(number));
        let row = |number| Row {
            lane: lane(number),
            owner: None,
            epoch: Some(4),
            next: Some(Position(9)),
            answered: Some(Position(9)),
            end: None,
            problem: None,
            unclear: None,
        };
        let mut rows = vec![row(0), row(1)];
        let kafka = LanesInKafka {
            ends: [(lane(0), Position(12))].into(),
            unclear: [(lane(1), Unclear::Unseen)].into(),
            ..LanesInKafka::default()
        };
        add(&mut rows, kafka);
        let shown: Vec<Value> = rows.iter().map(view).collect();
        assert_eq!((&shown[0]["lag"], &shown[0]["problem"]), (&json!(3), &json!(null)));
        let problem = shown[1]["problem"].as_str().unwrap();
        assert!(problem.starts_with("lane 1: Kafka does not say now"), "{problem}");
        assert_eq!(cells(&rows[1], None).last().unwrap(), "see below");
        rows[1].owner = Some("a\nb".to_owned());
        assert_eq!(cells(&rows[1], None)[1], r"a\nb");
    }
}
