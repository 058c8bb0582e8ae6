//! Prints campaigns for people.

use std::time::Duration;

use catchment_api::{CampaignSummary, counts};
use catchment_application::{CampaignProgress, Goal, Verdict};
use catchment_domain::ports::Tallies;
use catchment_domain::{Campaign, Status, Timestamp};
use chrono::{DateTime, SecondsFormat};

use crate::commands::Context;
use crate::ending::{Ending, complain};
use crate::left_out::LeftOut;
use crate::number::{counted, grouped, share};
use crate::output::table;
use crate::run::Wait;

/// The result of the wait for a campaign.
#[derive(Clone, Debug)]
pub(crate) struct Finished {
    /// How far the campaign is.
    pub(crate) progress: CampaignProgress,
    /// The time since the command was given.
    pub(crate) waited: Duration,
    /// Why the wait ended.
    pub(crate) wait: Wait,
}

/// Prints the result of a campaign, and what is left to do.
///
/// # Errors
///
/// When the outcomes cannot be read, or the standard output cannot be written.
pub(crate) async fn finish(
    context: &Context,
    finished: &Finished,
    goal: Goal,
) -> anyhow::Result<Ending> {
    let Finished { progress, waited, wait } = finished;
    let (campaign, output) = (&progress.campaign, context.output);
    let revision = campaign.name.revision;
    let verdict = match wait {
        Wait::Through => Some(progress.verdict(&*context.stores.campaigns, goal).await?),
        Wait::Stopped | Wait::Left => None,
    };
    if output.json {
        output.value(&CampaignSummary::new(progress, *waited))?;
    } else {
        let shops = counted(campaign.shops.into(), "shop");
        let (state, seconds) = (state_words(campaign), waited.as_secs_f64());
        output.line(format_args!("campaign {revision} is {state} ({shops}, {seconds:.1} s)"))?;
        output.line(outcome_table(&progress.tallies))?;
    }
    if let Some(verdict) = verdict {
        let ending = report(&verdict, campaign, goal);
        return Ok(match LeftOut::from(progress.damaged.clone()).conclude() {
            Ending::Done => ending,
            left_out => left_out,
        });
    }
    complain(&if *wait == Wait::Stopped {
        format!(
            "interrupted: what was sent is stored; `catchment campaign watch {revision}` goes on"
        )
    } else {
        format!(
            "interrupted, and the campaign goes on; \
             `catchment campaign watch {revision}` follows it again"
        )
    });
    Ok(Ending::Interrupted)
}

/// Reports the shops that the campaign did not reach, and how to go on.
fn report(verdict: &Verdict, campaign: &Campaign, goal: Goal) -> Ending {
    let revision = campaign.name.revision;
    match verdict {
        Verdict::Reached => return Ending::Done,
        Verdict::EndedBefore => {
            complain(&format!("campaign {revision} was ended before it settled"));
        }
        Verdict::ReplacedBefore(by) => {
            complain(&format!(
                "campaign {revision} was replaced by campaign {by} before it settled"
            ));
        }
        Verdict::Missed { failures, unknown_alone } => {
            complain(&missed(campaign, goal, failures, *unknown_alone));
        }
    }
    Ending::Incomplete
}

fn missed(
    campaign: &Campaign,
    goal: Goal,
    failures: &[(Status, u32)],
    unknown_alone: bool,
) -> String {
    let revision = campaign.name.revision;
    let counts: Vec<String> = failures
        .iter()
        .map(|(status, shops)| format!("{} {status}", grouped((*shops).into())))
        .collect();
    let late = if failures.contains(&(Status::Expired, campaign.shops)) {
        "; a new start with a longer `--timeout` gives them more time"
    } else {
        ""
    };
    let (did_not, phase) = match goal {
        Goal::Settled => ("reach", ""),
        Goal::Ended => ("release", " --phase release"),
    };
    let first = failures.first().map(|(status, _)| status.as_str()).unwrap_or_default();
    let again = if unknown_alone {
        "; there is no shop of these ids".to_owned()
    } else {
        format!(", and `catchment campaign retry {revision}` asks them again{late}")
    };
    format!(
        "campaign {revision} did not {did_not} every shop: {}; \
         `catchment campaign outcomes {revision}{phase} --status {first}` shows them{again}",
        counts.join(", ")
    )
}

/// Formats how many shops have which outcome in each phase.
pub(crate) fn outcome_table(tallies: &Tallies) -> String {
    let (activations, releases) = (counts(&tallies.activation), counts(&tallies.release));
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

/// Formats an instant in UTC.
pub(crate) fn instant(timestamp: Timestamp) -> String {
    DateTime::from_timestamp_millis(timestamp.millis())
        .map(|instant| instant.to_rfc3339_opts(SecondsFormat::Secs, true))
        .unwrap_or_default()
}

/// Quotes the reason of a campaign, to follow its number.
pub(crate) fn quoted(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(" ({reason})") }
}
