//! `catchment shops release`: ends a limit at a shop, whatever its campaign says.

use anyhow::Context as _;
use catchment_api::ReleaseResult;
use catchment_application::{ShopRelease, release_shop};
use catchment_domain::{CauseName, Prospect, Revision, ShopId, Standing, TriggerKind};
use clap::Args;

use crate::commands::Context;
use crate::commands::call::decided_by;
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
    let Context { settings, stores, output } = context;
    let (id, cause) = (&arguments.id, arguments.cause.name()?);
    let ports = (&*stores.repairs, &*stores.campaigns);
    let release = release_shop(ports, id, cause, &settings.policy).await;
    let release = release.with_context(|| format!("could not release {cause} at shop `{id}`"))?;
    if output.json {
        output.value(&ReleaseResult::new(id, cause, release))?;
    } else {
        output.line(describe(id, cause, release))?;
    }
    Ok(if release.is_over() { Ending::Done } else { Ending::Incomplete })
}

/// Describes what was released, or why there was nothing to release.
fn describe(id: &ShopId, cause: CauseName, release: ShopRelease) -> String {
    match release {
        ShopRelease::Released(Standing { before, after, decided_by: why, .. }) => {
            let (before, why) = (before.unwrap_or(after), decided_by(why));
            format!("released {cause} at shop {id}: radius {before} before, {after} now ({why})")
        }
        ShopRelease::NotInForce(Prospect::NotAsked) => {
            format!("nothing to release: {cause} is not in force at shop {id}")
        }
        ShopRelease::NotInForce(Prospect::UnknownCampaign) => {
            format!("nothing to release: there is no {cause}, and it is not in force at shop {id}")
        }
        ShopRelease::NotInForce(Prospect::Asked) => format!(
            "nothing to release yet: {cause} is not in force at shop {id}, but asks for it there; \
             release it again once the shop has an outcome, or end the campaign"
        ),
        ShopRelease::NotInForce(Prospect::Unreadable) => format!(
            "nothing to release: {cause} is not in force at shop {id}; whether it asks for it \
             there cannot be read"
        ),
    }
}
