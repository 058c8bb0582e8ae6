//! Formats errors as one line for users, without secrets.

use catchment_seaorm::DatabaseUrl;
use clap::error::ContextValue;

/// Joins an error and its sources into one line. Leaves out a source with which the line already
/// ends.
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

/// Returns the message of clap without the usage text, which `--help` shows, and without the
/// password of a URL in a wrong place.
#[must_use]
pub fn without_usage(error: &clap::Error) -> String {
    let words = error.context().filter_map(|(_, value)| match value {
        ContextValue::String(word) => Some(word.as_str()),
        _ => None,
    });
    let text = without(error.to_string(), words);
    let said = text.split("\n\nUsage:").next().unwrap_or_default();
    let said = said.split("\n\nFor more information").next().unwrap_or_default();
    said.trim_start_matches("error: ").replace("\n\n  tip:", "; tip:")
}

/// Hides the secrets in a line that an argument of this process may have brought in: a user may
/// give the URL of a database instead of a file, a shop or a number.
#[must_use]
pub fn without_secrets_of_arguments(line: String) -> String {
    let arguments = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned());
    let arguments: Vec<String> = arguments.collect();
    without(line, arguments.iter().map(|word| value_of(word)))
}

/// Returns the value of an option, or the whole word if it is not an option with a value.
fn value_of(argument: &str) -> &str {
    let value = argument.strip_prefix("--").and_then(|option| option.split_once('='));
    value.map_or(argument, |(_, value)| value)
}

/// Redacts these words in a line.
pub(crate) fn without<'a>(line: String, words: impl IntoIterator<Item = &'a str>) -> String {
    words.into_iter().fold(line, |line, word| {
        let shown = DatabaseUrl::redact_in(word);
        if shown == word { line } else { line.replace(word, &shown) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{what}")]
    struct Told {
        what: &'static str,
        source: Option<Box<Told>>,
    }

    #[test]
    fn what_a_source_repeats_is_said_once() {
        for (said, expected) in [
            (vec!["could not read", "timed out"], "could not read: timed out"),
            (
                vec!["away: no answer: timed out", "no answer: timed out", "timed out"],
                "away: no answer: timed out",
            ),
            (vec!["timed out", "timed out"], "timed out"),
            (vec!["timed out"], "timed out"),
        ] {
            let told = said
                .into_iter()
                .rev()
                .fold(None, |source, what| Some(Box::new(Told { what, source })));
            assert_eq!(chain(&*told.unwrap()), expected);
        }
    }

    #[test]
    fn a_word_that_may_hold_a_secret_is_hidden_wherever_the_line_has_it() {
        let words = ["--ids=postgres://me:hunter2@db", "me:hunter2@kafka:9092", "a:b", ""];
        let line = "could not read postgres://me:hunter2@db: `me:hunter2@kafka:9092`, a:b";
        let shown = without(line.to_owned(), words.map(value_of));
        assert_eq!(shown, "could not read postgres://me:***@db: `***`, a:b");
    }
}
