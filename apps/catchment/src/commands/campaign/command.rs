//! `catchment campaign watch`, `end`, `retry` and `give-up`: commands for a stored campaign.

use anyhow::Context as _;
use catchment_application::{Goal, campaign_progress, command_campaign};
use catchment_domain::{Command, Revision};

use crate::commands::Context;
use crate::ending::Ending;
use crate::report::{Finished, finish};
use crate::run::{Begun, Wait, drive};

/// Runs the command, and waits until the campaign has reached its goal.
pub(super) async fn run(
    revision: Revision,
    command: Command,
    context: &Context,
) -> anyhow::Result<Ending> {
    let begun = Begun::now()?;
    let attempt = || format!("could not {} the campaign", verb(command));
    let done = command_campaign(&*context.stores.campaigns, revision, command).await;
    let goal = Goal::of(&done.with_context(attempt)?);
    if command == Command::GiveUp {
        // Giving up closes everything at once. The failed outcomes are no failure of the command.
        let progress = campaign_progress(&*context.stores.campaigns, revision).await?;
        let finished = Finished { progress, waited: begun.elapsed(), wait: Wait::Through };
        finish(context, &finished, goal).await?;
        return Ok(Ending::Done);
    }
    let finished = drive(context, revision, goal, begun).await.with_context(attempt)?;
    finish(context, &finished, goal).await
}

/// Waits until a campaign has reached the goal to which it goes by itself.
pub(super) async fn watch(revision: Revision, context: &Context) -> anyhow::Result<Ending> {
    let begun = Begun::now()?;
    let attempt = || "could not watch the campaign";
    let progress = campaign_progress(&*context.stores.campaigns, revision).await;
    let goal = Goal::of(&progress.with_context(attempt)?.campaign);
    let finished = drive(context, revision, goal, begun).await.with_context(attempt)?;
    finish(context, &finished, goal).await
}

const fn verb(command: Command) -> &'static str {
    match command {
        Command::End => "end",
        Command::Retry => "retry",
        Command::GiveUp => "give up",
    }
}
