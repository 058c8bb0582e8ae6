//! `catchment campaign start`: starts a new campaign.

use std::time::Duration;

use anyhow::{Context as _, bail};
use catchment_api::StartedCampaign;
use catchment_application::{
    CampaignOrder, Goal, InvalidField, Reason, Until, UseCaseError, plan_campaign, start_campaign,
};
use catchment_bootstrap::duration;
use catchment_bootstrap::random;
use catchment_domain::{Campaign, Limit, Revision, Timestamp};
use chrono::DateTime;
use clap::Args;

use super::preview;
use crate::cli::parse_limit;
use crate::commands::Context;
use crate::ending::Ending;
use crate::number::counted;
use crate::report::finish;
use crate::run::{Begun, drive};
use crate::scope::ScopeArguments;

const AFTER_HELP: &str = "\
Examples:
  catchment campaign start --kind rider_shortage --limit 3km --all
  catchment campaign start --kind bad_weather --region Hackney --region Camden --until 2h
  catchment campaign start --kind manual --limit closed --ids shops.txt --reason 'gas leak'
  catchment campaign start --kind order_surge --within 37.5665,126.978,3km --dry-run

Exit code 0: every shop is as it was asked for. 1: some were rejected or expired, or the
campaign was ended before it settled; what to do next is said on stderr.";

/// What `campaign start` takes.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Arguments {
    /// Why; `catchment triggers` lists the kinds.
    #[arg(long, value_name = "K")]
    kind: String,
    /// How far the shops deliver at most: 3km, 1500m, 50% of the base radius, or closed;
    /// without it the kind's own limit.
    #[arg(long, value_name = "LIMIT", value_parser = parse_limit)]
    limit: Option<Limit>,
    #[command(flatten)]
    scope: ScopeArguments,
    /// How long its requests may begin to apply, such as 5m.
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    timeout: Option<Duration>,
    /// When it ends by itself: after a while (2h), or at an instant
    /// (2026-11-22T18:00:00+09:00); where no campaign is run or watched then, with the next
    /// one that is.
    #[arg(long, value_name = "WHEN", value_parser = parse_until)]
    until: Option<Until>,
    /// The campaign whose place it takes.
    #[arg(long, value_name = "N")]
    replace: Option<Revision>,
    /// What happened, for people.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true, value_parser = parse_reason)]
    reason: Reason,
    /// Says how many shops and what would change, and changes nothing.
    #[arg(long)]
    dry_run: bool,
    /// Does not ask, however many shops.
    #[arg(long, short)]
    yes: bool,
}

fn parse_until(text: &str) -> Result<Until, String> {
    if let Ok(duration) = duration::parse(text) {
        return Ok(Until::After(duration));
    }
    let instant = DateTime::parse_from_rfc3339(text).map_err(
        |_| "expected a duration such as `2h`, or an instant such as `2026-11-22T18:00:00+09:00`",
    )?;
    Ok(Until::At(Timestamp::from_millis(instant.timestamp_millis())))
}

fn parse_reason(text: &str) -> Result<Reason, String> {
    text.parse().map_err(|error: InvalidField| error.to_string())
}

pub(super) async fn run(arguments: &Arguments, context: &Context) -> anyhow::Result<Ending> {
    match start(arguments, context).await.context("could not start the campaign")? {
        Start::Looked(ending) => Ok(ending),
        Start::Stored(campaign, begun) => follow(&campaign, begun, context).await,
    }
}

/// The result of a start.
enum Start {
    /// Nothing was changed: this was a dry run.
    Looked(Ending),
    /// The campaign was stored.
    Stored(Box<Campaign>, Begun),
}

async fn start(arguments: &Arguments, context: &Context) -> anyhow::Result<Start> {
    let Context { settings, stores, .. } = context;
    let order = CampaignOrder {
        kind: arguments.kind.clone(),
        limit: arguments.limit,
        scope: arguments.scope.resolve(stores).await?,
        reason: arguments.reason.clone(),
        timeout: arguments.timeout.unwrap_or(settings.timeout),
        until: arguments.until,
        replaces: arguments.replace,
    };
    let plan = plan_campaign(&*stores.campaigns, &*stores.clock, &settings.policy, order).await;
    let plan = plan.map_err(in_options)?;
    if arguments.dry_run {
        return preview::dry_run(&plan, context).await.map(Start::Looked);
    }
    if !arguments.yes && !preview::is_meant(&plan, context).await? {
        bail!("the answer was no");
    }
    let begun = Begun::now()?;
    let unique = (random::campaign_id(), random::nonce());
    let campaign = start_campaign(&*stores.campaigns, plan, unique).await?;
    Ok(Start::Stored(Box::new(campaign), begun))
}

/// Names the option instead of the field that has to be corrected.
fn in_options(error: UseCaseError) -> UseCaseError {
    match error {
        UseCaseError::Invalid(InvalidField { field, problem, nearest }) => {
            let problem = problem.replace(&format!("`{field}`"), &format!("--{field}"));
            InvalidField { field, problem, nearest }.into()
        }
        error => error,
    }
}

/// Waits until a stored campaign is settled.
async fn follow(campaign: &Campaign, begun: Begun, context: &Context) -> anyhow::Result<Ending> {
    let revision = campaign.name.revision;
    // A stored campaign must be run, even if this line cannot be written.
    if let Err(error) = announce(campaign, context) {
        tracing::debug!(%error, "could not announce campaign {revision}");
    }
    let finished = drive(context, revision, Goal::Settled, begun).await.with_context(|| {
        format!("campaign {revision} is stored, `catchment campaign watch {revision}` goes on")
    })?;
    finish(context, &finished, Goal::Settled).await
}

fn announce(campaign: &Campaign, context: &Context) -> std::io::Result<()> {
    if context.output.json {
        return context.output.value(&StartedCampaign::from(campaign));
    }
    let Campaign { name, kind, limit, shops, .. } = campaign;
    let revision = name.revision;
    let shops = counted((*shops).into(), "shop");
    context.output.line(format_args!("campaign {revision}: {kind} {limit} for {shops}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_a_while_or_an_instant() {
        assert_eq!(parse_until("2h"), Ok(Until::After(Duration::from_hours(2))));
        let instant = Timestamp::from_millis(1_795_338_000_000);
        assert_eq!(parse_until("2026-11-22T18:00:00+09:00"), Ok(Until::At(instant)));
        for text in ["tomorrow", "2026-11-22", "2026-11-22T18:00:00", "3 parsecs", ""] {
            assert!(parse_until(text).unwrap_err().starts_with("expected a duration"), "{text}");
        }
    }
}
