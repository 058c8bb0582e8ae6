//! How the process ends: one line about what went wrong, and an exit code.

use std::io;
use std::process::ExitCode;

use catchment_bootstrap::settings::SettingsError;
use catchment_bootstrap::without_secrets_of_arguments;
use catchment_domain::ports::{CommandError, StoreError};
use thiserror::Error;

use crate::output::note;

/// How a command ended that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It did what was asked.
    Done,
    /// It did what could be done and has said what could not.
    Incomplete,
    /// Somebody interrupted it.
    Interrupted,
}

/// Options that contradict each other, which clap cannot tell.
#[derive(Debug, Error)]
#[error("{0}")]
pub(crate) struct WrongUsage(pub(crate) &'static str);

/// The exit code for wrong usage, as clap has it.
pub(crate) const WRONG_USAGE: u8 = 2;
const BAD_SETTINGS: u8 = 64;
const INTERRUPTED: u8 = 130;

/// Says what went wrong, in one line, and chooses the exit code.
pub(crate) fn conclude(result: anyhow::Result<Ending>) -> ExitCode {
    match result {
        Ok(Ending::Done) => ExitCode::SUCCESS,
        Ok(Ending::Incomplete) => ExitCode::FAILURE,
        Ok(Ending::Interrupted) => ExitCode::from(INTERRUPTED),
        // Whoever read the output has seen enough.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            let advice = if is_damage(&error) {
                "; `catchment repair` mends what can be mended"
            } else {
                ""
            };
            complain(&format!("{error:#}{advice}"));
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

/// Says what went wrong, in one line whatever a library has to say.
pub(crate) fn complain(text: &str) {
    let text = without_secrets_of_arguments(text.to_owned());
    note(format_args!("catchment: {}", text.split_whitespace().collect::<Vec<_>>().join(" ")));
}

/// Whether something stored cannot be read.
fn is_damage(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        // An error of a command shows what is behind it as its own.
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
        // An error of the CSV writer does not name what is behind it as its source.
        let in_csv = cause.downcast_ref::<csv::Error>().and_then(|error| match error.kind() {
            csv::ErrorKind::Io(error) => Some(error.kind()),
            _ => None,
        });
        let kind = cause.downcast_ref::<io::Error>().map(io::Error::kind).or(in_csv);
        kind == Some(io::ErrorKind::BrokenPipe)
    })
}
