//! `catchment database`: the schema of the database, and copies of an embedded one.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use catchment_bootstrap::settings::{Settings, SettingsError};
use catchment_domain::{AskedAgain, Lane, OlderDatabase, Restored};
use catchment_seaorm::{BackupError, Migrated, Restored as PutBack, Summary};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::ending::{Ending, complain};
use crate::engine::EngineLock;
use crate::file_name;
use crate::number::counted;
use crate::output::Output;
use crate::run::Interrupts;
use crate::servers;
use crate::stores::{self, Stores};

/// What to do with the database.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Command {
    /// Brings the schema up to date. Nothing else ever changes that of a server's database.
    Migrate(Arguments),
    /// Says whether the database can be used as it is, and changes nothing.
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
    /// Makes the database of a server true again after a backup was put back (`pg_restore`).
    ///
    /// Stop all requesters and consumers first. Services stop by themselves once they see that the
    /// database is older than what was done with it, and name this command.
    ///
    /// It gives every lane a new owner's number, lets no old reply count any more, and asks the
    /// shops again that are open in the backup. Consumers then apply the requests that were sent
    /// since the backup, whose deadlines have not passed. Whatever else was done since the backup
    /// is gone: campaigns that were started, ended or retried, and imports. `--dry-run` says what
    /// would be done.
    ///
    /// An embedded database needs no such command: its requests and replies are in memory and go
    /// with their process.
    Restored(RestoredArguments),
}

/// What `database restored` takes.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct RestoredArguments {
    /// Changes nothing, and says what would be done.
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
            tell(&stores::migrate(&settings.database, create).await?, output)?;
        }
        Command::Check => {
            let database = stores::check(&settings.database).await?;
            if settings.database.url.file().is_none() {
                let stores = Stores::open_existing(&settings.database).await?;
                let checked = servers::check_age(settings, &stores).await;
                stores.close().await;
                note_age(checked)?;
            }
            let lanes = settings.database.lanes.count();
            if output.json {
                output.value(&json!({ "database": database, "lanes": lanes, "usable": true }))?;
            } else {
                let lanes = counted(lanes.into(), "lane");
                output.line(format_args!("{database} is up to date, and made for {lanes}"))?;
            }
        }
        Command::Restored(RestoredArguments { dry_run }) => {
            if settings.database.url.file().is_some() {
                bail!(
                    "`database.url` is that of an embedded database, of which nothing is in Kafka: \
                     after `catchment database restore` there is nothing more to do"
                );
            }
            let stores = Stores::open_existing(&settings.database).await?;
            let restored = servers::restored(settings, &stores, dry_run).await;
            stores.close().await;
            tell_restored(&restored?, dry_run, output)?;
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
    check_embedded(settings, "pg_dump --format=custom --file FILE")?;
    let mut interrupts = listen()?;
    let backed_up = stores::back_up(&settings.database, file, *force, interrupts.asked()).await;
    if let Err(error @ BackupError::Interrupted) = backed_up {
        return Ok(interrupted(&error));
    }
    let summary = backed_up.context(attempt)?;
    if output.json {
        output.value(&view(settings, file, &summary))?;
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
    // Of a database that is damaged or was renamed, `SQLite` cannot say that it is in use.
    let _lock = EngineLock::take_to_replace(database).context(attempt)?;
    let mut interrupts = listen()?;
    let restored = stores::restore(&settings.database, file, *incomplete, interrupts.asked()).await;
    if let Err(error @ BackupError::Interrupted) = restored {
        return Ok(interrupted(&error));
    }
    let PutBack { summary, kept } = restored.context(attempt)?;
    let kept = kept.map(|kept| kept.display().to_string());
    if output.json {
        let mut value = view(settings, file, &summary);
        if let Value::Object(fields) = &mut value {
            fields.insert("kept".to_owned(), json!(kept));
        }
        output.value(&value)?;
        return Ok(Ending::Done);
    }
    let (name, file) = (database.display(), file.display());
    output.line(format_args!("restored {name} from {file}: {}", words(&summary)))?;
    if let Some(kept) = kept {
        output.line(format_args!("the database before is kept: {kept}"))?;
    }
    Ok(Ending::Done)
}

/// The file of the database. A server's has no such commands, but tools of its own.
fn check_embedded<'a>(settings: &'a Settings, tool: &str) -> Result<&'a Path, SettingsError> {
    settings.database.url.file().ok_or_else(|| {
        SettingsError::new(format!(
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

fn view(settings: &Settings, file: &Path, summary: &Summary) -> Value {
    json!({
        "database": settings.database.url.file().map(|file| file.display().to_string()),
        "file": file.display().to_string(),
        "shops": summary.shops,
        "revision": summary.revision,
        "bytes": summary.bytes,
    })
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

/// Fails for a database that is older than what was done with it. That Kafka does not say is no
/// fault of the database.
fn note_age(checked: anyhow::Result<()>) -> anyhow::Result<()> {
    match checked {
        Err(error) if !error.is::<OlderDatabase>() => {
            complain(&format!(
                "it is not known whether a backup was put back, for Kafka does not tell: {error:#}"
            ));
            Ok(())
        }
        checked => checked,
    }
}

/// What was done after a backup was put back.
#[derive(Debug)]
#[cfg_attr(
    not(feature = "servers"),
    expect(dead_code, reason = "made only with the feature `servers`")
)]
pub(crate) struct AfterRestore {
    /// In the database.
    pub(crate) restored: Restored,
    /// How many requests stand behind the database's positions.
    pub(crate) requests: u64,
    /// How many records are gone before they were applied again, in each lane where some are.
    pub(crate) gone: Vec<(Lane, u64)>,
}

/// Says what was done after a backup was put back.
fn tell_restored(after: &AfterRestore, dry_run: bool, output: Output) -> std::io::Result<()> {
    let AfterRestore { restored, requests, gone } = after;
    let Restored { campaigns, left, known, newest, lanes, reply_lanes } = restored;
    if output.json {
        let campaigns: Vec<Value> = campaigns.iter().map(view_asked).collect();
        let gone = gone.iter().map(|(lane, n)| json!({ "lane": lane.0, "records": n }));
        let gone: Vec<Value> = gone.collect();
        return output.value(&json!({
            "dry_run": dry_run,
            "campaigns": campaigns,
            "left": left.iter().map(|revision| revision.0).collect::<Vec<_>>(),
            "revision": { "before": known.0, "now": newest.0 },
            "lanes": lanes,
            "reply_lanes": reply_lanes,
            "requests": requests,
            "gone": gone,
        }));
    }
    if dry_run {
        output.line(format_args!("this would be done:"))?;
    }
    for asked in campaigns {
        output.line(format_args!("{}", words_asked(asked)))?;
    }
    for revision in left {
        output.line(format_args!(
            "campaign {revision} has had every attempt there is and is not asked again: end it"
        ))?;
    }
    for (lane, records) in gone {
        output.line(format_args!(
            "lane {lane}: {} were removed before they were applied again; \
             `catchment topics resume {lane}` lets it go on",
            counted(*records, "record")
        ))?;
    }
    if known != newest {
        output.line(format_args!("revisions {} to {newest} are skipped", known.0 + 1))?;
    }
    output.line(format_args!(
        "{} and {} go on with new owners; {} since the backup are applied again",
        counted((*lanes).into(), "lane"),
        counted((*reply_lanes).into(), "reply lane"),
        counted(*requests, "request"),
    ))
}

fn words_asked(asked: &AskedAgain) -> String {
    let AskedAgain { campaign, state, attempt, was_ended } = asked;
    let open = counted(state.open().into(), "open request");
    let ended = if *was_ended { "; it was ended since the backup: end it again" } else { "" };
    format!("campaign {campaign} ({state}): {open} in attempt {}{ended}", attempt.0)
}

fn view_asked(asked: &AskedAgain) -> Value {
    let AskedAgain { campaign, state, attempt, was_ended } = asked;
    json!({
        "campaign": campaign.0,
        "state": state.as_str(),
        "open": state.open(),
        "attempt": attempt.0,
        "was_ended": was_ended,
    })
}
