//! Prints campaigns: tables for people, objects for machines.

use std::collections::BTreeMap;

use catchment_bootstrap::duration;
use catchment_domain::{Campaign, CampaignState, Revision, Status, Tally, Timestamp};
use chrono::{DateTime, SecondsFormat};
use serde_json::{Value, json};

use crate::ending::{Ending, complain};
use crate::number::{counted, grouped, share};
use crate::output::{Output, table};
use crate::watch::{Goal, Standing};

/// The result of the wait for a campaign.
#[derive(Clone, Debug)]
pub(crate) struct Finished {
    /// The state of the campaign.
    pub(crate) standing: Standing,
    /// The time since the command was given, in seconds.
    pub(crate) seconds: f64,
    /// Why the wait ended.
    pub(crate) wait: Wait,
    /// Whether all shops that were not reached are unknown.
    pub(crate) unknown_alone: bool,
}

/// Why the wait for a campaign ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// The campaign has reached its goal.
    Through,
    /// The user interrupted the wait, and so stopped the campaign, which this process ran.
    Stopped,
    /// The user interrupted the wait. Other processes go on with the campaign.
    Left,
}

/// Prints the result of a campaign, and what is left to do.
///
/// # Errors
///
/// When the standard output cannot be written.
pub(crate) fn finish(output: Output, finished: &Finished, goal: Goal) -> anyhow::Result<Ending> {
    let Finished { standing, seconds, wait, unknown_alone } = finished;
    let campaign = &standing.campaign;
    if output.json {
        output.value(&summary(standing, *seconds))?;
    } else {
        let Campaign { name, .. } = campaign;
        let shops = counted(campaign.shops.into(), "shop");
        let state = state_words(campaign);
        output.line(format_args!(
            "campaign {} is {state} ({shops}, {seconds:.1} s)",
            name.revision
        ))?;
        output.line(outcome_table(standing))?;
    }
    let revision = campaign.name.revision;
    match wait {
        Wait::Through => {
            let ending = judge(standing, *unknown_alone, goal);
            return Ok(match standing.left_out.conclude() {
                Ending::Done => ending,
                left_out => left_out,
            });
        }
        Wait::Stopped => complain(&format!(
            "interrupted: what was sent is stored; `catchment campaign watch {revision}` goes on"
        )),
        Wait::Left => complain(&format!(
            "interrupted, and the campaign goes on; \
             `catchment campaign watch {revision}` follows it again"
        )),
    }
    Ok(Ending::Interrupted)
}

/// Reports the shops that the campaign did not reach, and how to go on.
fn judge(standing: &Standing, unknown_alone: bool, goal: Goal) -> Ending {
    let campaign = &standing.campaign;
    let revision = campaign.name.revision;
    if goal == Goal::Settled
        && let Some(how) = left_before_settled(standing)
    {
        complain(&format!("campaign {revision} {how} before it settled"));
        return Ending::Incomplete;
    }
    let tally = goal.tally(&standing.tallies);
    let failed = [Status::Rejected, Status::Expired, Status::Failed];
    let failed: Vec<_> = failed.into_iter().filter(|status| 0 < tally.of(*status)).collect();
    let Some(first) = failed.first() else { return Ending::Done };
    let counts: Vec<String> = failed
        .iter()
        .map(|status| format!("{} {status}", grouped(tally.of(*status).into())))
        .collect();
    let late = if tally.of(Status::Expired) == campaign.shops {
        "; a new start with a longer `--timeout` gives them more time"
    } else {
        ""
    };
    let (did_not, phase) = match goal {
        Goal::Settled => ("reach", ""),
        Goal::Ended => ("release", " --phase release"),
    };
    let again = if unknown_alone {
        "; there is no shop of these ids".to_owned()
    } else {
        format!(", and `catchment campaign retry {revision}` asks them again{late}")
    };
    complain(&format!(
        "campaign {revision} did not {did_not} every shop: {}; \
         `catchment campaign outcomes {revision}{phase} --status {first}` shows them{again}",
        counts.join(", ")
    ));
    Ending::Incomplete
}

/// Returns how the campaign was left before every shop had an outcome. A settled campaign may have
/// been ended since then.
fn left_before_settled(standing: &Standing) -> Option<String> {
    let tally = &standing.tallies.activation;
    if tally.open == 0 && tally.of(Status::Superseded) == 0 {
        return None;
    }
    match (standing.campaign.state, standing.campaign.replaced_by) {
        (CampaignState::Settled, _) | (CampaignState::Sending { .. }, None) => None,
        (_, Some(by)) => Some(format!("was replaced by campaign {by}")),
        (CampaignState::Ending { .. } | CampaignState::Ended, None) => Some("was ended".to_owned()),
    }
}

/// Returns the summary for scripts when the wait for a campaign has ended.
fn summary(standing: &Standing, seconds: f64) -> Value {
    let campaign = &standing.campaign;
    let mut value = json!({
        "campaign": campaign.name.revision.0,
        "status": campaign.state.as_str(),
        "shops": campaign.shops,
        "outcomes": counts(&standing.tallies.activation),
        "seconds": (seconds * 1_000.0).round() / 1_000.0,
    });
    let releases = counts(&standing.tallies.release);
    if let Value::Object(fields) = &mut value {
        if !releases.is_empty() {
            fields.insert("releases".to_owned(), json!(releases));
        }
        if let Some(by) = campaign.replaced_by {
            fields.insert("replaced_by".to_owned(), json!(by.0));
        }
    }
    value
}

/// Returns how many shops have which outcome. Shops without an outcome count as `open`.
pub(crate) fn counts(tally: &Tally) -> BTreeMap<&'static str, u32> {
    let open = (0 < tally.open).then_some(("open", tally.open));
    tally.iter().map(|(status, count)| (status.as_str(), count)).chain(open).collect()
}

/// Formats how many shops have which outcome in each phase.
pub(crate) fn outcome_table(standing: &Standing) -> String {
    let (activations, releases) =
        (counts(&standing.tallies.activation), counts(&standing.tallies.release));
    let mut columns = vec!["status", ">shops", ">share"];
    if !releases.is_empty() {
        columns.extend([">released", ">share"]);
    }
    let mut rows = table(&columns);
    let words = Status::ALL.iter().map(|status| status.as_str()).chain(["open"]);
    for word in words {
        let (asked, freed) = (activations.get(word), releases.get(word));
        if asked.is_none() && freed.is_none() {
            continue;
        }
        let mut cells = vec![word.to_owned()];
        for (count, all) in [(asked, &activations), (freed, &releases)] {
            if all.is_empty() {
                continue;
            }
            let count = count.copied().unwrap_or_default().into();
            let whole = all.values().copied().map(u64::from).sum();
            cells.extend([grouped(count), share(count, whole)]);
        }
        rows.add_row(cells);
    }
    rows.trim_fmt()
}

/// Describes the state of a campaign, and whether it did not release every shop.
pub(crate) fn state_words(campaign: &Campaign) -> String {
    match campaign.unreleased {
        0 => campaign.state.to_string(),
        shops => format!("{}, {} not released", campaign.state, grouped(shops.into())),
    }
}

/// Returns a campaign for machines.
pub(crate) fn campaign_view(campaign: &Campaign) -> Value {
    json!({
        "campaign": campaign.name.revision.0,
        "id": campaign.name.id.to_string(),
        "status": campaign.state.as_str(),
        "open": campaign.state.open(),
        "unreleased": campaign.unreleased,
        "kind": campaign.kind.as_str(),
        "limit": campaign.limit.to_string(),
        "shops": campaign.shops,
        "reason": campaign.reason,
        "created_at": instant(campaign.created_at),
        "deadline": instant(campaign.deadline.instant()),
        "timeout": duration::show(campaign.timeout),
        "until": campaign.until.map(instant),
        "attempt": campaign.attempt.0,
        "replaces": campaign.replaces.map(|replaced| replaced.campaign.revision.0),
        "replaced_by": campaign.replaced_by.map(|Revision(by)| by),
    })
}

/// Formats an instant in UTC, for people and machines.
pub(crate) fn instant(timestamp: Timestamp) -> String {
    DateTime::from_timestamp_millis(timestamp.millis())
        .map(|instant| instant.to_rfc3339_opts(SecondsFormat::Secs, true))
        .unwrap_or_default()
}

/// Quotes the reason of a campaign, to follow its number.
pub(crate) fn quoted(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(" ({reason})") }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use catchment_domain::ports::Tallies;
    use catchment_domain::{Attempt, CampaignId, CampaignRef, Deadline, Nonce, Slot};
    use uuid::Uuid;

    use super::*;
    use crate::left_out::LeftOut;

    fn standing(state: CampaignState, slots: &[Slot]) -> Standing {
        let mut tallies = Tallies::default();
        tallies.activation.add(slots);
        let campaign = Campaign {
            name: CampaignRef { revision: Revision(2), id: CampaignId(Uuid::nil()) },
            nonce: Nonce::from_random(1),
            kind: "manual".parse().unwrap(),
            limit: "2km".parse().unwrap(),
            reason: String::new(),
            shops: 2,
            created_at: Timestamp::from_millis(0),
            timeout: Duration::from_mins(5),
            until: None,
            replaces: None,
            replaced_by: None,
            reply_lane: None,
            attempt: Attempt(1),
            deadline: Deadline::at(Timestamp::from_millis(1)),
            state,
            unreleased: 0,
        };
        Standing { campaign, tallies, left_out: LeftOut::default() }
    }

    #[test]
    fn an_end_after_settling_is_no_failure() {
        let applied = Slot::Closed(Status::Applied);
        for state in
            [CampaignState::Settled, CampaignState::Ending { open: 2 }, CampaignState::Ended]
        {
            assert_eq!(judge(&standing(state, &[applied; 2]), false, Goal::Settled), Ending::Done);
        }
        for early in [Slot::Open, Slot::Closed(Status::Superseded)] {
            let left = left_before_settled(&standing(CampaignState::Ended, &[applied, early]));
            assert_eq!(left.as_deref(), Some("was ended"));
        }
    }
}
