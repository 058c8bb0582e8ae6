//! Checks before a campaign is stored: the dry run, and the question whether the user means so many
//! shops.

use std::collections::BTreeSet;
use std::io::{self, IsTerminal, Write};

use anyhow::Context as _;
use catchment_domain::ports::{OutcomeFilter, ShopOutcome};
use catchment_domain::service::{OutcomePages, ShopPages};
use catchment_domain::{CampaignError, Phase, Revision, Scope, ShopId, Slot, Status};
use serde_json::json;

use crate::commands::Context;
use crate::ending::Ending;
use crate::forecast::{Forecast, Plan};
use crate::number::{counted, grouped};
use crate::output::{facts, table};

/// How many regions a dry run names.
const REGIONS: usize = 10;

/// Prints how many shops a campaign would reach and what it would change, and changes nothing.
pub(super) async fn dry_run(
    plan: &Plan,
    scope: &Scope,
    context: &Context,
) -> anyhow::Result<Ending> {
    let mut forecast = Forecast::of(plan)?;
    let mut released = match plan.replaces {
        Some(replaced) => asked_by(replaced.campaign.revision, context).await?,
        None => BTreeSet::new(),
    };
    for group in context.stores.shops.groups(scope).await? {
        forecast.add(&group, &context.settings.policy);
    }
    // Those that the new campaign reaches are not released.
    let reached = match &scope.ids {
        Some(ids) => released.intersection(ids).cloned().collect(),
        None => released.clone(),
    };
    let reached = Scope { ids: Some(reached), ..scope.clone() };
    let mut pages = ShopPages::new(&*context.stores.shops, reached, usize::MAX);
    while let Some(page) = pages.next().await? {
        for shop in &page {
            released.remove(&shop.id);
        }
    }
    // A list of ids may have ids without a shop. Their requests will be rejected.
    let named = scope.named_only().map_or(0, BTreeSet::len) as u64;
    let unknown = named.saturating_sub(forecast.shops);
    if forecast.shops + unknown == 0 {
        return Err(CampaignError::EmptyScope.into());
    }
    if context.output.json {
        print_json(&forecast, unknown, released.len(), context)?;
    } else {
        print_table(&forecast, unknown, context)?;
        if let Some(replaced) = plan.replaces
            && !released.is_empty()
        {
            let shops = counted(released.len() as u64, "shop");
            let are = if released.len() == 1 { "is" } else { "are" };
            let old = replaced.campaign.revision;
            context.output.line(format_args!("and {shops} of campaign {old} {are} released"))?;
        }
        context.output.line("Nothing was changed.")?;
    }
    Ok(Ending::Done)
}

/// Returns the shops that a campaign may have narrowed.
async fn asked_by(revision: Revision, context: &Context) -> anyhow::Result<BTreeSet<ShopId>> {
    let filter = OutcomeFilter { phase: Phase::Activation, status: None };
    let mut shops = BTreeSet::new();
    let mut pages = OutcomePages::new(&*context.stores.campaigns, revision, filter);
    while let Some(page) = pages.next().await? {
        let narrowed = |outcome: &ShopOutcome| match outcome.slot {
            // A request that was given up may have taken effect.
            Slot::Open | Slot::Closed(Status::Applied | Status::Unchanged | Status::Failed) => true,
            Slot::Idle | Slot::Closed(Status::Superseded | Status::Rejected | Status::Expired) => {
                false
            }
        };
        shops.extend(page.into_iter().filter(narrowed).map(|outcome| outcome.shop));
    }
    Ok(shops)
}

fn print_json(
    forecast: &Forecast,
    unknown: u64,
    released: usize,
    context: &Context,
) -> io::Result<()> {
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
        "released": released,
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
    context.output.line(format_args!("\n{}", regions.trim_fmt()))?;
    match forecast.regions.len().saturating_sub(REGIONS) as u64 {
        0 => Ok(()),
        others => context.output.line(format_args!("and {}", counted(others, "other region"))),
    }
}

/// Asks the user at a terminal whether a campaign over more than a tenth of all shops is meant.
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
