//! Text that stays where it is.

use std::borrow::Cow;
use std::ops::Deref;

use serde::{Deserialize, Serialize};

/// Text of a message, borrowed from it where it has no escapes.
///
/// Serde borrows a `Cow` that is a field, but not one inside an `Option`: hence a type.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(transparent)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(inline))]
pub(super) struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Self(Cow::Borrowed(text))
    }
}

impl From<String> for Text<'_> {
    fn from(text: String) -> Self {
        Self(Cow::Owned(text))
    }
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_copied_only_where_it_has_escapes() {
        for (json, text, is_borrowed) in
            [(r#""text""#, "text", true), (r#""te\u0078t""#, "text", false)]
        {
            let json = format!("[{json},null]");
            let read: [Option<Text<'_>>; 2] = serde_json::from_str(&json).unwrap();
            let [Some(Text(read)), None] = &read else { panic!("{read:?}") };
            assert_eq!((&**read, matches!(read, Cow::Borrowed(_))), (text, is_borrowed));
        }
    }
}
