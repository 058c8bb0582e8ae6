//! Errors as one line for a person.

use catchment_seaorm::DatabaseUrl;
use clap::error::ContextValue;

/// An error and its sources, in one line. A source that the line already ends with is left out.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let said = error.to_string();
        if !line.ends_with(&said) {
            line = format!("{line}: {said}");
        }
        source = error.source();
    }
    line
}

/// The message of clap without the usage text, which `--help` shows, and without the password of
/// a URL that stands where no URL belongs.
#[must_use]
pub fn without_usage(error: &clap::Error) -> String {
    let mut text = error.to_string();
    for (_, value) in error.context() {
        if let ContextValue::String(word) = value {
            text = text.replace(word, &DatabaseUrl::redact_in(word));
        }
    }
    let said = text.split("\n\nUsage:").next().unwrap_or_default();
    let said = said.split("\n\nFor more information").next().unwrap_or_default();
    said.trim_start_matches("error: ").replace("\n\n  tip:", "; tip:")
}
