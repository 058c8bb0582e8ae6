//! The end of a service: one line about what went wrong, and an exit code.

use std::fmt::Display;
use std::io::{self, Write as _};
use std::process::ExitCode;

use catchment_domain::service::ServiceError;
use thiserror::Error;

use crate::one_line::without_secrets_of_arguments;
use crate::settings::SettingsError;

/// The exit codes. The codes from 64 on come from sysexits.h, the codes above 128 from the shell.
pub(crate) mod code {
    /// `health`: the service is not ready.
    pub(crate) const NOT_READY: u8 = 1;
    /// Wrong usage, the same code as clap's.
    pub(crate) const WRONG_USAGE: u8 = 2;
    /// Bad settings (`EX_USAGE`).
    pub(crate) const BAD_SETTINGS: u8 = 64;
    /// A broker, a database or a port was not available (`EX_UNAVAILABLE`).
    pub(crate) const UNAVAILABLE: u8 = 69;
    /// An internal error (`EX_SOFTWARE`).
    pub(crate) const INTERNAL: u8 = 70;
    /// Work in progress was not finished in time (`EX_TEMPFAIL`).
    pub(crate) const NOT_DRAINED: u8 = 75;
    /// Settings, topics and database do not fit each other (`EX_CONFIG`).
    pub(crate) const MISFIT: u8 = 78;
    /// Told to stop twice: the same code as after an uncaught SIGTERM.
    pub(crate) const TERMINATED: u8 = 143;
}

/// The exit codes, for `--help`.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
    0  told to stop, and stopped in time
    1  `health`: not ready
    2  wrong usage
   64  bad settings
   69  Kafka, the database or the port of the probes could not be had at the start
   70  an internal failure: start it again
   75  told to stop, and what was under way was not finished in time; nothing is lost
   78  topics, database and settings do not fit each other: somebody must look
  143  told to stop twice";

/// Why a service ended without being told to, by what an operator can do about it.
#[derive(Debug, Error)]
pub enum ProcessError {
    /// The operator must correct the settings.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The operator must make the missing service available, and start again.
    #[error("{0}")]
    Unavailable(String),
    /// The operator must check topics, database and settings: going on would do harm.
    #[error("{0}")]
    Misfit(String),
    /// The operator must start the service again.
    #[error("{0}")]
    Internal(String),
}

impl ProcessError {
    pub(crate) const fn exit_code(&self) -> u8 {
        match self {
            Self::Settings(_) => code::BAD_SETTINGS,
            Self::Unavailable(_) => code::UNAVAILABLE,
            Self::Misfit(_) => code::MISFIT,
            Self::Internal(_) => code::INTERNAL,
        }
    }
}

impl From<ServiceError> for ProcessError {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::Refused { .. }
            | ServiceError::Lane(_)
            | ServiceError::Older(_)
            | ServiceError::OtherLanes(_) => Self::Misfit(error.to_string()),
            ServiceError::Closed => Self::Internal(error.to_string()),
        }
    }
}

/// Writes what went wrong to stderr, in one line, whatever a library reports. A failed write to
/// stderr is ignored.
pub(crate) fn complain(role: &str, what: &impl Display) {
    let what = without_secrets_of_arguments(what.to_string());
    let words: Vec<_> = what.split_whitespace().collect();
    let _ = writeln!(io::stderr(), "{role}: {}", words.join(" "));
}

/// Writes what went wrong, and returns the exit code.
pub(crate) fn conclude(role: &str, error: &ProcessError) -> ExitCode {
    complain(role, error);
    ExitCode::from(error.exit_code())
}
