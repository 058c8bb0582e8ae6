//! `catchment campaign`: starts campaigns, follows them and ends them.

mod command;
mod delete;
mod list;
mod outcomes;
mod preview;
mod show;
mod start;

use catchment_domain::{Command as Deed, Revision};
use clap::{Args, Subcommand};

use super::Context;
use crate::ending::Ending;

/// What to do with campaigns.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Limits the radius of shops, and waits until each has an outcome.
    Start(Box<start::Arguments>),
    /// Lists all campaigns, the oldest first.
    List,
    /// Shows one campaign and how many shops have which outcome.
    Show(Which),
    /// Waits until a campaign is settled or ended; goes on with what an interrupted process
    /// left open.
    Watch(Which),
    /// Ends a campaign: what it did is undone, and what others want there is back in force.
    End(End),
    /// Asks the shops again that were rejected, expired or given up; after its end, those whose
    /// release was.
    Retry(Which),
    /// Closes what has no outcome as failed. The changes may still take effect.
    GiveUp(Which),
    /// Lists what became of each shop.
    Outcomes(outcomes::Arguments),
    /// Deletes campaigns that ended, with their outcomes.
    Delete(delete::Arguments),
}

/// Which campaign.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Which {
    /// The campaign's number.
    #[arg(value_name = "N")]
    revision: Revision,
}

/// What `campaign end` takes.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct End {
    #[command(flatten)]
    which: Which,
    /// Says at how many shops it is in force and what would change, and changes nothing.
    #[arg(long)]
    dry_run: bool,
}

pub(super) async fn run(command: Command, context: &Context) -> anyhow::Result<Ending> {
    match command {
        Command::Start(arguments) => start::run(&arguments, context).await,
        Command::List => list::run(context).await,
        Command::Show(which) => show::run(which.revision, context).await,
        Command::Watch(which) => command::watch(which.revision, context).await,
        Command::End(End { which, dry_run: true }) => {
            preview::dry_end(which.revision, context).await
        }
        Command::End(End { which, .. }) => command::run(which.revision, Deed::End, context).await,
        Command::Retry(which) => command::run(which.revision, Deed::Retry, context).await,
        Command::GiveUp(which) => command::run(which.revision, Deed::GiveUp, context).await,
        Command::Outcomes(arguments) => outcomes::run(&arguments, context).await,
        Command::Delete(arguments) => delete::run(arguments, context).await,
    }
}
