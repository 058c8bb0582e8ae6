use std::fmt::Write as _;

/// A failure in words that a client can act on.
///
/// NestJS has a header for it, and shows its client nothing else. This crate's requester reads it
/// in a header, too. Spring and SmallRye find it in the reply's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure<'a> {
    /// What became of the request.
    pub status: &'a str,
    /// What is wrong, for machines.
    pub code: &'a str,
    /// What is wrong, for people.
    pub message: &'a str,
    /// Whether the same request may succeed later.
    pub retryable: bool,
}

impl Failure<'_> {
    /// The failure as a JSON object with the four names as keys.
    ///
    /// ```
    /// use catchment_request_reply::profile::Failure;
    ///
    /// let failure =
    ///     Failure { status: "rejected", code: "unknown_shop", message: "no \"s1\"", retryable: false };
    /// assert_eq!(
    ///     failure.to_json(),
    ///     r#"{"status":"rejected","code":"unknown_shop","message":"no \"s1\"","retryable":false}"#
    /// );
    /// ```
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut json = String::with_capacity(64 + self.code.len() + self.message.len());
        for (name, text) in
            [("status", self.status), ("code", self.code), ("message", self.message)]
        {
            json.push(if json.is_empty() { '{' } else { ',' });
            push_text(&mut json, name);
            json.push(':');
            push_text(&mut json, text);
        }
        json.push_str(",\"retryable\":");
        json.push_str(if self.retryable { "true}" } else { "false}" });
        json
    }
}

/// Appends a JSON string. Four texts are not worth a library in everybody's build.
fn push_text(json: &mut String, text: &str) {
    json.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => json.extend(['\\', character]),
            '\0'..='\x1f' => {
                // Writing to a string cannot fail.
                let _ = write!(json, "\\u{:04x}", u32::from(character));
            }
            _ => json.push(character),
        }
    }
    json.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_text_is_read_back_by_a_json_parser(
            status in ".*", code in any::<String>(), message in any::<String>(), retryable: bool
        ) {
            let (status, code, message) = (&*status, &*code, &*message);
            let failure = Failure { status, code, message, retryable };
            let read: serde_json::Value = serde_json::from_str(&failure.to_json()).unwrap();
            prop_assert_eq!(read, serde_json::json!({
                "status": status, "code": code, "message": message, "retryable": retryable
            }));
        }
    }
}
