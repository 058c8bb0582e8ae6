//! `catchment lanes`: how the lanes stand, and taking those as they are that cannot go on.

use std::collections::BTreeMap;

use anyhow::bail;
use catchment_bootstrap::settings::Settings;
use catchment_domain::{
    AcceptTerms, Acceptance, Accepted, AcceptedLane, AcceptedReplyLane, AnyLane, AskedInLanes,
    Lane, LaneProblem, LogIdentity, Mismatch, Position, PositionRange, ReplyLane, RequestLaneLog,
    Revision, Skipped, StoredLane, StoredReplyLane, acceptance_of,
};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use thiserror::Error;

use crate::ending::{Ending, complain};
use crate::number::{counted, grouped};
use crate::output::{Output, table};
use crate::servers;
use crate::stores::Stores;

/// What to do with the lanes.
#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum Command {
    /// Shows each lane of requests and of replies: who has it, how far it came, and what a service
    /// would say that cannot go on with it.
    List,
    /// Takes a lane as it is, which cannot go on otherwise.
    ///
    /// Try first to bring back what is missing. The command skips a hole, takes a topic that was made
    /// again or another one, gives up replies that cannot be made again, and makes a row anew that
    /// was deleted. It says what is given up, and which campaigns ask shops again; `--dry-run` says
    /// so beforehand. A single call whose request or reply is given up gets no reply.
    ///
    /// Services may run meanwhile. Those that have ended with exit code 78 are started again
    /// afterwards. A lane that works is refused.
    Accept(Arguments),
}

/// What `lanes accept` takes.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Arguments {
    /// The lane's number, as services and `lanes list` name it.
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    lane: Option<u16>,
    /// Takes every lane that cannot go on, of requests and of replies.
    #[arg(long)]
    all: bool,
    /// Takes reply lanes only.
    #[arg(long)]
    reply: bool,
    /// Changes nothing, and says what would be changed.
    #[arg(long)]
    dry_run: bool,
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

/// Lanes or topics do not fit the database.
#[derive(Debug, Error)]
#[error("{0}")]
pub(crate) struct LanesMisfit(pub(crate) String);

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
}

/// The lanes that were taken as they are.
#[derive(Debug, Default)]
pub(crate) struct AcceptedLanes {
    pub(crate) requests: Vec<AcceptedLane>,
    pub(crate) replies: Vec<AcceptedReplyLane>,
    pub(crate) accepted: Accepted,
}

pub(super) async fn run(
    command: Command,
    settings: &Settings,
    output: Output,
) -> anyhow::Result<Ending> {
    let stores = Stores::open_existing(&settings.database).await?;
    let done = match command {
        Command::List => list(settings, &stores, output).await,
        Command::Accept(arguments) => accept(arguments, settings, &stores, output).await,
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
            Err(error) => complain(&format!(
                "only what the database has is shown, for Kafka does not say where the lanes end: \
                 {error:#}"
            )),
        }
    }
    is_fine &= rows.iter().all(|row| row.problem.is_none());
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
        Row { lane, owner: None, epoch, next, answered, end: None, problem }
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
    }
    let new = |(lane, end)| Row {
        lane,
        owner: None,
        epoch: None,
        next: None,
        answered: None,
        end: Some(end),
        problem: None,
    };
    rows.extend(kafka.ends.into_iter().map(new));
    rows.sort_by_key(|row| row.lane);
}

impl Row {
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
    let problem = row.problem.clone().map(|mismatch| LaneProblem { lane: row.lane, mismatch });
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
        "problem": problem.map(|problem| problem.to_string()),
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
        if let Some(mismatch) = row.problem.clone() {
            output.line(format_args!("\n{}", LaneProblem { lane: row.lane, mismatch }))?;
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
    let owner = row.owner.clone().unwrap_or_else(|| "-".to_owned());
    let problem = if row.problem.is_some() { "see below" } else { "" };
    let mut cells = vec![lane, owner, number(row.epoch), number(row.next.map(|next| next.0))];
    cells.extend(answered);
    let rest = [number(row.end.map(|end| end.0)), number(row.lag()), problem.to_owned()];
    cells.extend(rest);
    cells
}

fn number(number: Option<u64>) -> String {
    number.map_or_else(|| "-".to_owned(), grouped)
}

async fn accept(
    Arguments { lane, all, reply, dry_run }: Arguments,
    settings: &Settings,
    stores: &Stores,
    output: Output,
) -> anyhow::Result<Ending> {
    let chosen = match (lane, reply) {
        (Some(lane), false) => Chosen::Request(Lane(lane)),
        (Some(lane), true) => Chosen::Reply(ReplyLane(lane)),
        (None, false) => Chosen::All,
        (None, true) => Chosen::AllReplies,
    };
    debug_assert!(all == lane.is_none(), "clap asks for one of both");
    let order = AcceptOrder { chosen, dry_run };
    let lanes = if stores.is_embedded() {
        accept_embedded(stores, order).await?
    } else {
        servers::accept_lanes(settings, stores, order).await?
    };
    if output.json {
        output.value(&view_accepted(&lanes, dry_run))?;
    } else {
        tell(&lanes, dry_run, output)?;
    }
    Ok(Ending::Done)
}

/// Makes rows of an embedded database anew that are gone or cannot be read. Nothing else can differ:
/// its logs are in memory and begin with each process.
async fn accept_embedded(
    stores: &Stores,
    AcceptOrder { chosen, dry_run }: AcceptOrder,
) -> anyhow::Result<AcceptedLanes> {
    let is_chosen = |lane: AnyLane| match (chosen, lane) {
        (Chosen::Request(chosen), AnyLane::Requests(lane)) => chosen == lane,
        (Chosen::Reply(chosen), AnyLane::Replies(lane)) => chosen == lane,
        (Chosen::All, _) | (Chosen::AllReplies, AnyLane::Replies(_)) => true,
        (Chosen::Request(_) | Chosen::Reply(_) | Chosen::AllReplies, _) => false,
    };
    let log = RequestLaneLog {
        log: NO_LOG,
        first: Position(0),
        end: Position(0),
        before: None,
        without_receipt: None,
    };
    let request = |(lane, stored): (Lane, StoredLane)| {
        let is_lost = stored.mismatch().is_some() && is_chosen(AnyLane::Requests(lane));
        let acceptance = acceptance_of(&stored, &log, None).filter(|_| is_lost)?;
        Some(AcceptedLane { lane, stored, committed: None, acceptance })
    };
    let reply = |stored: StoredReplyLane| {
        let is_lost = matches!(stored.row, Some(Err(_)));
        let is_taken = is_lost && is_chosen(AnyLane::Replies(stored.lane));
        is_taken.then_some(AcceptedReplyLane { stored, log: NO_LOG, end: Some(Position(0)) })
    };
    let requests = stores.acceptances.request_lanes().await?;
    let requests: Vec<AcceptedLane> = requests.into_iter().filter_map(request).collect();
    let replies = stores.acceptances.reply_lanes().await?;
    let replies: Vec<AcceptedReplyLane> = replies.into_iter().filter_map(reply).collect();
    if requests.is_empty() && replies.is_empty() {
        match chosen {
            Chosen::Request(lane) => bail!("lane {lane} works, or there is no such lane"),
            Chosen::Reply(lane) => bail!("reply lane {lane} works, or there is no such lane"),
            Chosen::All | Chosen::AllReplies => return Ok(AcceptedLanes::default()),
        }
    }
    let terms = AcceptTerms { requests, replies, dry_run };
    let accepted = stores.acceptances.accept(&terms).await?;
    Ok(AcceptedLanes { requests: terms.requests, replies: terms.replies, accepted })
}

/// The next process that works with a lane begins a log of its own.
const NO_LOG: LogIdentity = LogIdentity { id: 0, lasting: false };

fn tell(lanes: &AcceptedLanes, dry_run: bool, output: Output) -> std::io::Result<()> {
    let AcceptedLanes { requests, replies, accepted } = lanes;
    if requests.is_empty() && replies.is_empty() {
        return output.line("every lane works: there is nothing to accept");
    }
    if dry_run {
        output.line("this would be done:")?;
    }
    for lane in requests {
        let next = grouped(lane.acceptance.applied_next.0);
        output.line(format_args!(
            "lane {} goes on from {next}; services at work take it within a minute",
            lane.lane
        ))?;
        for line in given_up(&lane.acceptance) {
            output.line(format_args!("lane {}: {line}", lane.lane))?;
        }
    }
    for AcceptedReplyLane { stored, end, .. } in replies {
        let lane = stored.lane;
        match end {
            Some(end) => output.line(format_args!(
                "reply lane {lane} goes on from {}: replies before are not read, and what has no \
                 outcome is asked again",
                grouped(end.0)
            ))?,
            None => output.line(format_args!("reply lane {lane} is given up"))?,
        }
    }
    for asked in &accepted.asked {
        output.line(words(asked))?;
    }
    for revision in &accepted.left {
        output.line(format_args!(
            "campaign {revision} has had every attempt there is, so its open requests will expire"
        ))?;
    }
    for revision in &accepted.moved {
        output.line(format_args!(
            "campaign {revision} goes to another reply lane, and asks again what has no outcome"
        ))?;
    }
    Ok(())
}

/// What is given up of a lane, line by line.
fn given_up(Acceptance { skipped, keeps_receipts, .. }: &Acceptance) -> Vec<String> {
    let Skipped { of_log_before, unapplied, unanswered } = skipped;
    let mut lines = Vec::new();
    if let Some(from) = of_log_before {
        lines.push(format!(
            "given up: what stood in the topic as it was before from {} on",
            grouped(from.0)
        ));
    }
    if let Some(range) = unapplied {
        let how = if *keeps_receipts {
            "which are not applied"
        } else {
            "of which it is not known whether they were applied"
        };
        lines.push(format!(
            "given up: positions {} to {}, at most {}, {how}",
            grouped(range.from.0),
            grouped(range.to.0.saturating_sub(1)),
            counted(range.most(), "request"),
        ));
    }
    if let Some(range) = unanswered {
        lines.push(format!(
            "given up: the replies to positions {} to {}, at most {} that were applied",
            grouped(range.from.0),
            grouped(range.to.0.saturating_sub(1)),
            counted(range.most(), "request"),
        ));
    }
    lines
}

fn words(AskedInLanes { campaign, state, open, new_attempt }: &AskedInLanes) -> String {
    let open = counted(*open, "open request");
    match new_attempt {
        Some(attempt) => {
            format!("campaign {campaign} ({state}): {open} asked again in attempt {}", attempt.0)
        }
        None => format!("campaign {campaign} ({state}): {open} asked again"),
    }
}

fn view_accepted(lanes: &AcceptedLanes, dry_run: bool) -> Value {
    let AcceptedLanes { requests, replies, accepted } = lanes;
    let range = |range: Option<PositionRange>| {
        range.map(|range| json!({ "from": range.from.0, "to": range.to.0 }))
    };
    let lanes = requests.iter().map(|lane| {
        let Skipped { of_log_before, unapplied, unanswered } = lane.acceptance.skipped;
        json!({
            "lane": lane.lane.0,
            "next": lane.acceptance.applied_next.0,
            "given_up": {
                "of_topic_before": of_log_before.map(|from| from.0),
                "unapplied": range(unapplied),
                "unanswered": range(unanswered),
            },
        })
    });
    let replies = replies
        .iter()
        .map(|lane| json!({ "lane": lane.stored.lane.0, "next": lane.end.map(|end| end.0) }));
    let campaigns = accepted.asked.iter().map(|asked| {
        json!({
            "campaign": asked.campaign.0,
            "state": asked.state.as_str(),
            "open": asked.open,
            "new_attempt": asked.new_attempt.map(|attempt| attempt.0),
        })
    });
    let numbers =
        |revisions: &[Revision]| revisions.iter().map(|revision| revision.0).collect::<Vec<_>>();
    json!({
        "dry_run": dry_run,
        "lanes": lanes.collect::<Vec<_>>(),
        "reply_lanes": replies.collect::<Vec<_>>(),
        "campaigns": campaigns.collect::<Vec<_>>(),
        "left": numbers(&accepted.left),
        "moved": numbers(&accepted.moved),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_up_is_told_as_far_as_it_is_known() {
        let range = PositionRange::of(Position(2), Position(12));
        let nothing = Skipped::default();
        for (keeps_receipts, skipped, expected) in [
            (true, nothing, &[][..]),
            (
                true,
                Skipped { unapplied: range, ..nothing },
                &["given up: positions 2 to 11, at most 10 requests, which are not applied"],
            ),
            (
                false,
                Skipped { unapplied: range, of_log_before: Some(Position(9)), ..nothing },
                &[
                    "given up: what stood in the topic as it was before from 9 on",
                    "given up: positions 2 to 11, at most 10 requests, of which it is not known \
                     whether they were applied",
                ],
            ),
            (
                true,
                Skipped { unanswered: range, ..nothing },
                &["given up: the replies to positions 2 to 11, at most 10 requests that were \
                   applied"],
            ),
        ] {
            let acceptance = Acceptance {
                log: NO_LOG,
                applied_next: Position(12),
                replied_next: Position(12),
                keeps_receipts,
                skipped,
            };
            assert_eq!(given_up(&acceptance), expected, "{acceptance:?}");
        }
    }
}
