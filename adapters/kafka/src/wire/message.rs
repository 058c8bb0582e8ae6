//! What is wrong with a message, for people.

use std::fmt::{self, Write};

/// The most characters of a message that is stored with an outcome.
const MAX: usize = 240;

/// A message of bounded length without control characters, whatever it quotes.
pub(super) fn bounded(message: fmt::Arguments<'_>) -> Box<str> {
    let mut out = Bounded { text: String::new(), left: MAX };
    if out.write_fmt(message).is_err() {
        out.text.push('…');
    }
    out.text.into_boxed_str()
}

/// Takes so many characters, and then no more.
struct Bounded {
    text: String,
    left: usize,
}

impl Write for Bounded {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        for character in part.chars() {
            self.left = self.left.checked_sub(1).ok_or(fmt::Error)?;
            self.text.push(if character.is_control() { ' ' } else { character });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_short_and_visible() {
        assert_eq!(&*bounded(format_args!("a\n{}", "b\0")), "a b ");
        let long = bounded(format_args!("{}", "가".repeat(1_000_000)));
        assert_eq!(long.chars().count(), MAX + 1);
        assert!(long.ends_with('…'));
    }
}
