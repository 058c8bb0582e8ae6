//! The command line: its commands, and its errors.

use std::num::NonZeroU16;

use catchment_bootstrap::without_usage;
use catchment_domain::{Limit, LimitError};
use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

use crate::commands::{audit, call, campaign, config, database, lanes, repair, shops, topics};
use crate::demo;

const AFTER_HELP: &str = "\
Settings come from built-in defaults, config/<CATCHMENT_ENV>.toml, variables such as
CATCHMENT__CAMPAIGNS__TIMEOUT=10m, and options; `catchment config check` shows them.

Exit codes:
    0  done; for a campaign: every shop is as it was asked for
    1  failed; for a campaign also: shops were rejected, expired or given up; for a report or
       a repair also: something is damaged
    2  wrong usage
   64  bad settings
  130  interrupted; what was begun is stored, and `catchment campaign watch N` goes on with it

Examples:
  catchment shops import shops.csv.gz
  catchment campaign start --kind rider_shortage --limit 3km --all
  catchment campaign start --kind system_failure --region Hackney --reason 'payments fail'
  catchment shops show 592";

/// Changes the delivery radii of a city's shops, and knows what became of each.
///
/// On a database file, each command does the work itself. On a database server, the processes
/// requester and consumer do it over Kafka, and a command stores what is wanted and watches.
#[derive(Debug, Parser)]
#[command(name = "catchment", version, after_help = AFTER_HELP)]
pub(crate) struct Cli {
    /// Where the database is, such as `sqlite://catchment.db` or `postgres://user@host/name`.
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) database: Option<String>,

    /// Prints for machines: one JSON value a line.
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Plays the story that this was built for, and checks every shop.
    Demo(demo::Arguments),
    /// Brings shops in, and shows them.
    #[command(subcommand)]
    Shops(shops::Command),
    /// Starts campaigns, follows and ends them.
    #[command(subcommand)]
    Campaign(campaign::Command),
    /// Asks one shop over Kafka, and prints the reply.
    Call(call::Arguments),
    /// Compares the outcomes of campaigns with the receipts.
    Audit(audit::Arguments),
    /// Mends what is damaged in the database, and names what cannot be mended.
    Repair(repair::Arguments),
    /// Shows the trigger kinds, their ranks and default limits.
    Triggers,
    /// Brings the schema of the database up to date, and checks it.
    #[command(subcommand)]
    Database(database::Command),
    /// Shows the lanes, and accepts lanes that cannot go on.
    #[command(subcommand)]
    Lanes(lanes::Command),
    /// Makes and checks the topics of requester and consumer.
    #[command(subcommand)]
    Topics(topics::Command),
    /// Shows the settings.
    #[command(subcommand)]
    Config(config::Command),
}

/// Reads a number of partitions: at most as many as a database may have lanes.
pub(crate) fn parse_partitions(text: &str) -> Result<NonZeroU16, &'static str> {
    let number: Option<NonZeroU16> = text.parse().ok();
    number.filter(|number| number.get() <= 1_024).ok_or("expected a whole number from 1 to 1024")
}

/// Reads a limit with its unit: a user who types `3` may mean kilometres.
pub(crate) fn parse_limit(text: &str) -> Result<Limit, String> {
    let limit = text.parse().map_err(|error: LimitError| error.to_string())?;
    let number = text.trim();
    if number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!("say `{number}m` or `{number}km`"));
    }
    Ok(limit)
}

impl Cli {
    /// Reads the arguments of this process.
    ///
    /// # Errors
    ///
    /// The line for stderr. clap answers `--help` and `--version` itself, and then ends the
    /// process.
    pub(crate) fn of_process() -> Result<Self, String> {
        Self::try_parse().map_err(|error| match error.kind() {
            ErrorKind::DisplayHelp
            | ErrorKind::DisplayVersion
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => error.exit(),
            _ => without_usage(&error),
        })
    }
}
