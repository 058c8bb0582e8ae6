//! `catchment campaign watch`, `end`, `retry` and `give-up`: commands for a stored campaign.

use anyhow::Context as _;
use catchment_domain::{Command, Revision};

use crate::commands::Context;
use crate::ending::Ending;
use crate::report::{Finished, Wait, finish};
use crate::run::{Begun, drive};
use crate::watch::{Goal, Standing};

/// Runs the command, and waits until the campaign has reached its goal.
pub(super) async fn run(
    revision: Revision,
    command: Command,
    context: &Context,
) -> anyhow::Result<Ending> {
    let begun = Begun::now()?;
    let attempt = || format!("could not {} the campaign", verb(command));
    let done = context.stores.campaigns.command(revision, command).await;
    let goal = Goal::of(&done.with_context(attempt)?);
    if command == Command::GiveUp {
        // Giving up closes everything at once. The failed outcomes are no failure of the command.
        let standing = Standing::read(&*context.stores.campaigns, revision).await?;
        let seconds = begun.seconds();
        let wait = Wait::Through;
        let finished = Finished { standing, seconds, wait, unknown_alone: false };
        finish(context.output, &finished, goal)?;
        return Ok(Ending::Done);
    }
    let finished = drive(context, revision, goal, begun).await.with_context(attempt)?;
    finish(context.output, &finished, goal)
}

/// Waits until a campaign has reached the goal to which it goes by itself.
pub(super) async fn watch(revision: Revision, context: &Context) -> anyhow::Result<Ending> {
    let begun = Begun::now()?;
    let attempt = || "could not watch the campaign";
    let standing = Standing::read(&*context.stores.campaigns, revision).await;
    let goal = Goal::of(&standing.with_context(attempt)?.campaign);
    let finished = drive(context, revision, goal, begun).await.with_context(attempt)?;
    finish(context.output, &finished, goal)
}

const fn verb(command: Command) -> &'static str {
    match command {
        Command::End => "end",
        Command::Retry => "retry",
        Command::GiveUp => "give up",
    }
}
