//! `catchment database`: migrates a database, and copies and restores an embedded one.

mod restored;

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use catchment_api as api;
use catchment_application::{AfterRestore, check_database, restored_database};
use catchment_bootstrap::chain;
use catchment_bootstrap::engine::EngineLock;
use catchment_bootstrap::settings::{Settings, SettingsError};
use catchment_bootstrap::stores::{self, Stores};
use catchment_seaorm::{BackupError, Migrated, Restored as PutBack, Summary};
use clap::{Args, Subcommand};

use crate::ending::{Ending, complain};
use crate::file_name;
use crate::number::counted;
use crate::output::Output;
use crate::run::Interrupts;
use crate::servers;

/// What to do with the database.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Command {
    /// Brings the schema up to date. Nothing else ever changes that of a server's database.
    Migrate(Arguments),
    /// Says whether the database can be used as it is, and changes nothing.
    ///
    /// The database of a server is compared with Kafka, as services compare it. If Kafka does not
    /// answer, the command says so, and checks the database alone: a lane whose row is missing or
    /// cannot be read fails the check all the same.
    Check,
    /// Copies an embedded database into a file, beside whatever runs on it.
    ///
    /// The copy holds what was stored when the command began, and is not compressed. It is written
    /// beside FILE, read back, and only then given its name. It grants nobody what the database does
    /// not grant.
    /// Never copy the file of a database that is in use by other means: what was stored last lies
    /// in its file `-wal`.
    Backup(BackupArguments),
    /// Puts a copy in the place of an embedded database that nobody uses.
    ///
    /// The copy is checked first, and stays as it is. The database that it replaces is kept, with
    /// `.before-restore` behind its name. After a kill, the same command ends the work.
    Restore(RestoreArguments),
    /// Adapts the database of a server after a backup was restored (`pg_restore`).
    ///
    /// Kafka went on since the backup, so the database is older than the requests and replies
    /// there. The services see that, stop with exit code 78, and name this command.
    ///
    /// Stop all requesters and consumers first; a service at work is named, and nothing is changed.
    /// Nothing is changed either if the topics or the cluster belong to another database.
    /// The command gives every lane a new owner's number, moves every reply lane to its end, and
    /// asks each open shop again in a new attempt. A lane that does not fit its topic is left out
    /// and named. When consumers start, they first apply the
    /// requests since the backup again whose deadlines have not passed.
    ///
    /// What was stored only in the database since the backup is gone: imports, and campaigns that
    /// were started, ended or retried. The command names those campaigns, as far as their requests
    /// show them.
    ///
    /// An embedded database needs no such command: its requests and replies are in memory, and end
    /// with their process.
    Restored(RestoredArguments),
}

/// What `database restored` takes.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct RestoredArguments {
    /// Changes nothing, and says what would be changed.
    #[arg(long)]
    dry_run: bool,
}

/// What `database migrate` takes.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Arguments {
    /// Creates the database where it is missing.
    #[arg(long)]
    create: bool,
}

/// What `database backup` takes.
#[derive(Clone, Debug, Args)]
pub(crate) struct BackupArguments {
    /// The file to write, by its path.
    #[arg(value_parser = file_name::new_copy())]
    file: PathBuf,
    /// Replaces a regular file of yours that is there, unless it is write-protected, is a database
    /// and no copy, or has other files of a database beside it. A copy that a command has opened
    /// is a database.
    #[arg(long)]
    force: bool,
}

/// What `database restore` takes.
#[derive(Clone, Debug, Args)]
pub(crate) struct RestoreArguments {
    /// The copy: what `database backup` wrote, by its path.
    #[arg(value_parser = file_name::copy())]
    file: PathBuf,
    /// Takes a copy of a file that was in use, although its `-wal` is not beside it and so what
    /// was stored last is missing.
    #[arg(long)]
    incomplete: bool,
}

pub(super) async fn run(
    command: Command,
    settings: &Settings,
    output: Output,
) -> anyhow::Result<Ending> {
    match command {
        Command::Migrate(Arguments { create }) => {
            tell(stores::migrate(&settings.database, create).await?, output)?;
        }
        Command::Check => {
            let database = stores::check(&settings.database).await?;
            if settings.database.url.file().is_none() {
                let stores = Stores::open_existing(&settings.database).await?;
                let checked = check_lanes(settings, &stores).await;
                stores.close().await;
                checked?;
            }
            let lanes = settings.database.lanes.count();
            if output.json {
                output.value(&api::DatabaseChecked { database, lanes })?;
            } else {
                let lanes = counted(lanes.into(), "lane");
                output.line(format_args!("{database} is up to date, and made for {lanes}"))?;
            }
        }
        Command::Restored(RestoredArguments { dry_run }) => {
            if settings.database.url.file().is_some() {
                let why = "`database.url` is that of an embedded database, and none of its requests \
                           are in Kafka: after `catchment database restore` there is nothing more to \
                           do";
                return Err(SettingsError(why.to_owned()).into());
            }
            let stores = Stores::open_existing(&settings.database).await?;
            let done = restore_ledger(settings, &stores, dry_run).await;
            stores.close().await;
            return restored::tell(done?, dry_run, output);
        }
        Command::Backup(arguments) => return back_up(&arguments, settings, output).await,
        Command::Restore(arguments) => return restore(&arguments, settings, output).await,
    }
    Ok(Ending::Done)
}

async fn back_up(
    BackupArguments { file, force }: &BackupArguments,
    settings: &Settings,
    output: Output,
) -> anyhow::Result<Ending> {
    let attempt = "could not back up the database";
    let database = check_embedded(settings, "pg_dump --format=custom --file FILE")?;
    let mut interrupts = listen()?;
    let backed_up = stores::back_up(&settings.database, file, *force, interrupts.asked()).await;
    if let Err(error @ BackupError::Interrupted) = backed_up {
        return Ok(interrupted(&error));
    }
    let summary = backed_up.context(attempt)?;
    if output.json {
        output.value(&view(database, file, &summary))?;
    } else {
        output.line(format_args!("wrote {}: {}", file.display(), words(&summary)))?;
    }
    Ok(Ending::Done)
}

async fn restore(
    RestoreArguments { file, incomplete }: &RestoreArguments,
    settings: &Settings,
    output: Output,
) -> anyhow::Result<Ending> {
    let attempt = "could not restore the database";
    let database = check_embedded(settings, "pg_restore")?;
    // If the database is damaged or was renamed, `SQLite` cannot tell that it is in use.
    let _lock = EngineLock::take_to_replace(database).context(attempt)?;
    let mut interrupts = listen()?;
    let restored = stores::restore(&settings.database, file, *incomplete, interrupts.asked()).await;
    if let Err(error @ BackupError::Interrupted) = restored {
        return Ok(interrupted(&error));
    }
    let PutBack { summary, kept } = restored.context(attempt)?;
    let kept = kept.map(|kept| kept.display().to_string());
    if output.json {
        let copy = view(database, file, &summary);
        output.value(&api::DatabaseReplaced { copy, kept })?;
        return Ok(Ending::Done);
    }
    let (name, file) = (database.display(), file.display());
    output.line(format_args!("restored {name} from {file}: {}", words(&summary)))?;
    if let Some(kept) = kept {
        output.line(format_args!("the database before is kept: {kept}"))?;
    }
    Ok(Ending::Done)
}

/// Returns the file of the database. A server's database has its own tools for this.
fn check_embedded<'a>(settings: &'a Settings, tool: &str) -> Result<&'a Path, SettingsError> {
    settings.database.url.file().ok_or_else(|| {
        SettingsError(format!(
            "`database.url` is that of a PostgreSQL server, whose own tools copy it: `{tool}`"
        ))
    })
}

fn listen() -> anyhow::Result<Interrupts> {
    Interrupts::listen().context("could not listen to interrupts")
}

fn interrupted(error: &BackupError) -> Ending {
    complain(&error.to_string());
    Ending::Interrupted
}

fn words(summary: &Summary) -> String {
    let Summary { shops, revision, bytes } = summary;
    format!("{}, newest revision {revision}, {}", counted(*shops, "shop"), counted(*bytes, "byte"))
}

fn view(database: &Path, file: &Path, summary: &Summary) -> api::DatabaseCopy {
    let Summary { shops, revision, bytes } = *summary;
    let (database, file) = (database.display().to_string(), file.display().to_string());
    api::DatabaseCopy { database, file, shops, revision, bytes }
}

fn tell(migrated: Migrated, output: Output) -> std::io::Result<()> {
    let Migrated { database, created, steps } = migrated;
    if output.json {
        return output.value(&api::DatabaseMigrated { database, created, steps });
    }
    if created {
        output.line(format_args!("created {database}"))?;
    }
    for step in steps {
        output.line(format_args!("took step {step}"))?;
    }
    output.line(format_args!("{database} is up to date"))
}

async fn restore_ledger(
    settings: &Settings,
    stores: &Stores,
    dry_run: bool,
) -> anyhow::Result<AfterRestore> {
    let done = servers::with_cluster(settings, stores.shops.lanes(), async |cluster| {
        restored_database(stores.lanes(), cluster?, dry_run).await
    });
    Ok(done.await??)
}

/// Compares the database with Kafka, and says if Kafka does not answer.
async fn check_lanes(settings: &Settings, stores: &Stores) -> anyhow::Result<()> {
    let away = servers::with_cluster(settings, stores.shops.lanes(), async |cluster| {
        check_database(stores.lanes(), cluster).await
    });
    if let Some(error) = away.await?? {
        complain(&format!(
            "cannot compare the database with Kafka, so a restored backup would not be noticed: {}",
            chain(&error)
        ));
    }
    Ok(())
}
