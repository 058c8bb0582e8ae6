//! The command line of Catchment: campaigns over the delivery radii of a city's shops.

mod cli;
mod commands;
mod ending;
mod run;
mod watch;
mod demo;
mod report;
mod left_out;
mod scope;
mod csv_file;
mod shop_file;
mod id_file;
mod file_name;
mod city;
mod number;
mod output;
#[cfg_attr(not(feature = "servers"), path = "no_servers.rs")]
mod servers;

use std::process::ExitCode;

use catchment_bootstrap::settings::{Layers, Settings};
use catchment_bootstrap::telemetry;

use crate::cli::Cli;
use crate::ending::{Ending, WRONG_USAGE, complain, conclude};
use crate::output::Output;

#[tokio::main]
async fn main() -> ExitCode {
    match Cli::of_process() {
        Ok(cli) => conclude(run(cli).await),
        Err(usage) => {
            complain(&usage);
            ExitCode::from(WRONG_USAGE)
        }
    }
}

async fn run(cli: Cli) -> anyhow::Result<Ending> {
    let settings = Settings::load(&Layers::of_process(cli.database))?;
    telemetry::install(&settings.log);
    commands::run(cli.command, settings, Output { json: cli.json }).await
}
