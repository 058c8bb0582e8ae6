//! Log lines on stderr.

use std::io;

use tracing_subscriber::filter::{LevelFilter, ParseError, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, Registry, fmt};

use crate::settings::Log;

/// The log targets at which the driver of `PostgreSQL` logs its input, even passwords: a line of a
/// `.pgpass` that it cannot read, and options of a URL that it does not know.
const TELL_SECRETS: [&str; 2] = ["sqlx_postgres::options::parse", "sqlx_postgres::options::pgpass"];

/// Installs the log settings. A valid `RUST_LOG` overrides their filter.
pub fn install(log: &Log) {
    let variable = std::env::var_os("RUST_LOG").and_then(|filter| filter.into_string().ok());
    let filter = variable.and_then(|filter| parse(&filter).ok());
    let filter = without_secrets(filter.unwrap_or_else(|| log.filter.clone()));
    let lines = fmt::layer().with_writer(io::stderr);
    let lines = if log.json {
        lines.json().boxed()
    } else {
        lines.with_target(false).with_ansi(false).boxed()
    };
    Registry::default().with(lines.with_filter(filter)).init();
}

/// Switches off the targets that may log a secret, even if the filter names them.
fn without_secrets(filter: Targets) -> Targets {
    TELL_SECRETS.iter().fold(filter, |filter, target| filter.with_target(*target, LevelFilter::OFF))
}

/// Reads a filter: a level for everything, levels for targets, or both, separated by commas. The
/// default level for everything is `warn`. Empty parts are ignored.
///
/// # Errors
///
/// When a part is neither a level nor `target=level`.
pub(crate) fn parse(text: &str) -> Result<Targets, ParseError> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let parts: Vec<&str> = parts.collect();
    let filter = if parts.is_empty() { Targets::new() } else { parts.join(",").parse()? };
    let has_level = parts.iter().any(|part| part.parse::<LevelFilter>().is_ok());
    Ok(if has_level { filter } else { filter.with_default(LevelFilter::WARN) })
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn what_may_tell_a_secret_is_never_logged() {
        for text in ["trace", "", "sqlx_postgres=trace", "sqlx_postgres::options::pgpass=trace"] {
            let filter = without_secrets(parse(text).unwrap());
            for target in TELL_SECRETS {
                assert!(!filter.would_enable(target, &Level::ERROR), "{text}: {target}");
            }
            assert!(filter.would_enable("sqlx_postgres", &Level::WARN), "{text}");
        }
    }

    #[test]
    fn warnings_are_logged_unless_the_filter_says_otherwise() {
        for (text, warns, informs) in [
            ("info", true, true),
            ("error", false, false),
            ("off", false, false),
            ("elsewhere=trace", true, false),
            ("elsewhere=trace,info", true, true),
            ("catchment=debug", true, true),
            ("", true, false),
            ("info,", true, true),
            (" elsewhere=trace , error ", false, false),
        ] {
            let filter = parse(text).unwrap();
            let enables = |level: &Level| filter.would_enable("catchment", level);
            assert_eq!((enables(&Level::WARN), enables(&Level::INFO)), (warns, informs), "{text}");
        }
    }
}
