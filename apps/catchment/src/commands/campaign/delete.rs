//! `catchment campaign delete`: deletes campaigns that ended, with their outcomes.

use std::time::Duration;

use anyhow::Context as _;
use catchment_api::CampaignDeletion;
use catchment_application::delete_campaigns;
use catchment_bootstrap::duration;
use catchment_domain::Revision;
use catchment_domain::service::{Deletion, Unwanted};
use clap::Args;

use crate::commands::Context;
use crate::ending::{Ending, complain};
use crate::left_out::LeftOut;
use crate::number::counted;

const AFTER_HELP: &str = "\
A campaign can be deleted if it has ended, its last deadline passed an hour ago, and no shop has its
limit any more. What it did is gone from `campaign list`, `campaign outcomes` and `audit` then. Late
copies of its requests are rejected.

Setting `database.campaigns_kept` deletes old campaigns by itself.

Examples:
  catchment campaign delete 17
  catchment campaign delete --older-than 30d --dry-run";

/// What `campaign delete` takes.
#[derive(Clone, Copy, Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Arguments {
    /// The campaign's number.
    #[arg(value_name = "N", required_unless_present = "older_than")]
    revision: Option<Revision>,
    /// All that ended at least so long ago, such as 30d.
    #[arg(
        long,
        value_name = "DURATION",
        value_parser = duration::parse,
        conflicts_with = "revision"
    )]
    older_than: Option<Duration>,
    /// Says what would be deleted, and changes nothing.
    #[arg(long)]
    dry_run: bool,
}

pub(super) async fn run(arguments: Arguments, context: &Context) -> anyhow::Result<Ending> {
    let Arguments { revision, older_than, dry_run } = arguments;
    let unwanted = match (revision, older_than) {
        (Some(revision), _) => Unwanted::Campaign(revision),
        (None, ago) => Unwanted::EndedFor(ago.unwrap_or(Duration::MAX)),
    };
    let deletion = delete_campaigns(&*context.stores.deletions, unwanted, dry_run).await;
    let deletion = deletion.context("could not delete campaigns")?;
    tell(&deletion, dry_run, context)?;
    let Deletion { kept, damaged, unreadable_shops, .. } = deletion;
    for (_, why) in &kept {
        complain(&why.to_string());
    }
    if !unreadable_shops.is_empty() {
        complain("nothing is deleted while the limits of a shop cannot be read");
    }
    let ending = LeftOut::from(damaged.into_iter().chain(unreadable_shops)).conclude();
    Ok(if kept.is_empty() { ending } else { Ending::Incomplete })
}

fn tell(deletion: &Deletion, dry_run: bool, context: &Context) -> std::io::Result<()> {
    if context.output.json {
        return context.output.value(&CampaignDeletion::new(deletion, dry_run));
    }
    let done = if dry_run { "would be deleted" } else { "deleted" };
    for revision in &deletion.deleted {
        context.output.line(format_args!("campaign {revision} {done}"))?;
    }
    context
        .output
        .line(format_args!("{} {done}", counted(deletion.deleted.len() as u64, "campaign")))
}
