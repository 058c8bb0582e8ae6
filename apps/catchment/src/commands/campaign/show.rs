//! `catchment campaign show`: shows one campaign.

use anyhow::Context as _;
use catchment_bootstrap::duration;
use catchment_domain::{Campaign, Revision};
use serde_json::{Value, json};

use crate::commands::Context;
use crate::ending::Ending;
use crate::number::grouped;
use crate::output::facts;
use crate::report::{campaign_view, counts, instant, outcome_table, state_words};
use crate::watch::Standing;

pub(super) async fn run(revision: Revision, context: &Context) -> anyhow::Result<Ending> {
    let standing = Standing::read(&*context.stores.campaigns, revision).await;
    let standing = standing.context("could not show the campaign")?;
    if context.output.json {
        let mut value = campaign_view(&standing.campaign);
        if let Value::Object(fields) = &mut value {
            let Standing { tallies, .. } = &standing;
            fields.insert("outcomes".to_owned(), json!(counts(&tallies.activation)));
            fields.insert("releases".to_owned(), json!(counts(&tallies.release)));
        }
        context.output.value(&value)?;
        return Ok(standing.left_out.conclude());
    }
    context.output.line(describe(&standing.campaign))?;
    context.output.line(format_args!("\n{}", outcome_table(&standing)))?;
    Ok(standing.left_out.conclude())
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
