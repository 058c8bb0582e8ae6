//! `catchment call`: one request over Kafka, and its reply.

use std::time::Duration;

use anyhow::bail;
use catchment_application::{CallReply, ShopChange};
use catchment_bootstrap::duration;
use catchment_bootstrap::settings::Settings;
use catchment_bootstrap::stores::Stores;
use catchment_domain::{DecidedBy, Limit, Radius, ShopId, TriggerKind};
use clap::Args;

use crate::cli::parse_limit;
use crate::ending::{Ending, complain};
use crate::output::{Output, facts};
use crate::servers;

const AFTER_HELP: &str = "\
Examples:
  catchment call 592 --kind manual --limit 2km
  catchment call 592 --kind manual --release
  catchment call 592 --set-base 6km

Exit code 0: applied or unchanged. 1: superseded, rejected or expired, or no reply in time;
after that the request may still take effect. 1 also where nothing changed and the settings have no
such kind.";

/// What `call` takes.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Arguments {
    /// The shop's id.
    #[arg(value_name = "SHOP")]
    shop: ShopId,
    /// Why: a limit without a campaign, in the place of an older one of its kind.
    #[arg(long, value_name = "K", required_unless_present = "set_base")]
    kind: Option<TriggerKind>,
    #[command(flatten)]
    deed: Deed,
    /// How long to wait for the reply.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration::parse)]
    timeout: Duration,
}

/// What is asked of the shop: one of these.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Deed {
    /// How far the shop delivers at most: 3km, 1500m, 50% of the base radius, or closed.
    #[arg(long, value_name = "LIMIT", value_parser = parse_limit)]
    limit: Option<Limit>,
    /// The limit of this kind without a campaign is over.
    #[arg(long)]
    release: bool,
    /// Another base radius.
    #[arg(long, value_name = "RADIUS", conflicts_with = "kind")]
    set_base: Option<Radius>,
}

/// Sends the request, and prints the reply.
///
/// # Errors
///
/// When there is no reply.
pub(super) async fn run(
    arguments: &Arguments,
    settings: &Settings,
    output: Output,
) -> anyhow::Result<Ending> {
    let Arguments { shop, kind, deed, timeout } = arguments;
    let call = |wanted| servers::call(settings, shop.clone(), wanted, *timeout);
    let reply = match (*kind, deed) {
        (Some(kind), Deed { limit: Some(limit), .. }) => {
            call(ShopChange::Limit { kind, limit: *limit }).await
        }
        (Some(kind), _) => call(ShopChange::Release { kind }).await,
        (None, Deed { set_base: Some(radius), .. }) => {
            // Only the database gives out revisions.
            let stores = Stores::open_existing(&settings.database).await?;
            let (radius, revisions) = (*radius, &*stores.shops);
            let reply = call(ShopChange::SetBase { radius, revisions }).await;
            stores.close().await;
            reply
        }
        (None, _) => bail!("say --kind"),
    }?;
    let ending = tell(&reply, output)?;
    match reply.unknown_kind {
        Some(unknown) => Err(unknown.into()),
        None => Ok(ending),
    }
}

/// Prints a reply.
fn tell(call: &CallReply, output: Output) -> anyhow::Result<Ending> {
    let outcome = &call.reply.outcome;
    if output.json {
        output.value(&catchment_api::CallReply::from(call))?;
    } else {
        let mut rows = vec![("status", outcome.status.to_string())];
        rows.extend(call.base.map(|radius| ("base", radius.to_string())));
        if let Some(standing) = &outcome.standing {
            rows.extend(standing.before.map(|radius| ("before", radius.to_string())));
            rows.push(("after", standing.after.to_string()));
            rows.push(("decided by", decided_by(standing.decided_by)));
            rows.push(("version", standing.version.to_string()));
        }
        output.line(facts(&rows))?;
    }
    if outcome.status.took_effect() {
        return Ok(Ending::Done);
    }
    complain(&format!("{}: {}", outcome.status, outcome.message().unwrap_or("no reason given")));
    Ok(Ending::Incomplete)
}

/// Describes what decides a radius.
pub(super) fn decided_by(decided_by: DecidedBy) -> String {
    match decided_by {
        DecidedBy::Base => "base radius".to_owned(),
        DecidedBy::Campaign { kind, revision } => format!("{kind}, campaign {revision}"),
        DecidedBy::Request { kind } => format!("{kind}"),
    }
}
