//! `catchment campaign start`: starts a new campaign.

use std::time::Duration;

use anyhow::{Context as _, bail};
use catchment_bootstrap::{SystemClock, duration};
use catchment_domain::ports::Clock;
use catchment_domain::{
    Campaign, CampaignError, Draft, Limit, Replaced, Revision, Timestamp, TriggerKind,
};
use chrono::DateTime;
use clap::Args;
use serde_json::json;

use super::preview;
use crate::cli::parse_limit;
use crate::commands::Context;
use crate::commands::triggers::known;
use crate::ending::Ending;
use crate::forecast::Plan;
use crate::number::counted;
use crate::random;
use crate::report::finish;
use crate::run::{Begun, drive};
use crate::scope::ScopeArguments;
use crate::watch::Goal;

/// The most bytes of a reason.
const REASON_MAX: usize = 1024;

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
    reason: String,
    /// Says how many shops and what would change, and changes nothing.
    #[arg(long)]
    dry_run: bool,
    /// Does not ask, however many shops.
    #[arg(long, short)]
    yes: bool,
}

/// When a campaign ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Until {
    After(Duration),
    At(Timestamp),
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

fn parse_reason(text: &str) -> Result<String, String> {
    if REASON_MAX < text.len() {
        return Err(format!("a reason is at most {REASON_MAX} bytes"));
    }
    if text.chars().any(char::is_control) {
        return Err("a reason is one line of text".to_owned());
    }
    Ok(text.trim().to_owned())
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
    let (kind, limit) = what(arguments, context)?;
    let until = arguments.until.map(instant_of).transpose()?;
    let scope = arguments.scope.resolve(&context.stores).await?;
    let plan = Plan { kind, limit, replaces: replaced(arguments.replace, context).await? };
    if arguments.dry_run {
        return preview::dry_run(&plan, &scope, context).await.map(Start::Looked);
    }
    if !arguments.yes && !preview::is_meant(&plan, arguments.replace, &scope, context).await? {
        bail!("the answer was no");
    }
    let draft = Draft {
        kind,
        limit,
        scope,
        reason: arguments.reason.clone(),
        timeout: arguments.timeout.unwrap_or(context.settings.timeout),
        until,
        replaces: arguments.replace,
        id: random::campaign_id(),
        nonce: random::nonce(),
    };
    let begun = Begun::now()?;
    Ok(Start::Stored(Box::new(context.stores.campaigns.add(&draft).await?), begun))
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
    finish(context.output, &finished, Goal::Settled)
}

fn announce(campaign: &Campaign, context: &Context) -> std::io::Result<()> {
    let Campaign { name, kind, limit, shops, state, .. } = campaign;
    let revision = name.revision;
    if context.output.json {
        let line = json!({ "campaign": revision.0, "status": state.as_str(), "shops": shops });
        return context.output.value(&line);
    }
    let shops = counted((*shops).into(), "shop");
    context.output.line(format_args!("campaign {revision}: {kind} {limit} for {shops}"))
}

/// Returns the kind with the wanted limit, or with the kind's default limit.
fn what(arguments: &Arguments, context: &Context) -> anyhow::Result<(TriggerKind, Limit)> {
    let (kind, rule) = known(&arguments.kind, &context.settings.policy)?;
    match arguments.limit.or(rule.default_limit) {
        Some(limit) => Ok((kind, limit)),
        None => bail!("`{kind}` has no limit of its own: say --limit"),
    }
}

fn instant_of(until: Until) -> anyhow::Result<Timestamp> {
    let now = SystemClock.now();
    match until {
        Until::After(duration) => Ok(now.saturating_add(duration)),
        Until::At(instant) if instant <= now => bail!("--until lies in the past"),
        Until::At(instant) => Ok(instant),
    }
}

/// Returns the campaign to replace, if it can be replaced.
async fn replaced(
    revision: Option<Revision>,
    context: &Context,
) -> anyhow::Result<Option<Replaced>> {
    let Some(revision) = revision else { return Ok(None) };
    let campaign = context.stores.campaigns.get(revision).await?;
    let campaign = campaign.ok_or(CampaignError::Unknown(revision))?;
    campaign.check_replaceable()?;
    Ok(Some(Replaced { campaign: campaign.name, deadline: campaign.deadline }))
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

    #[test]
    fn a_reason_is_one_line() {
        assert_eq!(parse_reason(" 비가 온다 ").as_deref(), Ok("비가 온다"));
        assert!(parse_reason("a\nb").is_err());
        assert!(parse_reason(&"x".repeat(1_025)).is_err());
    }
}
