//! `catchment shops release`: ends a limit at a shop, whatever its campaign says.

use anyhow::{Context as _, anyhow};
use catchment_domain::service::{CommandedRelease, release_by_command};
use catchment_domain::{
    CauseName, Prospect, Radius, ReleaseTerms, Revision, ShopId, Standing, TriggerKind,
};
use clap::Args;
use serde_json::json;

use crate::commands::Context;
use crate::commands::call::decided_by;
use crate::commands::triggers::known;
use crate::ending::Ending;

const AFTER_HELP: &str = "\
It ends what a campaign, or a request without a campaign, wants at one shop: also of a campaign
that the database does not have, that has ended, or that does not list the shop. `catchment audit`
finds such limits. It may run beside a running system, and leaves a receipt.
The campaign itself does not change: its outcomes stay, and its end finds that shop released.

How long it holds:
  a campaign       Requests that it has sent do not bring its limit back. A retry has a new
                   deadline: an hour after the old one, it may bring the limit back at a shop that
                   the campaign did not reach.
  no such campaign Its requests are rejected as long as the database does not have it.
  a kind           The next request of this kind brings the limit back, and so does a late copy of
                   an old one that has no deadline.

Exit code 0: the limit is not in force any more, or was not. 1: there is no such shop, campaign
or kind, one of them cannot be read, or the campaign has asked the shop for the limit, or will, and
there is no outcome yet.";

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
    let Context { settings, stores, .. } = context;
    let (id, cause) = (&arguments.id, arguments.cause.name()?);
    let attempt = || format!("could not release {cause} at shop `{id}`");
    let terms = ReleaseTerms { cause, floor: settings.policy.floor };
    let released = release_by_command(&*stores.repairs, &*stores.campaigns, id, terms).await;
    match released.with_context(attempt)? {
        CommandedRelease::Done(standing) => {
            report(arguments, Ok(standing), context)?;
            Ok(Ending::Done)
        }
        CommandedRelease::UnknownShop => {
            Err(anyhow!("there is no such shop")).with_context(attempt)
        }
        CommandedRelease::Nothing(prospect) => {
            if let Some(kind) = arguments.cause.kind {
                // An unknown kind is refused only now: a kind that the settings no longer have may
                // be in force, and was then released.
                known(kind.as_str(), &settings.policy).with_context(attempt)?;
            }
            report(arguments, Err(prospect), context)?;
            let is_over = prospect == Prospect::NotAsked;
            Ok(if is_over { Ending::Done } else { Ending::Incomplete })
        }
    }
}

/// Prints what was released, or why there was nothing to release.
fn report(
    arguments: &Arguments,
    done: Result<Standing, Prospect>,
    context: &Context,
) -> anyhow::Result<()> {
    let (id, cause, output) = (&arguments.id, arguments.cause.name()?, context.output);
    if output.json {
        let (standing, prospect) = (done.ok(), done.err());
        output.value(&json!({
            "shop": id.as_str(),
            "campaign": arguments.cause.campaign.map(|campaign| campaign.0),
            "kind": arguments.cause.kind.as_ref().map(TriggerKind::as_str),
            "released": standing.is_some(),
            "prospect": prospect.map(word),
            "before": standing.and_then(|standing| standing.before).map(Radius::metres),
            "after": standing.map(|standing| standing.after.metres()),
            "decided_by": standing.map(|standing| decided_by(standing.decided_by)),
            "version": standing.map(|standing| standing.version),
        }))?;
        return Ok(());
    }
    let line = match done {
        Ok(Standing { before, after, decided_by: why, .. }) => {
            let (before, why) = (before.unwrap_or(after), decided_by(why));
            format!("released {cause} at shop {id}: radius {before} before, {after} now ({why})")
        }
        Err(Prospect::NotAsked) => {
            format!("nothing to release: {cause} is not in force at shop {id}")
        }
        Err(Prospect::UnknownCampaign) => {
            format!("nothing to release: there is no {cause}, and it is not in force at shop {id}")
        }
        Err(Prospect::Asked) => format!(
            "nothing to release yet: {cause} is not in force at shop {id}, but asks for it there; \
             release it again once the shop has an outcome, or end the campaign"
        ),
        Err(Prospect::Unreadable) => format!(
            "nothing to release: {cause} is not in force at shop {id}; whether it asks for it \
             there cannot be read"
        ),
    };
    output.line(line)?;
    Ok(())
}

/// Returns for machines why there was nothing to release.
const fn word(prospect: Prospect) -> &'static str {
    match prospect {
        Prospect::UnknownCampaign => "unknown_campaign",
        Prospect::Asked => "asked",
        Prospect::NotAsked => "not_asked",
        Prospect::Unreadable => "unreadable",
    }
}
