//! Checks before a campaign is stored or ended: the dry run, and the question whether the user means
//! so many shops.

use std::io::{self, IsTerminal, Write};

use anyhow::Context as _;
use catchment_api::{Preview, RegionPreview};
use catchment_application::{
    CampaignPlan, EndPreview, PreviewPorts, preview_end, preview_start, reach,
};
use catchment_domain::{Radius, Revision};

use crate::commands::Context;
use crate::ending::Ending;
use crate::left_out::LeftOut;
use crate::number::{counted, grouped};
use crate::output::{facts, table};

/// How many regions a dry run names.
const REGIONS: usize = 10;

fn ports(context: &Context) -> PreviewPorts<'_> {
    PreviewPorts {
        campaigns: &*context.stores.campaigns,
        shops: &*context.stores.shops,
        policy: &context.settings.policy,
    }
}

/// Prints how many shops a campaign would reach and what it would change, and changes nothing.
pub(super) async fn dry_run(plan: &CampaignPlan, context: &Context) -> anyhow::Result<Ending> {
    let preview = preview_start(ports(context), plan).await?;
    let (view, range) = (Preview::from(&preview), preview.forecast.range);
    if context.output.json {
        context.output.value(&view)?;
        return Ok(Ending::Done);
    }
    print(&view, range, context)?;
    if let Some(replaced) = plan.replaces
        && 0 < view.released
    {
        let shops = counted(view.released, "shop");
        let are = if view.released == 1 { "is" } else { "are" };
        let old = replaced.campaign.revision;
        context.output.line(format_args!("and {shops} of campaign {old} {are} released"))?;
    }
    context.output.line("Nothing was changed.")?;
    Ok(Ending::Done)
}

/// Prints at how many shops a campaign is in force and what its end would change, and changes
/// nothing.
pub(super) async fn dry_end(revision: Revision, context: &Context) -> anyhow::Result<Ending> {
    let preview = preview_end(ports(context), revision).await;
    let preview = preview.context("could not end the campaign")?;
    let view = Preview::from(&preview);
    let EndPreview { forecast, damaged } = preview;
    if context.output.json {
        context.output.value(&view)?;
    } else {
        print(&view, forecast.range, context)?;
        context.output.line("Nothing was changed.")?;
    }
    Ok(LeftOut::from(damaged).conclude())
}

fn print(view: &Preview, range: Option<(Radius, Radius)>, context: &Context) -> io::Result<()> {
    let mut rows = vec![
        ("shops", grouped(view.shops)),
        ("changed", grouped(view.changed)),
        ("unchanged", grouped(view.unchanged)),
    ];
    if 0 < view.rejected {
        rows.push(("rejected", grouped(view.rejected)));
    }
    if let Some((narrowest, widest)) = range {
        rows.extend([("narrowest", narrowest.to_string()), ("widest", widest.to_string())]);
    }
    context.output.line(facts(&rows))?;
    let mut regions = table(&["region", ">shops", ">changed"]);
    for RegionPreview { region, shops, changed } in view.regions.iter().take(REGIONS) {
        regions.add_row([region.clone(), grouped(*shops), grouped(*changed)]);
    }
    context.output.line(format_args!("\n{}", regions.trim_fmt()))?;
    match view.regions.len().saturating_sub(REGIONS) as u64 {
        0 => Ok(()),
        others => context.output.line(format_args!("and {}", counted(others, "other region"))),
    }
}

/// Asks the user at a terminal whether a campaign over more than a tenth of all shops is meant.
pub(super) async fn is_meant(plan: &CampaignPlan, context: &Context) -> anyhow::Result<bool> {
    if !io::stdin().is_terminal() {
        return Ok(true);
    }
    let reach = reach(&*context.stores.shops, plan.scope.scope()).await?;
    if !reach.is_broad() {
        return Ok(true);
    }
    let replaced = plan.replaces.map(|replaced| replaced.campaign.revision);
    let instead = replaced.map(|old| format!(" instead of campaign {old}")).unwrap_or_default();
    let (kind, limit) = (plan.kind, plan.limit);
    let (shops, all) = (counted(reach.shops, "shop"), grouped(reach.all));
    write!(io::stderr(), "{kind} {limit}{instead} for {shops} of {all}: go on? [y/N] ")?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).context("could not read the answer")?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
