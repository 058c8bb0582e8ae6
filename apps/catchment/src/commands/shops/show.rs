//! `catchment shops show`: shows one shop, its radius and the reason for it.

use std::cmp::{Ordering, Reverse};

use anyhow::{Context as _, anyhow};
use catchment_domain::{
    ActiveCause, Campaign, DecidedBy, Origin, Radius, Resolution, Shop, ShopId,
};
use clap::Args;
use serde_json::{Value, json};

use super::list::view;
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

/// A cause with its campaign.
type Known = (ActiveCause, Option<Campaign>);

pub(super) async fn run(arguments: &Arguments, context: &Context) -> anyhow::Result<Ending> {
    let id = &arguments.id;
    let attempt = || format!("could not show shop `{id}`");
    let shop = context.stores.shops.get(id).await.with_context(attempt)?;
    let shop = shop.ok_or_else(|| anyhow!("there is no such shop")).with_context(attempt)?;
    let causes = causes(&shop, context).await.with_context(attempt)?;
    if context.output.json {
        let mut value = view(&shop, context.settings.policy.floor);
        if let Value::Object(fields) = &mut value {
            let causes = causes.iter().map(|known| cause_view(&shop, known)).collect();
            fields.insert("causes".to_owned(), Value::Array(causes));
        }
        context.output.value(&value)?;
        return Ok(Ending::Done);
    }
    context.output.line(describe(&shop, &causes, context))?;
    if !causes.is_empty() {
        context.output.line(format_args!("\n{}", cause_table(&shop, &causes, context)))?;
    }
    Ok(Ending::Done)
}

/// Returns the shop's causes, the deciding ones first.
async fn causes(shop: &Shop, context: &Context) -> anyhow::Result<Vec<Known>> {
    let mut causes = Vec::with_capacity(shop.state.active.len());
    for cause in &shop.state.active {
        let campaign = match cause.origin {
            Origin::Campaign(revision) => context.stores.campaigns.get(revision).await?,
            Origin::Request => None,
        };
        causes.push((*cause, campaign));
    }
    let base = shop.state.base.radius;
    causes.sort_by_key(|(cause, _)| (Reverse(cause.rank), cause.limit.of(base)));
    Ok(causes)
}

fn describe(shop: &Shop, causes: &[Known], context: &Context) -> String {
    let state = &shop.state;
    let place = shop.profile.location;
    let resolution = state.resolution(context.settings.policy.floor);
    facts(&[
        ("shop", format!("{}  {}", shop.id, shop.profile.name)),
        ("category", shop.profile.category.clone()),
        ("region", shop.profile.region.clone()),
        ("place", format!("{}, {}", place.latitude(), place.longitude())),
        ("base", format!("{} (revision {})", state.base.radius, state.base.revision)),
        ("radius", state.radius.to_string()),
        ("why", why(resolution, state.base.radius, causes)),
        ("version", state.version.to_string()),
    ])
}

fn why(resolution: Resolution, base: Radius, causes: &[Known]) -> String {
    let decides = |(cause, _): &&Known| DecidedBy::cause(cause) == resolution.decided_by;
    let Some((cause, campaign)) = causes.iter().find(decides) else {
        return "nothing limits it: its base radius".to_owned();
    };
    let ActiveCause { kind, limit, origin, .. } = cause;
    let bound = bound(resolution.radius, limit.of(base));
    match origin {
        Origin::Request => format!("{kind} {limit}{bound}, by a request without a campaign"),
        Origin::Campaign(revision) => {
            let reason = campaign.as_ref().map(|campaign| quoted(&campaign.reason));
            let reason = reason.unwrap_or_default();
            format!("{kind} {limit}{bound}, campaign {revision}{reason}")
        }
    }
}

/// Returns what kept a radius from the value for which its limit asks.
fn bound(radius: Radius, asked: Radius) -> &'static str {
    match radius.cmp(&asked) {
        Ordering::Less => " (no wider than the base)",
        Ordering::Equal => "",
        Ordering::Greater => " (not below the floor)",
    }
}

fn cause_table(shop: &Shop, causes: &[Known], context: &Context) -> String {
    let decided_by = shop.state.resolution(context.settings.policy.floor).decided_by;
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
    for (cause, campaign) in causes {
        let decides = if DecidedBy::cause(cause) == decided_by { "yes" } else { "" };
        let field = |show: fn(&Campaign) -> String| campaign.as_ref().map(show).unwrap_or_default();
        rows.add_row([
            decides.to_owned(),
            cause.kind.to_string(),
            cause.rank.0.to_string(),
            cause.limit.to_string(),
            cause.limit.of(shop.state.base.radius).to_string(),
            field(|campaign| campaign.name.revision.to_string()),
            field(|campaign| campaign.state.to_string()),
            field(|campaign| instant(campaign.created_at)),
            field(|campaign| campaign.reason.clone()),
        ]);
    }
    rows.trim_fmt()
}

fn cause_view(shop: &Shop, (cause, campaign): &Known) -> Value {
    json!({
        "kind": cause.kind.as_str(),
        "rank": cause.rank.0,
        "limit": cause.limit.to_string(),
        "asks_for": cause.limit.of(shop.state.base.radius).metres(),
        "campaign": match cause.origin {
            Origin::Campaign(revision) => Some(revision.0),
            Origin::Request => None,
        },
        "status": campaign.as_ref().map(|campaign| campaign.state.as_str()),
        "since": campaign.as_ref().map(|campaign| instant(campaign.created_at)),
        "reason": campaign.as_ref().map(|campaign| campaign.reason.as_str()),
    })
}
