//! `catchment campaign list`: lists all campaigns.

use anyhow::Context as _;
use catchment_api::Campaign;
use catchment_application::list_campaigns;

use crate::commands::Context;
use crate::ending::Ending;
use crate::left_out::LeftOut;
use crate::number::grouped;
use crate::output::table;
use crate::report::{instant, state_words};

/// How many campaigns are read at a time.
const PAGE: usize = 1_000;

pub(super) async fn run(context: &Context) -> anyhow::Result<Ending> {
    let mut rows =
        table(&[">campaign", "status", "kind", ">limit", ">shops", ">open", "created", "reason"]);
    let mut left_out = LeftOut::default();
    let mut behind = None;
    loop {
        let page = list_campaigns(&*context.stores.campaigns, behind, PAGE).await;
        let page = page.context("could not list campaigns")?;
        left_out.add(page.damaged);
        for campaign in page.items {
            if context.output.json {
                context.output.value(&Campaign::from(&campaign))?;
                continue;
            }
            rows.add_row([
                campaign.name.revision.to_string(),
                state_words(&campaign),
                campaign.kind.to_string(),
                campaign.limit.to_string(),
                grouped(campaign.shops.into()),
                grouped(campaign.state.open().into()),
                instant(campaign.created_at),
                campaign.reason,
            ]);
        }
        behind = page.next;
        if behind.is_none() {
            break;
        }
    }
    if !context.output.json {
        context.output.line(rows.trim_fmt())?;
    }
    Ok(left_out.conclude())
}
