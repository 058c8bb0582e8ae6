//! `catchment repair`: mends what is damaged, and names what cannot be mended.

use std::collections::BTreeSet;

use anyhow::Context as _;
use catchment_domain::service::{Finding, repair};
use catchment_domain::{Mended, RepairTerms, Revision};
use clap::Args;
use serde_json::json;

use crate::commands::Context;
use crate::ending::Ending;
use crate::number::{counted, grouped};

const AFTER_HELP: &str = "\
It looks at everything, and may run beside a running system.
  outcomes of a chunk   the shops whose outcomes are lost are asked again, and answer what they did
  counts of a campaign  made anew from its chunks
  state of a shop       rebuilt from the campaigns that are in force there; limits by requests
                        without a campaign are lost
  anything else         is named, with what to do
A requester goes on with a campaign by itself once it can be read.
Run it before an import: one that brings lost shops back knows nothing of campaigns, and their
limits are not found missing afterwards.";

/// What `repair` takes.
#[derive(Clone, Copy, Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Arguments {
    /// Says what would be done, and changes nothing.
    #[arg(long)]
    dry_run: bool,
}

/// Repairs the database. Prints what was mended, and what to do about the rest.
///
/// # Errors
///
/// When the database cannot be read or written.
pub(super) async fn run(arguments: Arguments, context: &Context) -> anyhow::Result<Ending> {
    let Context { settings, stores, output } = context;
    let dry_run = arguments.dry_run;
    let (policy, default_base) = (settings.policy.clone(), settings.default_base);
    let terms = RepairTerms { policy, default_base, dry_run };
    let findings = repair(&*stores.repairs, &terms).await;
    let findings = findings.context("could not repair")?;
    let left = findings.iter().filter(|finding| finding.result.is_err()).count() as u64;
    let mended = findings.len() as u64 - left;
    for finding in &findings {
        if output.json {
            let (repair, advice) = match &finding.result {
                Ok(how) => (Some(say(how)), None),
                Err(why) => (None, Some(why.to_string())),
            };
            output.value(&json!({
                "item": finding.damage.item.to_string(),
                "damage": finding.damage.what,
                "repair": repair,
                "not_mended": advice,
            }))?;
        } else {
            output.line(line(finding, dry_run))?;
        }
    }
    if output.json {
        let done = if dry_run { "could_be_mended" } else { "mended" };
        output.value(&json!({ "dry_run": dry_run, done: mended, "not_mended": left }))?;
    } else if findings.is_empty() {
        output.line("nothing is damaged")?;
    } else {
        let items = counted(mended, "item");
        let done = if dry_run { "could be mended" } else { "mended" };
        output.line(format_args!("{items} {done}, {} not mended", grouped(left)))?;
        // No requester runs on a file, so the user must make the campaigns go on.
        if stores.is_embedded() && !dry_run {
            for revision in asked_again(&findings) {
                let goes_on = format!("`catchment campaign watch {revision}` goes on with it");
                output.line(format_args!("campaign {revision} is open: {goes_on}"))?;
            }
        }
    }
    let is_whole = left == 0 && (mended == 0 || !dry_run);
    Ok(if is_whole { Ending::Done } else { Ending::Incomplete })
}

/// Returns the campaigns that have something to send after they were mended.
fn asked_again(findings: &[Finding]) -> BTreeSet<Revision> {
    let is_open = |finding: &&Finding| {
        matches!(
            finding.result,
            Ok(Mended::Outcomes { open } | Mended::Counts { open, .. }) if 0 < open
        )
    };
    let open = findings.iter().filter(is_open);
    open.filter_map(|finding| finding.damage.item.campaign()).collect()
}

fn line(finding: &Finding, dry_run: bool) -> String {
    let Finding { damage, result } = finding;
    match result {
        Ok(how) if dry_run => format!("could be mended: {damage}: {}", say(how)),
        Ok(how) => format!("mended: {damage}: {}", say(how)),
        Err(why) => format!("not mended: {damage}: {why}"),
    }
}

fn say(mended: &Mended) -> String {
    match mended {
        Mended::Outcomes { open } => {
            format!("{} asked for again", counted((*open).into(), "outcome"))
        }
        Mended::Counts { open, unreleased } => {
            let open = counted((*open).into(), "open outcome");
            let unreleased = counted((*unreleased).into(), "release");
            format!("counted anew: {open}, {unreleased} not done")
        }
        Mended::State { causes, standing, is_base_lost } => {
            let causes = counted(*causes as u64, "cause");
            let base = if *is_base_lost {
                "; its base radius is the default one: import the shop to set it"
            } else {
                ""
            };
            format!("radius is now {}, {causes} in force{base}", standing.after)
        }
    }
}
