//! `catchment campaign list`: lists all campaigns.

use anyhow::Context as _;
use catchment_domain::service::CampaignPages;

use crate::commands::Context;
use crate::ending::Ending;
use crate::left_out::LeftOut;
use crate::number::grouped;
use crate::output::table;
use crate::report::{campaign_view, instant, state_words};

pub(super) async fn run(context: &Context) -> anyhow::Result<Ending> {
    let campaigns = CampaignPages::new(&*context.stores.campaigns).all().await;
    let campaigns = campaigns.context("could not list campaigns")?;
    let (campaigns, left_out) = (campaigns.found, LeftOut::from(campaigns.damaged));
    if context.output.json {
        campaigns.iter().try_for_each(|campaign| context.output.value(&campaign_view(campaign)))?;
        return Ok(left_out.conclude());
    }
    let mut rows =
        table(&[">campaign", "status", "kind", ">limit", ">shops", ">open", "created", "reason"]);
    for campaign in campaigns {
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
    context.output.line(rows.trim_fmt())?;
    Ok(left_out.conclude())
}
