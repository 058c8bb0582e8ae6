//! Section `log`.

use tracing_subscriber::filter::{LevelFilter, ParseError, Targets};

use super::SettingsError;
use super::keys::Keys;

/// Section `log`.
#[derive(Clone, Debug)]
pub struct Log {
    /// Which events are logged.
    pub filter: Targets,
    /// Whether lines are JSON.
    pub json: bool,
}

impl Log {
    pub(super) fn read(keys: &Keys) -> Result<Self, SettingsError> {
        const LEVEL: &str = "log.level";
        let filter = parse(keys.text(LEVEL)?).map_err(|error| {
            keys.refuse(LEVEL, format_args!("expected a level or a filter: {error}"))
        })?;
        let json = match keys.text("log.format")? {
            "json" => true,
            "text" => false,
            _ => return Err(keys.refuse("log.format", "expected `text` or `json`")),
        };
        Ok(Self { filter, json })
    }
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
