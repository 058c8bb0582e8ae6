//! Log lines on stderr.

use std::io;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, Registry, fmt};

use crate::settings::Log;

/// Installs what the settings say; `RUST_LOG` wins over their filter where it is one.
pub fn install(log: &Log) {
    let variable = std::env::var_os("RUST_LOG").and_then(|filter| filter.into_string().ok());
    let filter = variable.and_then(|filter| filter.parse().ok());
    let filter = filter.unwrap_or_else(|| log.filter.clone());
    let lines = fmt::layer().with_writer(io::stderr);
    let lines = if log.json {
        lines.json().boxed()
    } else {
        lines.with_target(false).with_ansi(false).boxed()
    };
    Registry::default().with(lines.with_filter(at_least_warnings(filter))).init();
}

/// The filter, with warnings of everything that it does not name.
fn at_least_warnings(filter: Targets) -> Targets {
    match filter.default_level() {
        Some(_) => filter,
        None => filter.with_default(LevelFilter::WARN),
    }
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn warnings_are_logged_unless_the_filter_says_otherwise() {
        for (text, warns, informs) in [
            ("info", true, true),
            ("error", false, false),
            ("off", false, false),
            ("elsewhere=trace", true, false),
            ("elsewhere=trace,info", true, true),
            ("catchment=debug", true, true),
        ] {
            let filter = at_least_warnings(text.parse().unwrap());
            let enables = |level: &Level| filter.would_enable("catchment", level);
            assert_eq!((enables(&Level::WARN), enables(&Level::INFO)), (warns, informs), "{text}");
        }
    }
}
