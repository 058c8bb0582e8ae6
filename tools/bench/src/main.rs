//! `catchment-bench`: measures the programs `catchment`, `requester` and `consumer` as a user runs
//! them, and Kafka and the database alone beside them.

mod bare;
mod calls;
mod campaign;
mod compare;
mod embedded;
mod interrupts;
mod kafka;
mod programs;
mod report;
#[cfg_attr(not(target_os = "linux"), path = "no_resources.rs")]
mod resources;
mod round_trip;
mod scratch;
mod services;
mod usage;

use std::num::{NonZeroU16, NonZeroU32};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand, ValueEnum, value_parser};

use crate::interrupts::{Interrupted, unless_interrupted};
use crate::programs::Programs;
use crate::scratch::Servers;

/// Messages are freed on other threads than those that made them, which the system's allocator is
/// slow at: this doubles the rate of Kafka alone. The programs use it, too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures campaigns on this machine.
#[derive(Debug, Parser)]
#[command(name = "catchment-bench", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// A campaign over all shops, from the accepted command to the last stored outcome. Over Kafka
    /// also single calls. In the same run, the database and Kafka alone.
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
    /// What requests and replies travel over: a log in the memory of one process, or Kafka, with
    /// requester and consumers as processes of their own.
    #[arg(long, value_name = "LOG", value_enum, default_value_t = Over::Memory)]
    over: Over,
    /// How many partitions the requests have over Kafka.
    #[arg(long, value_name = "P", default_value = "12")]
    partitions: NonZeroU16,
    /// How many consumers share them.
    #[arg(long, value_name = "C", default_value = "1")]
    consumers: NonZeroU16,
    /// How many single calls `campaign` makes over Kafka while nothing else is done.
    #[arg(long, value_name = "M", default_value = "2000")]
    calls: NonZeroU32,
    /// A database of a server, for a schema that is removed afterwards.
    #[arg(long, value_name = "URL", env = "CATCHMENT__DATABASE__URL", hide_env_values = true)]
    database: Option<String>,
    /// The brokers, for topics that are removed afterwards.
    #[arg(long, value_name = "HOST:PORT", env = "CATCHMENT__KAFKA__BOOTSTRAP_SERVERS")]
    brokers: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Over {
    Memory,
    Kafka,
}

impl Workload {
    /// Returns the servers that the user names.
    fn servers(&self) -> anyhow::Result<Servers> {
        let database = self.database.clone().filter(|url| url.starts_with("postgres"));
        let servers = database.zip(self.brokers.clone());
        let (database, brokers) = servers.context(
            "over Kafka, name both servers: `--database postgres://user@host/name` and \
             `--brokers host:port`",
        )?;
        Ok(Servers { brokers, database })
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Cli::parse().command).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<Interrupted>() => ExitCode::from(130),
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
            if workload.over == Over::Memory {
                let measured = embedded::measure(&programs, workload.shops);
                let measured = unless_interrupted(measured).await?;
                report::embedded(workload.shops, &measured, json);
            } else {
                let measured = kafka::measure(&programs, &workload).await?;
                report::kafka(&workload, &measured, json);
            }
        }
        Command::Compare { workload, old, new, pairs } => {
            compare::run(&workload, &old.into(), &new.into(), pairs).await?;
        }
    }
    Ok(())
}
