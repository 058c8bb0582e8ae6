//! `catchment repair`: mends what is damaged, and names what cannot be mended.

use anyhow::Context as _;
use catchment_api::{RepairFinding, RepairSummary};
use catchment_application::repair;
use catchment_domain::service::Finding;
use catchment_domain::{Mended, RepairTerms};
use clap::Args;

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
    let found = repair(&*stores.repairs, &terms).await.context("could not repair")?;
    for finding in &found.findings {
        if output.json {
            output.value(&RepairFinding::from(finding))?;
        } else {
            output.line(line(finding, dry_run))?;
        }
    }
    if output.json {
        output.value(&RepairSummary::from(&found))?;
    } else if found.findings.is_empty() {
        output.line("nothing is damaged")?;
    } else {
        let (mended, left) = found.counts();
        let items = counted(mended, "item");
        let done = if dry_run { "could be mended" } else { "mended" };
        output.line(format_args!("{items} {done}, {} not mended", grouped(left)))?;
        // No requester runs on a file, so the user must make the campaigns go on.
        if stores.is_embedded() && !dry_run {
            for revision in found.open_campaigns() {
                let goes_on = format!("`catchment campaign watch {revision}` goes on with it");
                output.line(format_args!("campaign {revision} is open: {goes_on}"))?;
            }
        }
    }
    Ok(if found.is_whole() { Ending::Done } else { Ending::Incomplete })
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
