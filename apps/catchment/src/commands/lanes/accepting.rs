//! `catchment lanes accept`: says how lanes go on and what is given up, and lets them go on.

use anyhow::anyhow;
use catchment_api as api;
use catchment_application::{
    ChosenLanes, LanesToAccept, accept_lanes, embedded_lanes_to_accept, lanes_to_accept,
};
use catchment_bootstrap::settings::Settings;
use catchment_bootstrap::stores::Stores;
use catchment_domain::{
    AcceptTerms, Acceptance, Accepted, AcceptedLane, AcceptedReplyLane, AskedInLanes, Lane,
    ReplyLane, Revision, Skipped, StoredItem,
};

use super::Arguments;
use crate::ending::{Ending, complain};
use crate::left_out::LeftOut;
use crate::number::{counted, grouped};
use crate::output::Output;
use crate::servers;

pub(super) async fn accept(
    Arguments { lane, all, reply, dry_run }: Arguments,
    settings: &Settings,
    stores: &Stores,
    output: Output,
) -> anyhow::Result<Ending> {
    let chosen = match (lane, reply) {
        (Some(lane), false) => ChosenLanes::Request(Lane(lane)),
        (Some(lane), true) => ChosenLanes::Reply(ReplyLane(lane)),
        (None, false) => ChosenLanes::All,
        (None, true) => ChosenLanes::AllReplies,
    };
    debug_assert!(all == lane.is_none(), "clap asks for one of both");
    let wanted = (chosen, dry_run);
    let LanesToAccept { terms, left_out } = if stores.is_embedded() {
        embedded_lanes_to_accept(&*stores.acceptances, wanted).await?
    } else {
        let lanes = servers::with_cluster(settings, stores.shops.lanes(), async |cluster| {
            lanes_to_accept(stores.lanes(), cluster?, wanted).await
        });
        lanes.await??
    };
    for unclear in &left_out {
        complain(&unclear.to_string());
    }
    let ending = if left_out.is_empty() { Ending::Done } else { Ending::Incomplete };
    if terms.requests.is_empty() && terms.replies.is_empty() {
        if output.json {
            output.value(&api::LanesAccepted::from(&terms))?;
        } else if left_out.is_empty() {
            output.line("every lane works: there is nothing to accept")?;
        }
        return Ok(ending);
    }
    // Told first: if this process is killed, the reader knows all the same what may be given up.
    tell_terms(&terms, stores.is_embedded(), output).map_err(|error| {
        anyhow!("nothing was changed, for it cannot be printed what is given up: {error}")
    })?;
    let accepted = accept_lanes(&*stores.acceptances, &terms).await?;
    tell_accepted(&accepted, output)?;
    Ok(if complain_of_damage(accepted) { Ending::Incomplete } else { ending })
}

/// Says how the lanes go on, and what is given up by that.
fn tell_terms(terms: &AcceptTerms, is_embedded: bool, output: Output) -> std::io::Result<()> {
    if output.json {
        output.value(&api::LanesAccepted::from(terms))?;
    } else {
        for line in lines_of_terms(terms, is_embedded) {
            output.line(line)?;
        }
    }
    output.flush()
}

fn lines_of_terms(terms: &AcceptTerms, is_embedded: bool) -> Vec<String> {
    let AcceptTerms { requests, replies, dry_run } = terms;
    let mut lines: Vec<String> = Vec::new();
    lines.extend(dry_run.then(|| "this would be done:".to_owned()));
    let soon =
        if is_embedded { "" } else { "; services at work on this topic take it within a minute" };
    for AcceptedLane { lane, acceptance, .. } in requests {
        lines
            .push(format!("lane {lane} goes on from {}{soon}", grouped(acceptance.applied_next.0)));
        let given_up = given_up(acceptance).into_iter();
        lines.extend(given_up.map(|given_up| format!("lane {lane}: {given_up}")));
    }
    for AcceptedReplyLane { stored, end, .. } in replies {
        let lane = stored.lane;
        lines.push(match end {
            Some(end) => format!(
                "reply lane {lane} goes on from {}: replies before are not read, and what has no \
                 outcome is asked again",
                grouped(end.0)
            ),
            None => format!("reply lane {lane} is given up"),
        });
    }
    lines
}

/// Says what became of the campaigns.
fn tell_accepted(accepted: &Accepted, output: Output) -> std::io::Result<()> {
    if output.json {
        return output.value(&api::AcceptedCampaigns::from(accepted));
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

/// Names the campaigns that cannot be read, and says how their shops are asked. Returns whether there
/// are any.
fn complain_of_damage(accepted: Accepted) -> bool {
    let revisions = accepted.damaged.iter().filter_map(|damage| match damage.item {
        StoredItem::Campaign(revision) => Some(revision),
        _ => None,
    });
    let revisions: Vec<Revision> = revisions.collect();
    let is_damaged = LeftOut::from(accepted.damaged).conclude() == Ending::Incomplete;
    for revision in revisions {
        complain(&format!(
            "campaign {revision} keeps its deadline: after the repair, \
             `catchment campaign retry {revision}` asks the shops again whose requests expire"
        ));
    }
    is_damaged
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

#[cfg(test)]
mod tests {
    use catchment_domain::{
        LaneRemains, LogIdentity, Position, PositionRange, StoredLane, StoredReplyLane,
    };

    use super::*;

    #[test]
    fn services_are_named_only_where_there_may_be_some() {
        let (lane, committed, last_id) = (Lane(2), None, None);
        let stored = StoredLane::Lost { unreadable: None, remains: LaneRemains::default() };
        let acceptance = Acceptance {
            log: LogIdentity::NONE,
            applied_next: Position(1_200),
            replied_next: Position(1_200),
            keeps_receipts: true,
            skipped: Skipped::default(),
        };
        let requests = vec![AcceptedLane { lane, stored, committed, acceptance, last_id }];
        let stored = StoredReplyLane { lane: ReplyLane(7), row: None };
        let replies = vec![AcceptedReplyLane { stored, log: LogIdentity::NONE, end: None }];
        let terms = AcceptTerms { requests, replies, dry_run: true };
        for (is_embedded, soon) in
            [(true, ""), (false, "; services at work on this topic take it within a minute")]
        {
            let lane = format!("lane 2 goes on from 1,200{soon}");
            let expected = ["this would be done:", &lane, "reply lane 7 is given up"];
            assert_eq!(lines_of_terms(&terms, is_embedded), expected);
        }
    }

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
                log: LogIdentity::NONE,
                applied_next: Position(12),
                replied_next: Position(12),
                keeps_receipts,
                skipped,
            };
            assert_eq!(given_up(&acceptance), expected, "{acceptance:?}");
        }
    }
}
