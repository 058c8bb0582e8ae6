//! Log lines on stderr.

use std::io;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::settings::Log;

/// Installs what the settings say; `RUST_LOG` wins over their filter.
pub fn install(log: &Log) {
    let filter = EnvFilter::builder()
        .with_default_directive(LevelFilter::WARN.into())
        .try_from_env()
        .unwrap_or_else(|_| EnvFilter::new(&log.filter));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    if log.json {
        lines.json().init();
    } else {
        lines.with_target(false).with_ansi(false).init();
    }
}
