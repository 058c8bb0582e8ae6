//! Log lines on stderr.

use std::io;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, Registry, fmt};

use crate::settings::{Log, parse_filter};

/// The log targets at which the driver of `PostgreSQL` logs its input, even passwords: a line of a
/// `.pgpass` that it cannot read, and options of a URL that it does not know.
const TELL_SECRETS: [&str; 2] = ["sqlx_postgres::options::parse", "sqlx_postgres::options::pgpass"];

/// Installs the log settings. A valid `RUST_LOG` overrides their filter.
pub fn install(log: &Log) {
    let variable = std::env::var_os("RUST_LOG").and_then(|filter| filter.into_string().ok());
    let filter = variable.and_then(|filter| parse_filter(&filter).ok());
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

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn what_may_tell_a_secret_is_never_logged() {
        for text in ["trace", "", "sqlx_postgres=trace", "sqlx_postgres::options::pgpass=trace"] {
            let filter = without_secrets(parse_filter(text).unwrap());
            for target in TELL_SECRETS {
                assert!(!filter.would_enable(target, &Level::ERROR), "{text}: {target}");
            }
            assert!(filter.would_enable("sqlx_postgres", &Level::WARN), "{text}");
        }
    }
}
