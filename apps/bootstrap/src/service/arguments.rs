//! The command line of every service.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Args, Command, FromArgMatches as _, Subcommand};

use super::Role;
use super::ending::EXIT_CODES;
use crate::one_line::without_usage;

/// What the command line says.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// A file of settings, read in the place of `config/<CATCHMENT_ENV>.toml`.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// What to do; `run` unless it is said.
    #[command(subcommand)]
    pub(crate) verb: Option<Verb>,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Subcommand)]
pub(crate) enum Verb {
    /// Serves until it is told to stop.
    Run,
    /// Asks the one that runs on this machine whether it is ready.
    Health,
}

impl Arguments {
    /// Reads the arguments.
    ///
    /// # Errors
    ///
    /// The line for stderr. clap answers `--help` and `--version` itself, and then ends the
    /// process.
    pub(crate) fn read(
        role: &Role,
        arguments: impl IntoIterator<Item = OsString>,
    ) -> Result<Self, String> {
        let matches = command(role).try_get_matches_from(arguments);
        matches.and_then(|matches| Self::from_arg_matches(&matches)).map_err(|error| {
            match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => error.exit(),
                _ => without_usage(&error),
            }
        })
    }
}

fn command(role: &Role) -> Command {
    let name = role.name;
    let examples = format!(
        "Settings come from built-in defaults, a file, and variables such as
CATCHMENT__KAFKA__BOOTSTRAP_SERVERS=kafka:9092; `catchment config check` shows them.

{EXIT_CODES}

Examples:
  CATCHMENT__DATABASE__URL=postgres://me@db/shops {name}
  {name} --config /etc/catchment/production.toml
  {name} health"
    );
    // The description comes last, because the derive puts the comment of `Arguments` in its place.
    Arguments::augment_args(Command::new(name))
        .about(role.about)
        .version(env!("CARGO_PKG_VERSION"))
        .after_help(examples)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLE: Role = Role { name: "consumer", about: "Applies requests.", conditions: &[] };

    fn read(arguments: &[&str]) -> Result<Arguments, String> {
        let words = std::iter::once("consumer").chain(arguments.iter().copied());
        Arguments::read(&ROLE, words.map(OsString::from))
    }

    #[test]
    fn help_begins_with_what_the_service_does() {
        for help in [command(&ROLE).render_help(), command(&ROLE).render_long_help()] {
            assert_eq!(help.to_string().lines().next(), Some(ROLE.about));
        }
    }

    #[test]
    fn a_service_runs_unless_something_else_is_said() {
        assert_eq!(read(&[]).unwrap().verb, None);
        assert_eq!(read(&["run"]).unwrap().verb, Some(Verb::Run));
        let asked = read(&["health", "--config", "a.toml"]).unwrap();
        assert_eq!(asked.verb, Some(Verb::Health));
        assert_eq!(asked.config, Some("a.toml".into()));
    }

    #[test]
    fn wrong_usage_is_one_line() {
        assert_eq!(
            read(&["--confg", "a.toml"]).unwrap_err(),
            "unexpected argument '--confg' found; tip: a similar argument exists: '--config'"
        );
    }
}
