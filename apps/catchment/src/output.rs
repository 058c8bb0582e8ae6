//! Prints the output of commands: the result on the standard output, everything else on stderr.

use std::fmt::Display;
use std::io::{self, Write};

use catchment_bootstrap::without_secrets_of_arguments;
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use serde::Serialize;

/// The format of results.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    /// Whether results are printed for machines: one JSON value per line.
    pub(crate) json: bool,
}

impl Output {
    /// Prints a line of the result.
    ///
    /// # Errors
    ///
    /// When the standard output cannot be written.
    #[expect(clippy::unused_self, reason = "callers must go through the output")]
    pub(crate) fn line(self, text: impl Display) -> io::Result<()> {
        writeln!(io::stdout(), "{}", lines(&text.to_string()))
    }

    /// Hands over what was printed so far.
    ///
    /// # Errors
    ///
    /// When the standard output cannot be written.
    #[expect(clippy::unused_self, reason = "callers must go through the output")]
    pub(crate) fn flush(self) -> io::Result<()> {
        io::stdout().flush()
    }

    /// Prints a value for machines.
    ///
    /// # Errors
    ///
    /// When the standard output cannot be written.
    pub(crate) fn value(self, value: &impl Serialize) -> io::Result<()> {
        self.line(serde_json::to_string(value)?)
    }
}

/// Writes a message to the user on stderr. If stderr cannot be written, the command goes on.
pub(crate) fn note(text: impl Display) {
    let text = without_secrets_of_arguments(text.to_string());
    let _ = writeln!(io::stderr(), "{}", lines(&text));
}

/// Quotes a text as a word of a shell, for a place behind the options of a command.
pub(crate) fn shell_word(text: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_.:/@+,".contains(c);
    let word = if text.chars().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    };
    // Without `--`, the word would be taken for an option.
    if text.starts_with('-') { format!("-- {word}") } else { word }
}

/// Writes line breaks and other characters that steer a terminal as escapes, so that a text from
/// elsewhere stays in its line.
pub(crate) fn one_line(text: &str) -> String {
    escaped(text, steers)
}

/// Writes the characters that steer a terminal as escapes, but for the ends of lines.
fn lines(text: &str) -> String {
    escaped(text, |character| character != '\n' && steers(character))
}

/// Returns whether a terminal shows something else because of this character: a control character,
/// or a character that sets the direction of the text.
fn steers(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn escaped(text: &str, is_escaped: impl Fn(char) -> bool) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if is_escaped(character) {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Makes a table with these columns. A `>` before a name aligns the column to the right.
pub(crate) fn table(columns: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(columns.iter().map(|name| name.trim_start_matches('>')));
    for (place, name) in columns.iter().enumerate() {
        if let Some(column) = table.column_mut(place) {
            column.set_padding((0, 2));
            if name.starts_with('>') {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
    }
    table
}

/// Formats a table of names and values.
pub(crate) fn facts(rows: &[(&str, String)]) -> String {
    let line = |(name, value): &(&str, String)| format!("{name:<11}{value}").trim_end().to_owned();
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_reaches_a_command_as_it_is() {
        for (text, typed) in [
            ("seoul-1", "seoul-1"),
            ("가게", "가게"),
            ("a b", "'a b'"),
            ("Joe's", r"'Joe'\''s'"),
            ("$(x)", "'$(x)'"),
            ("-1", "-- -1"),
        ] {
            assert_eq!(shell_word(text), typed);
        }
    }

    #[test]
    fn a_text_from_elsewhere_does_not_steer_the_terminal() {
        let text = "red \u{1b}[31m, back \u{202e}, 가게 \\ 'x'\nnext";
        let shown = r"red \u{1b}[31m, back \u{202e}, 가게 \ 'x'";
        assert_eq!(lines(text), format!("{shown}\nnext"));
        assert_eq!(one_line(text), format!(r"{shown}\nnext"));
    }

    #[test]
    fn a_fact_without_a_value_has_no_blanks_behind_its_name() {
        let rows = [("kind", "manual".to_owned()), ("reason", String::new())];
        assert_eq!(facts(&rows), "kind       manual\nreason");
    }
}
