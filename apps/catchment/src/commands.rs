//! The commands, and their common context.

pub(crate) mod audit;
pub(crate) mod call;
pub(crate) mod campaign;
pub(crate) mod config;
pub(crate) mod database;
pub(crate) mod lanes;
pub(crate) mod repair;
pub(crate) mod shops;
pub(crate) mod topics;
mod triggers;

use catchment_bootstrap::settings::Settings;
use catchment_bootstrap::stores::Stores;

use crate::cli::Command;
use crate::demo;
use crate::ending::{Ending, WITHOUT_SERVERS};
use crate::output::Output;

/// The context of a command that needs the database.
pub(crate) struct Context {
    pub(crate) settings: Settings,
    pub(crate) stores: Stores,
    pub(crate) output: Output,
}

/// Runs the command of the command line.
///
/// # Errors
///
/// When the command fails, with the attempt and the reason.
pub(crate) async fn run(
    command: Command,
    settings: Settings,
    output: Output,
) -> anyhow::Result<Ending> {
    let database = &settings.database;
    let needs_database = !matches!(command, Command::Triggers | Command::Config(_));
    if cfg!(not(feature = "servers")) && needs_database && database.url.is_postgres() {
        return Err(WITHOUT_SERVERS.into());
    }
    match command {
        Command::Triggers => triggers::run(&settings, output),
        Command::Call(arguments) => call::run(&arguments, &settings, output).await,
        Command::Database(command) => database::run(command, &settings, output).await,
        Command::Lanes(command) => lanes::run(command, &settings, output).await,
        Command::Topics(command) => topics::run(command, &settings, output).await,
        Command::Config(command) => config::run(&command, &settings, output),
        Command::Shops(command) => {
            let stores = if command.brings_shops() {
                Stores::open(database).await?
            } else {
                Stores::open_existing(database).await?
            };
            let context = Context { settings, stores, output };
            let result = shops::run(command, &context).await;
            context.stores.close().await;
            result
        }
        Command::Demo(arguments) => Box::pin(demo::run(&arguments, settings, output)).await,
        Command::Audit(arguments) => {
            let stores = Stores::open_existing(database).await?;
            let context = Context { settings, stores, output };
            let result = audit::run(&arguments, &context).await;
            context.stores.close().await;
            result
        }
        Command::Repair(arguments) => {
            let stores = Stores::open_existing(database).await?;
            let context = Context { settings, stores, output };
            let result = repair::run(arguments, &context).await;
            context.stores.close().await;
            result
        }
        Command::Campaign(command) => {
            let stores = Stores::open_existing(database).await?;
            let context = Context { settings, stores, output };
            let result = campaign::run(command, &context).await;
            context.stores.close().await;
            result
        }
    }
}
