//! Writes JSON arrays of texts, for statements that take any number of texts.

use std::fmt::Write as _;

/// Returns a JSON array of texts.
pub(crate) fn texts<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let mut json = String::from("[");
    for text in texts {
        if 1 < json.len() {
            json.push(',');
        }
        push_text(&mut json, text);
    }
    json.push(']');
    json
}

fn push_text(json: &mut String, text: &str) {
    json.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => json.extend(['\\', character]),
            '\0'..='\u{1f}' => {
                // Writing to a string does not fail.
                write!(json, "\\u{:04x}", u32::from(character)).ok();
            }
            character => json.push(character),
        }
    }
    json.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_is_read_as_written() {
        let all: String = ('\0'..='\u{ff}').chain(['가', '🛵']).collect();
        let written = texts(["", "a", &all]);
        let read: Vec<String> = serde_json::from_str(&written).unwrap();
        assert_eq!(read, ["", "a", &all]);
        assert_eq!(texts([]), "[]");
    }
}
