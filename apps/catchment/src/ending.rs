//! The end of the process: one line about what went wrong, and an exit code.

use std::io;
use std::process::ExitCode;

use catchment_bootstrap::settings::SettingsError;
use catchment_bootstrap::{chain, without_secrets_of_arguments};
use catchment_domain::ports::{CommandError, StoreError};
use thiserror::Error;

use crate::output::note;

/// How a command ended without a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The command did everything.
    Done,
    /// The command did what was possible, and has reported the rest.
    Incomplete,
    /// The user interrupted the command.
    Interrupted,
}

/// Wrong usage that clap cannot find, such as options that contradict each other.
#[derive(Debug, Error)]
#[error("{0}")]
pub(crate) struct WrongUsage(pub(crate) &'static str);

/// This program was built without the feature `servers`.
pub(crate) const WITHOUT_SERVERS: WrongUsage = WrongUsage(
    "this program was built without Kafka and PostgreSQL; build it with \
     `cargo build --release -p catchment --features servers`",
);

/// The exit code for wrong usage, the same as clap's.
pub(crate) const WRONG_USAGE: u8 = 2;
const BAD_SETTINGS: u8 = 64;
const INTERRUPTED: u8 = 130;

/// Writes what went wrong in one line, and returns the exit code.
pub(crate) fn conclude(result: anyhow::Result<Ending>) -> ExitCode {
    match result {
        Ok(Ending::Done) => ExitCode::SUCCESS,
        Ok(Ending::Incomplete) => ExitCode::FAILURE,
        Ok(Ending::Interrupted) => ExitCode::from(INTERRUPTED),
        // The reader of the output has closed it, and needs no more.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            let advice = if is_damage(&error) {
                "; `catchment repair` mends what can be mended"
            } else {
                ""
            };
            complain(&format!("{}{advice}", chain(&*error)));
            if error.is::<SettingsError>() {
                ExitCode::from(BAD_SETTINGS)
            } else if error.is::<WrongUsage>() {
                ExitCode::from(WRONG_USAGE)
            } else {
                ExitCode::FAILURE
            }
        }
    }
}

/// Writes what went wrong to stderr, in one line, whatever a library reports.
pub(crate) fn complain(text: &str) {
    let text = without_secrets_of_arguments(text.to_owned());
    note(format_args!("catchment: {}", text.split_whitespace().collect::<Vec<_>>().join(" ")));
}

/// Returns whether the error is about stored data that cannot be read.
fn is_damage(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        // A command error shows its source's message as its own, so its source is not in the chain.
        let in_command = cause.downcast_ref().and_then(|error: &CommandError| match error {
            CommandError::Store(error) => Some(error),
            CommandError::Campaign(_) => None,
        });
        let store = cause.downcast_ref().or(in_command);
        matches!(store, Some(StoreError::BadData { .. }))
    })
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        // An error of the CSV writer does not return its cause as its source.
        let in_csv = cause.downcast_ref::<csv::Error>().and_then(|error| match error.kind() {
            csv::ErrorKind::Io(error) => Some(error.kind()),
            _ => None,
        });
        let kind = cause.downcast_ref::<io::Error>().map(io::Error::kind).or(in_csv);
        kind == Some(io::ErrorKind::BrokenPipe)
    })
}
