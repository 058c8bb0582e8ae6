//! `catchment database restored`: says what was changed.

use catchment_api as api;
use catchment_application::AfterRestore;
use catchment_domain::{AnyLane, AskedAgain, Found, LaneProblem, Restored, Revision};

use crate::ending::{Ending, complain};
use crate::left_out::LeftOut;
use crate::number::counted;
use crate::output::Output;

/// How many campaigns that are gone are named.
const NAMED: usize = 20;

/// Returns the command that accepts this lane, and all other lanes that were named.
fn command(after: &AfterRestore, lane: AnyLane) -> String {
    match lane {
        _ if 1 < after.stopped() => "`catchment lanes accept --all`".to_owned(),
        AnyLane::Requests(lane) => format!("`catchment lanes accept {lane}`"),
        AnyLane::Replies(lane) => format!("`catchment lanes accept {lane} --reply`"),
    }
}

/// Says what was changed, and names damaged campaigns and lanes that were left out.
pub(super) fn tell(after: AfterRestore, dry_run: bool, output: Output) -> anyhow::Result<Ending> {
    if output.json {
        output.value(&api::DatabaseRestored::new(&after, dry_run))?;
    } else {
        for line in lines(&after, dry_run) {
            output.line(format_args!("{line}"))?;
        }
    }
    let advice = after.left_out().next().map(|problem| command(&after, problem.lane));
    let ending = LeftOut::from(after.restored.campaigns.damaged).conclude();
    if ending == Ending::Incomplete {
        complain("repeat this command after the repair");
    }
    if let Some(command) = advice {
        complain(&format!(
            "lanes were left out: bring back what they lack and repeat this command, or take them \
             as they are by {command}"
        ));
        return Ok(Ending::Incomplete);
    }
    Ok(ending)
}

fn lines(after: &AfterRestore, dry_run: bool) -> Vec<String> {
    let AfterRestore { restored, requests, lost, gone, .. } = after;
    let Restored { campaigns, left, known, newest, lanes, reply_lanes, .. } = restored;
    let Found { found: campaigns, .. } = campaigns;
    let mut lines: Vec<String> = Vec::new();
    lines.extend(dry_run.then(|| "nothing is changed; without --dry-run:".to_owned()));
    lines.extend(campaigns.iter().map(words));
    lines.extend(left.iter().map(|revision| {
        format!("campaign {revision} has used up its attempts, so no shop is asked again: end it")
    }));
    lines.extend(lost.iter().take(NAMED).map(|revision| {
        if known < revision {
            format!("campaign {revision} was started since the backup and is gone: start it again")
        } else {
            format!(
                "campaign {revision} has requests and is not in the database: start it again if \
                 you did not delete it"
            )
        }
    }));
    if let Some(more) = lost.len().checked_sub(NAMED).filter(|more| 0 < *more) {
        lines.push(format!("{more} more campaigns are gone; --json names them"));
    }
    lines.extend(gone.iter().map(|(lane, records)| {
        let records = counted(*records, "record");
        let command = command(after, AnyLane::Requests(*lane));
        format!(
            "lane {lane}: {records} since the backup were removed, so the lane will be set aside: \
             {command} lets it go on"
        )
    }));
    lines.extend(after.left_out().map(|problem| {
        let LaneProblem { lane, mismatch } = problem;
        if 1 < after.stopped() {
            format!("left out: {lane}: {mismatch}")
        } else {
            format!("left out: {problem}")
        }
    }));
    if known != newest {
        let first = Revision(known.0 + 1);
        lines.push(if first == *newest {
            format!("revision {first} may be in use and is not given out")
        } else {
            format!("revisions {first} to {newest} may be in use and are not given out")
        });
    }
    lines.push(format!(
        "{} and {} get new epochs; consumers will apply {} since the backup again",
        counted((*lanes).into(), "lane"),
        counted((*reply_lanes).into(), "reply lane"),
        counted(*requests, "request"),
    ));
    lines
}

fn words(asked: &AskedAgain) -> String {
    let AskedAgain { campaign, state, attempt, was_ended } = asked;
    let open = counted(state.open().into(), "open request");
    let ended = if *was_ended { "; it was ended since the backup: end it again" } else { "" };
    format!("campaign {campaign} ({state}): {open} in attempt {}{ended}", attempt.0)
}

#[cfg(test)]
mod tests {
    use catchment_domain::{Attempt, CampaignState, Lane, Mismatch, ReplyLane};

    use super::*;

    #[test]
    fn everything_that_was_given_up_is_named() {
        let asked = |campaign, state, was_ended| AskedAgain {
            campaign: Revision(campaign),
            state,
            attempt: Attempt(3),
            was_ended,
        };
        let campaigns = vec![
            asked(4, CampaignState::Sending { open: 31_993 }, false),
            asked(5, CampaignState::Settled, true),
        ];
        let after = AfterRestore {
            restored: Restored {
                campaigns: Found::whole(campaigns),
                left: vec![Revision(6)],
                known: Revision(7),
                newest: Revision(30),
                lanes: 12,
                reply_lanes: 1,
                left_out: vec![LaneProblem::of_replies(ReplyLane(1), Mismatch::OtherLog)],
            },
            requests: 48_210,
            lost: (8..30).map(Revision).collect(),
            gone: vec![(Lane(2), 1_000)],
            left_out: vec![LaneProblem::of(Lane(3), Mismatch::NoRow)],
        };
        let lines = lines(&after, true);
        let expected = [
            "nothing is changed; without --dry-run:",
            "campaign 4 (sending): 31,993 open requests in attempt 3",
            "campaign 5 (settled): 0 open requests in attempt 3; it was ended since the backup: \
             end it again",
            "campaign 6 has used up its attempts, so no shop is asked again: end it",
            "campaign 8 was started since the backup and is gone: start it again",
        ];
        assert_eq!(lines[..5], expected);
        let expected = [
            "campaign 27 was started since the backup and is gone: start it again",
            "2 more campaigns are gone; --json names them",
            "lane 2: 1,000 records since the backup were removed, so the lane will be set aside: \
             `catchment lanes accept --all` lets it go on",
            "left out: lane 3: its row in the database is gone",
            "left out: reply lane 1: the database has read it in another topic or cluster",
            "revisions 8 to 30 may be in use and are not given out",
            "12 lanes and 1 reply lane get new epochs; consumers will apply 48,210 requests since \
             the backup again",
        ];
        assert_eq!(lines[23..], expected);
    }

    /// A restored database without campaigns.
    fn without_campaigns() -> AfterRestore {
        AfterRestore {
            restored: Restored {
                campaigns: Found::default(),
                left: Vec::new(),
                known: Revision(7),
                newest: Revision(8),
                lanes: 1,
                reply_lanes: 0,
                left_out: Vec::new(),
            },
            requests: 2,
            lost: Vec::new(),
            gone: Vec::new(),
            left_out: Vec::new(),
        }
    }

    #[test]
    fn a_lane_that_stops_alone_is_named_with_the_command_for_it_alone() {
        let gone = AfterRestore { gone: vec![(Lane(2), 3)], ..without_campaigns() };
        let expected = "lane 2: 3 records since the backup were removed, so the lane will be set \
                        aside: `catchment lanes accept 2` lets it go on";
        assert_eq!(lines(&gone, false)[0], expected);
        let problem = LaneProblem::of_replies(ReplyLane(1), Mismatch::OtherLog);
        let expected = format!("left out: {problem}");
        let left_out = AfterRestore { left_out: vec![problem.clone()], ..without_campaigns() };
        assert_eq!(lines(&left_out, false)[0], expected);
        assert_eq!(command(&left_out, problem.lane), "`catchment lanes accept 1 --reply`");
    }

    #[test]
    fn a_campaign_that_may_have_been_deleted_is_named_as_that() {
        let lost = vec![Revision(7), Revision(8)];
        let after = AfterRestore { lost, ..without_campaigns() };
        let expected = [
            "campaign 7 has requests and is not in the database: start it again if you did not \
             delete it",
            "campaign 8 was started since the backup and is gone: start it again",
            "revision 8 may be in use and is not given out",
            "1 lane and 0 reply lanes get new epochs; consumers will apply 2 requests since the \
             backup again",
        ];
        assert_eq!(lines(&after, false), expected);
    }
}
