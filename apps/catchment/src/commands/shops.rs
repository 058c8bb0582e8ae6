//! `catchment shops`: imports, generates, shows and exports shops.

mod export;
mod generate;
mod import;
mod list;
mod release;
mod show;

use clap::Subcommand;

pub(crate) use self::generate::generate;

use super::Context;
use crate::ending::Ending;

/// What to do with shops.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Adds or updates the shops of a CSV file.
    Import(import::Arguments),
    /// Adds the shops of a made-up city.
    Generate(generate::Arguments),
    /// Lists shops.
    List(list::Arguments),
    /// Shows one shop: its radius, why it is that, and all causes.
    Show(show::Arguments),
    /// Ends a limit at a shop, whatever its campaign says.
    Release(release::Arguments),
    /// Writes shops as CSV.
    Export(export::Arguments),
}

impl Command {
    /// Returns whether the command may create a database.
    pub(super) const fn brings_shops(&self) -> bool {
        match self {
            Self::Import(_) | Self::Generate(_) => true,
            Self::List(_) | Self::Show(_) | Self::Release(_) | Self::Export(_) => false,
        }
    }
}

pub(super) async fn run(command: Command, context: &Context) -> anyhow::Result<Ending> {
    match command {
        Command::Import(arguments) => import::run(&arguments, context).await,
        Command::Generate(arguments) => generate::run(&arguments, context).await,
        Command::List(arguments) => list::run(&arguments, context).await,
        Command::Show(arguments) => show::run(&arguments, context).await,
        Command::Release(arguments) => release::run(&arguments, context).await,
        Command::Export(arguments) => export::run(&arguments, context).await,
    }
}
