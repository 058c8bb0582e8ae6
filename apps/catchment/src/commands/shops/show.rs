//! `catchment shops show`: shows one shop, its radius and the reason for it.

use anyhow::Context as _;
use catchment_api::ShopWithCauses;
use catchment_application::{Bound, CauseDetails, ShopDetails, shop_details};
use catchment_domain::{Campaign, Origin, ShopId};
use clap::Args;

use crate::commands::Context;
use crate::ending::Ending;
use crate::output::{facts, table};
use crate::report::{instant, quoted};

/// What `shops show` takes.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The shop's id.
    #[arg(value_name = "ID")]
    id: ShopId,
}

pub(super) async fn run(arguments: &Arguments, context: &Context) -> anyhow::Result<Ending> {
    let (stores, id) = (&context.stores, &arguments.id);
    let ports = (&*stores.shops, &*stores.campaigns);
    let details = shop_details(ports, id, context.settings.policy.floor).await;
    let details = details.with_context(|| format!("could not show shop `{id}`"))?;
    if context.output.json {
        context.output.value(&ShopWithCauses::from(&details))?;
        return Ok(Ending::Done);
    }
    context.output.line(describe(&details))?;
    if !details.causes.is_empty() {
        context.output.line(format_args!("\n{}", cause_table(&details)))?;
    }
    Ok(Ending::Done)
}

fn describe(details: &ShopDetails) -> String {
    let shop = &details.listed.shop;
    let (state, place) = (&shop.state, shop.profile.location);
    facts(&[
        ("shop", format!("{}  {}", shop.id, shop.profile.name)),
        ("category", shop.profile.category.clone()),
        ("region", shop.profile.region.clone()),
        ("place", format!("{}, {}", place.latitude(), place.longitude())),
        ("base", format!("{} (revision {})", state.base.radius, state.base.revision)),
        ("radius", state.radius.to_string()),
        ("why", why(details)),
        ("version", state.version.to_string()),
    ])
}

fn why(details: &ShopDetails) -> String {
    let Some(CauseDetails { cause, campaign, .. }) = details.deciding() else {
        return "nothing limits it: its base radius".to_owned();
    };
    let (kind, limit) = (cause.kind, cause.limit);
    let bound = match details.bound {
        None => "",
        Some(Bound::Base) => " (no wider than the base)",
        Some(Bound::Floor) => " (not below the floor)",
    };
    match cause.origin {
        Origin::Request => format!("{kind} {limit}{bound}, by a request without a campaign"),
        Origin::Campaign(revision) => {
            let reason = campaign.as_ref().map(|campaign| quoted(&campaign.reason));
            let reason = reason.unwrap_or_default();
            format!("{kind} {limit}{bound}, campaign {revision}{reason}")
        }
    }
}

fn cause_table(details: &ShopDetails) -> String {
    let mut rows = table(&[
        "decides",
        "kind",
        ">rank",
        ">limit",
        ">asks for",
        ">campaign",
        "status",
        "since",
        "reason",
    ]);
    for CauseDetails { cause, asks_for, decides, campaign } in &details.causes {
        let field = |show: fn(&Campaign) -> String| campaign.as_ref().map(show).unwrap_or_default();
        rows.add_row([
            if *decides { "yes".to_owned() } else { String::new() },
            cause.kind.to_string(),
            cause.rank.0.to_string(),
            cause.limit.to_string(),
            asks_for.to_string(),
            field(|campaign| campaign.name.revision.to_string()),
            field(|campaign| campaign.state.to_string()),
            field(|campaign| instant(campaign.created_at)),
            field(|campaign| campaign.reason.clone()),
        ]);
    }
    rows.trim_fmt()
}
