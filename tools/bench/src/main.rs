//! `catchment-bench`: measures the programs `catchment`, `requester` and `consumer` as a user runs
//! them, and the database alone beside them.

mod bare;
mod compare;
mod embedded;
mod programs;
mod report;
#[cfg_attr(not(target_os = "linux"), path = "no_resources.rs")]
mod resources;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, value_parser};

use crate::programs::Programs;

/// Measures campaigns on this machine.
#[derive(Debug, Parser)]
#[command(name = "catchment-bench", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// A campaign over all shops, from the accepted command to the last stored outcome, and the
    /// database alone in the same run.
    Campaign {
        #[command(flatten)]
        workload: Workload,
        /// The folder of the programs; without it that of this program.
        #[arg(long, value_name = "DIR")]
        programs: Option<PathBuf>,
        /// Prints one line of JSON.
        #[arg(long)]
        json: bool,
    },
    /// The campaigns of two builds in turns, and the ratios of their speeds.
    Compare {
        #[command(flatten)]
        workload: Workload,
        /// The folder of the programs of before.
        #[arg(long, value_name = "DIR")]
        old: PathBuf,
        /// The folder of the programs of now.
        #[arg(long, value_name = "DIR")]
        new: PathBuf,
        /// How often each is measured.
        #[arg(long, value_name = "N", default_value_t = 5,
              value_parser = value_parser!(u32).range(1..=1_000))]
        pairs: u32,
    },
}

/// What the programs have to do.
#[derive(Clone, Debug, Args)]
struct Workload {
    /// How many shops.
    #[arg(long, value_name = "N", default_value_t = 300_000,
          value_parser = value_parser!(u32).range(1..=10_000_000))]
    shops: u32,
}

#[tokio::main]
async fn main() -> ExitCode {
    let done = tokio::select! {
        done = run(Cli::parse().command) => done,
        _ = tokio::signal::ctrl_c() => return ExitCode::from(130),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report::note(format_args!("catchment-bench: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Campaign { workload, programs, json } => {
            let programs = programs.map_or_else(Programs::beside_this, |dir| Ok(dir.into()))?;
            let measured = embedded::measure(&programs, workload.shops).await?;
            report::embedded(&measured, json);
        }
        Command::Compare { workload, old, new, pairs } => {
            compare::run(&workload, &old.into(), &new.into(), pairs).await?;
        }
    }
    Ok(())
}
