//! `catchment shops release`: ends a limit at a shop, whatever its campaign says.

use anyhow::{Context as _, anyhow};
use catchment_domain::service::release;
use catchment_domain::{CauseName, Radius, Release, Revision, ShopId, TriggerKind};
use clap::Args;
use serde_json::json;

use crate::commands::Context;
use crate::commands::call::decided_by;
use crate::ending::Ending;

const AFTER_HELP: &str = "\
It ends what a campaign, or a request without a campaign, wants at one shop: also of a campaign
that the database does not have, that has ended, or that does not list the shop. `catchment audit`
finds such limits. It may run beside a running system, and leaves a receipt.
Late requests of the campaign do not bring its limit back. The campaign itself does not change: its
outcomes stay, and its end finds that shop released. A retry of a campaign that goes on asks again
the shops that it did not reach.

Exit code 0: the limit is not in force any more, or was not. 1: there is no such shop, or it cannot
be read.";

/// What `shops release` takes.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Arguments {
    /// The shop's id.
    #[arg(value_name = "ID")]
    id: ShopId,
    #[command(flatten)]
    cause: Cause,
}

/// What is to end: one of these.
#[derive(Clone, Copy, Debug, Args)]
#[group(required = true, multiple = false)]
struct Cause {
    /// The limit of this campaign.
    #[arg(long, value_name = "N")]
    campaign: Option<Revision>,
    /// The limit of this kind that has no campaign.
    #[arg(long, value_name = "K")]
    kind: Option<TriggerKind>,
}

impl Cause {
    fn name(self) -> anyhow::Result<CauseName> {
        let campaign = self.campaign.map(CauseName::Campaign);
        campaign.or(self.kind.map(CauseName::Kind)).context("say --campaign or --kind")
    }
}

pub(super) async fn run(arguments: &Arguments, context: &Context) -> anyhow::Result<Ending> {
    let Context { settings, stores, output } = context;
    let (id, cause) = (&arguments.id, arguments.cause.name()?);
    let attempt = || format!("could not release {cause} at shop `{id}`");
    let floor = settings.policy.floor;
    let done = release(&*stores.repairs, &*stores.campaigns, id, cause, floor).await;
    let standing = match done.with_context(attempt)? {
        Release::Done(standing) => Some(standing),
        Release::NotInForce => None,
        Release::UnknownShop => {
            return Err(anyhow!("there is no such shop")).with_context(attempt);
        }
    };
    if output.json {
        output.value(&json!({
            "shop": id.as_str(),
            "campaign": arguments.cause.campaign.map(|campaign| campaign.0),
            "kind": arguments.cause.kind.as_ref().map(TriggerKind::as_str),
            "released": standing.is_some(),
            "before": standing.and_then(|standing| standing.before).map(Radius::metres),
            "after": standing.map(|standing| standing.after.metres()),
            "decided_by": standing.map(|standing| decided_by(standing.decided_by)),
            "version": standing.map(|standing| standing.version),
        }))?;
    } else if let Some(standing) = standing {
        let before = standing.before.unwrap_or(standing.after);
        let (after, why) = (standing.after, decided_by(standing.decided_by));
        output.line(format_args!(
            "released {cause} at shop {id}: radius {before} before, {after} now ({why})"
        ))?;
    } else {
        output.line(format_args!("nothing to release: {cause} is not in force at shop {id}"))?;
    }
    Ok(Ending::Done)
}
