//! What a campaign would do, before it is stored: the dry run, and the question whether so
//! many shops are meant.

use std::io::{self, IsTerminal, Write};

use anyhow::Context as _;
use catchment_domain::{CampaignError, Revision, Scope};
use serde_json::json;

use crate::commands::Context;
use crate::commands::shops::Pages;
use crate::ending::Ending;
use crate::forecast::{Forecast, Plan};
use crate::number::{counted, grouped};
use crate::output::{facts, table};

/// How many regions a dry run names.
const REGIONS: usize = 10;

/// Says how many shops a campaign would reach and what it would change, and changes nothing.
pub(super) async fn dry_run(
    plan: &Plan,
    scope: &Scope,
    context: &Context,
) -> anyhow::Result<Ending> {
    let mut forecast = Forecast::default();
    let mut pages = Pages::new(context, scope.clone(), usize::MAX);
    while let Some(page) = pages.next().await? {
        for shop in &page {
            forecast.add(shop, plan, &context.settings.policy);
        }
    }
    // A list of ids holds those of no shop too; their requests will be rejected.
    let named = scope.named_only().map_or(0, std::collections::BTreeSet::len) as u64;
    let unknown = named.saturating_sub(forecast.shops);
    if forecast.shops + unknown == 0 {
        return Err(CampaignError::EmptyScope.into());
    }
    if context.output.json {
        print_json(&forecast, unknown, context)?;
    } else {
        print_table(&forecast, unknown, context)?;
    }
    Ok(Ending::Done)
}

fn print_json(forecast: &Forecast, unknown: u64, context: &Context) -> io::Result<()> {
    let regions: Vec<_> = forecast
        .top_regions(REGIONS)
        .into_iter()
        .map(|(region, shops, changed)| json!({ "region": region, "shops": shops, "changed": changed }))
        .collect();
    context.output.value(&json!({
        "dry_run": true,
        "shops": forecast.shops + unknown,
        "changed": forecast.changed,
        "unchanged": forecast.unchanged(),
        "rejected": forecast.rejected + unknown,
        "narrowest": forecast.range.map(|(narrowest, _)| narrowest.metres()),
        "widest": forecast.range.map(|(_, widest)| widest.metres()),
        "regions": regions,
    }))
}

fn print_table(forecast: &Forecast, unknown: u64, context: &Context) -> io::Result<()> {
    let mut rows = vec![
        ("shops", grouped(forecast.shops + unknown)),
        ("changed", grouped(forecast.changed)),
        ("unchanged", grouped(forecast.unchanged())),
    ];
    if 0 < forecast.rejected + unknown {
        rows.push(("rejected", grouped(forecast.rejected + unknown)));
    }
    if let Some((narrowest, widest)) = forecast.range {
        rows.extend([("narrowest", narrowest.to_string()), ("widest", widest.to_string())]);
    }
    context.output.line(facts(&rows))?;
    let mut regions = table(&["region", ">shops", ">changed"]);
    for (region, shops, changed) in forecast.top_regions(REGIONS) {
        regions.add_row([region.to_owned(), grouped(shops), grouped(changed)]);
    }
    context.output.line(format_args!("\n{}\nNothing was changed.", regions.trim_fmt()))
}

/// Asks a person at a terminal whether a campaign over more than a tenth of all shops is meant.
pub(super) async fn is_meant(
    plan: &Plan,
    replaces: Option<Revision>,
    scope: &Scope,
    context: &Context,
) -> anyhow::Result<bool> {
    if !io::stdin().is_terminal() {
        return Ok(true);
    }
    let shops = context.stores.shops.count(scope).await?;
    let all = context.stores.shops.count(&Scope::everything()).await?;
    if shops.saturating_mul(10) <= all {
        return Ok(true);
    }
    let instead = replaces.map(|old| format!(" instead of campaign {old}")).unwrap_or_default();
    let (kind, limit) = (plan.kind, plan.limit);
    let (shops, all) = (counted(shops, "shop"), grouped(all));
    write!(io::stderr(), "{kind} {limit}{instead} for {shops} of {all}: go on? [y/N] ")?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).context("could not read the answer")?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
