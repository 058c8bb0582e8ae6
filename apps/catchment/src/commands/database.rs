//! `catchment database`: the schema of the database.

use catchment_bootstrap::settings::Settings;
use catchment_seaorm::Migrated;
use clap::{Args, Subcommand};
use serde_json::json;

use crate::ending::Ending;
use crate::number::counted;
use crate::output::Output;
use crate::stores;

/// What to do with the database.
#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum Command {
    /// Brings the schema up to date. Nothing else ever changes that of a server's database.
    Migrate(Arguments),
    /// Says whether the database can be used as it is, and changes nothing.
    Check,
}

/// What `database migrate` takes.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Arguments {
    /// Creates the database where it is missing.
    #[arg(long)]
    create: bool,
}

pub(super) async fn run(
    command: Command,
    settings: &Settings,
    output: Output,
) -> anyhow::Result<Ending> {
    match command {
        Command::Migrate(Arguments { create }) => {
            tell(&stores::migrate(&settings.database, create).await?, output)?;
        }
        Command::Check => {
            let database = stores::check(&settings.database).await?;
            let lanes = settings.database.lanes.count();
            if output.json {
                output.value(&json!({ "database": database, "lanes": lanes, "usable": true }))?;
            } else {
                let lanes = counted(lanes.into(), "lane");
                output.line(format_args!("{database} is up to date, and made for {lanes}"))?;
            }
        }
    }
    Ok(Ending::Done)
}

fn tell(migrated: &Migrated, output: Output) -> std::io::Result<()> {
    let Migrated { database, created, steps } = migrated;
    if output.json {
        return output.value(&json!({ "database": database, "created": created, "steps": steps }));
    }
    if *created {
        output.line(format_args!("created {database}"))?;
    }
    for step in steps {
        output.line(format_args!("took step {step}"))?;
    }
    output.line(format_args!("{database} is up to date"))
}
