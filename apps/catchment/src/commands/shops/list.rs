//! `catchment shops list`: lists shops, their radii and what decides them.

use catchment_domain::service::ShopPages;
use catchment_domain::{DecidedBy, Radius, Shop};
use clap::Args;
use serde_json::{Value, json};

use crate::commands::Context;
use crate::ending::Ending;
use crate::left_out::LeftOut;
use crate::number::counted;
use crate::output::{note, table};
use crate::scope::FilterArguments;

/// What `shops list` takes.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    filter: FilterArguments,
    /// The most shops that are listed.
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,
}

pub(super) async fn run(arguments: &Arguments, context: &Context) -> anyhow::Result<Ending> {
    let scope = arguments.filter.resolve(&context.stores).await?;
    let floor = context.settings.policy.floor;
    let mut rows =
        table(&["id", "name", "category", "region", ">radius", ">base", "decided by", ">campaign"]);
    let mut pages = ShopPages::new(&*context.stores.shops, scope.clone(), arguments.limit);
    let mut listed = 0;
    while let Some(page) = pages.next().await? {
        for shop in &page {
            listed += 1;
            if context.output.json {
                context.output.value(&view(shop, floor))?;
            } else {
                rows.add_row(row(shop, floor));
            }
        }
    }
    if !context.output.json {
        context.output.line(rows.trim_fmt())?;
        let more = context.stores.shops.count(&scope).await?.saturating_sub(listed);
        if 0 < more {
            note(format_args!("and {}: --limit shows more", counted(more, "other shop")));
        }
    }
    Ok(LeftOut::from(pages.damaged).conclude())
}

fn row(shop: &Shop, floor: Radius) -> [String; 8] {
    let (decided_by, campaign) = decided_by(shop, floor);
    [
        shop.id.to_string(),
        shop.profile.name.clone(),
        shop.profile.category.clone(),
        shop.profile.region.clone(),
        shop.state.radius.to_string(),
        shop.state.base.radius.to_string(),
        decided_by,
        campaign.map(|campaign| campaign.to_string()).unwrap_or_default(),
    ]
}

/// Returns the word for what decides a shop's radius, `base` or a trigger kind, and the campaign.
pub(super) fn decided_by(shop: &Shop, floor: Radius) -> (String, Option<u64>) {
    match shop.state.resolution(floor).decided_by {
        DecidedBy::Base => ("base".to_owned(), None),
        DecidedBy::Campaign { revision, kind } => (kind.to_string(), Some(revision.0)),
        DecidedBy::Request { kind } => (kind.to_string(), None),
    }
}

/// Returns a shop for machines.
pub(super) fn view(shop: &Shop, floor: Radius) -> Value {
    let (decided_by, campaign) = decided_by(shop, floor);
    let location = shop.profile.location;
    json!({
        "id": shop.id.as_str(),
        "name": shop.profile.name,
        "category": shop.profile.category,
        "region": shop.profile.region,
        "lat": location.latitude(),
        "lon": location.longitude(),
        "base_radius": shop.state.base.radius.metres(),
        "radius": shop.state.radius.metres(),
        "decided_by": decided_by,
        "campaign": campaign,
        "version": shop.state.version,
    })
}
