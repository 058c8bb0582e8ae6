//! `catchment shops list`: lists shops, their radii and what decides them.

use catchment_api as api;
use catchment_application::{ListedShop, list_shops};
use catchment_domain::{Damage, DecidedBy, Scope};
use clap::Args;

use crate::commands::Context;
use crate::ending::Ending;
use crate::left_out::LeftOut;
use crate::number::counted;
use crate::output::{note, table};
use crate::scope::FilterArguments;

/// How many shops are read at a time.
const PAGE: usize = 5_000;

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
    let mut rows =
        table(&["id", "name", "category", "region", ">radius", ">base", "decided by", ">campaign"]);
    let mut listed = 0;
    let damaged = visit(context, &scope, arguments.limit, |shop| {
        listed += 1;
        if context.output.json {
            context.output.value(&api::Shop::from(shop))?;
        } else {
            rows.add_row(row(shop));
        }
        Ok(())
    });
    let damaged = damaged.await?;
    if !context.output.json {
        context.output.line(rows.trim_fmt())?;
        let more = context.stores.shops.count(&scope).await?.saturating_sub(listed);
        if 0 < more {
            note(format_args!("and {}: --limit shows more", counted(more, "other shop")));
        }
    }
    Ok(LeftOut::from(damaged).conclude())
}

/// Calls `show` with up to `limit` shops of a scope. Returns what is damaged among them.
pub(super) async fn visit(
    context: &Context,
    scope: &Scope,
    mut limit: usize,
    mut show: impl FnMut(&ListedShop) -> anyhow::Result<()> + Send,
) -> anyhow::Result<Vec<Damage>> {
    let (shops, floor) = (&*context.stores.shops, context.settings.policy.floor);
    let (mut after, mut damaged) = (None, Vec::new());
    while 0 < limit {
        let page = list_shops(shops, scope, (after.as_ref(), limit.min(PAGE)), floor).await?;
        page.items.iter().try_for_each(&mut show)?;
        damaged.extend(page.damaged);
        limit -= page.items.len();
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    Ok(damaged)
}

fn row(listed: &ListedShop) -> [String; 8] {
    let (decided_by, campaign) = decided_by(listed);
    let shop = &listed.shop;
    [
        shop.id.to_string(),
        shop.profile.name.clone(),
        shop.profile.category.clone(),
        shop.profile.region.clone(),
        shop.state.radius.to_string(),
        shop.state.base.radius.to_string(),
        decided_by,
        campaign,
    ]
}

/// Returns the word for what decides a shop's radius, `base` or a trigger kind, and the campaign.
pub(super) fn decided_by(listed: &ListedShop) -> (String, String) {
    match listed.decided_by {
        DecidedBy::Base => ("base".to_owned(), String::new()),
        DecidedBy::Campaign { revision, kind } => (kind.to_string(), revision.to_string()),
        DecidedBy::Request { kind } => (kind.to_string(), String::new()),
    }
}
