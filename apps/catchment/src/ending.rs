//! How the process ends: one line about what went wrong, and an exit code.

use std::io;
use std::process::ExitCode;

use crate::output::note;
use crate::settings::SettingsError;

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
            complain(&format!("{error:#}"));
            let is_settings = error.downcast_ref::<SettingsError>().is_some();
            if is_settings { ExitCode::from(BAD_SETTINGS) } else { ExitCode::FAILURE }
        }
    }
}

/// Says what went wrong, in one line whatever a library has to say.
pub(crate) fn complain(text: &str) {
    note(format_args!("catchment: {}", text.split_whitespace().collect::<Vec<_>>().join(" ")));
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io_errors = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    io_errors.into_iter().any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}
