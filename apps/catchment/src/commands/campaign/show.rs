//! `catchment campaign show`: shows one campaign.

use anyhow::Context as _;
use catchment_api::Progress;
use catchment_application::campaign_progress;
use catchment_bootstrap::duration;
use catchment_domain::{Campaign, Revision};

use crate::commands::Context;
use crate::ending::Ending;
use crate::left_out::LeftOut;
use crate::number::grouped;
use crate::output::facts;
use crate::report::{instant, outcome_table, state_words};

pub(super) async fn run(revision: Revision, context: &Context) -> anyhow::Result<Ending> {
    let progress = campaign_progress(&*context.stores.campaigns, revision).await;
    let progress = progress.context("could not show the campaign")?;
    if context.output.json {
        context.output.value(&Progress::from(&progress))?;
    } else {
        context.output.line(describe(&progress.campaign))?;
        context.output.line(format_args!("\n{}", outcome_table(&progress.tallies)))?;
    }
    Ok(LeftOut::from(progress.damaged).conclude())
}

fn describe(campaign: &Campaign) -> String {
    let mut rows = vec![
        ("campaign", format!("{} ({})", campaign.name.revision, campaign.name.id)),
        ("status", state_words(campaign)),
        ("kind", campaign.kind.to_string()),
        ("limit", campaign.limit.to_string()),
        ("reason", campaign.reason.clone()),
        ("shops", grouped(campaign.shops.into())),
        ("open", grouped(campaign.state.open().into())),
        ("created", instant(campaign.created_at)),
        ("attempt", campaign.attempt.0.to_string()),
        ("timeout", duration::show(campaign.timeout)),
        ("deadline", instant(campaign.deadline.instant())),
    ];
    rows.extend(campaign.until.map(|until| ("until", instant(until))));
    let replaced = campaign.replaces.map(|replaced| replaced.campaign.revision);
    rows.extend(replaced.map(|replaced| ("replaces", format!("campaign {replaced}"))));
    rows.extend(campaign.replaced_by.map(|by| ("replaced", format!("by campaign {by}"))));
    facts(&rows)
}
