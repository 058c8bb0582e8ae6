//! `catchment call`: one request over Kafka, and its reply.

use std::time::Duration;

use anyhow::bail;
use catchment_bootstrap::duration;
use catchment_bootstrap::settings::Settings;
use catchment_domain::{
    Change, Code, DecidedBy, Limit, Radius, Reply, ShopId, Status, TriggerKind,
};
use clap::Args;
use serde_json::json;

use crate::cli::parse_limit;
use crate::commands::triggers::known;
use crate::ending::{Ending, complain};
use crate::output::{Output, facts};
use crate::servers;
use crate::stores::Stores;

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
    let change = change(arguments, settings).await?;
    let reply = servers::call(settings, arguments.shop.clone(), change, arguments.timeout).await?;
    let ending = tell(&reply, arguments.deed.set_base, output)?;
    if let Some(kind) = arguments.kind
        && reply.outcome.status == Status::Unchanged
    {
        // An unknown kind is refused only now: a kind that the settings no longer have may be in
        // force, and was then released.
        known(kind.as_str(), &settings.policy)?;
    }
    Ok(ending)
}

async fn change(arguments: &Arguments, settings: &Settings) -> anyhow::Result<Change> {
    let Arguments { kind, deed, .. } = arguments;
    Ok(match (*kind, deed) {
        (Some(kind), Deed { limit: Some(limit), .. }) => {
            Change::ActivateKind { kind, limit: *limit, deadline: None }
        }
        (Some(kind), _) => Change::ReleaseKind { kind, deadline: None },
        (None, Deed { set_base: Some(radius), .. }) => {
            // Only the database gives out revisions.
            let stores = Stores::open_existing(&settings.database).await?;
            let revision = stores.shops.take_revision().await;
            stores.close().await;
            Change::SetBase { revision: revision?, radius: *radius, deadline: None }
        }
        (None, _) => bail!("say --kind"),
    })
}

/// Prints a reply. `base` is the base radius in the request, and is shown only if the request took
/// effect.
fn tell(reply: &Reply, base: Option<Radius>, output: Output) -> anyhow::Result<Ending> {
    let outcome = &reply.outcome;
    let base = base.filter(|_| outcome.status.took_effect());
    let standing = outcome.standing.as_ref();
    let before = standing.and_then(|standing| standing.before);
    if output.json {
        output.value(&json!({
            "id": reply.id.to_string(),
            "shop": reply.shop.as_ref().map(ShopId::as_str),
            "status": outcome.status.as_str(),
            "base_radius": base.map(Radius::metres),
            "before": before.map(Radius::metres),
            "after": standing.map(|standing| standing.after.metres()),
            "decided_by": standing.map(|standing| decided_by(standing.decided_by)),
            "version": standing.map(|standing| standing.version),
            "code": outcome.code.map(Code::as_str),
            "message": outcome.message(),
        }))?;
    } else {
        let mut rows = vec![("status", outcome.status.to_string())];
        rows.extend(base.map(|radius| ("base", radius.to_string())));
        rows.extend(before.map(|radius| ("before", radius.to_string())));
        if let Some(standing) = standing {
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
