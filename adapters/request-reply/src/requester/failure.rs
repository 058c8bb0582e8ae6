//! What a replier says of a failure, made into fields.

use serde_json::{Map, Value};

use super::call_error::CallError;

/// The code of a failure that names none.
const UNNAMED: &str = "failed";
/// The most bytes of a status or a code, and of a message.
const LONGEST: (usize, usize) = (200, 8_000);

/// Reads a failure in any replier's words.
///
/// A JSON object with texts `code` and `message` becomes fields, with `status` and `retryable`
/// where they are there, too. Anything else is the message as a whole, so that nothing of it is
/// lost.
pub(super) fn read(words: &[u8]) -> CallError {
    fields(words).unwrap_or_else(|| CallError::Failed {
        status: UNNAMED.to_owned(),
        code: UNNAMED.to_owned(),
        message: bounded(String::from_utf8_lossy(words).into_owned(), LONGEST.1),
        retryable: false,
    })
}

fn fields(words: &[u8]) -> Option<CallError> {
    let mut object: Map<String, Value> = serde_json::from_slice(words).ok()?;
    let status = object.remove("status").unwrap_or_else(|| UNNAMED.into());
    let retryable = object.remove("retryable").unwrap_or(Value::Bool(false));
    let (code, message) = (object.remove("code")?, object.remove("message")?);
    match (status, code, message, retryable) {
        (
            Value::String(status),
            Value::String(code),
            Value::String(message),
            Value::Bool(retryable),
        ) if object.is_empty() && !code.is_empty() => Some(CallError::Failed {
            status: bounded(status, LONGEST.0),
            code: bounded(code, LONGEST.0),
            message: bounded(message, LONGEST.1),
            retryable,
        }),
        _ => None,
    }
}

/// The text, without what is too much of it.
fn bounded(mut text: String, most: usize) -> String {
    text.truncate(text.floor_char_boundary(most));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile;

    fn failed(status: &str, code: &str, message: &str, retryable: bool) -> CallError {
        let [status, code, message] = [status, code, message].map(str::to_owned);
        CallError::Failed { status, code, message, retryable }
    }

    #[test]
    fn our_own_words_become_fields() {
        for (status, code, message, retryable) in [
            ("rejected", "unknown_shop", "there is no shop \"s1\"", false),
            ("failed", "busy", "", true),
            ("", "x", "two\nlines, ü and \u{1f980}", false),
        ] {
            let own = profile::Failure {
                status: status.into(),
                code: code.into(),
                message: message.into(),
                retryable,
            };
            let json = own.to_json();
            assert_eq!(read(json.as_bytes()), failed(status, code, message, retryable), "{json}");
        }
    }

    #[test]
    fn a_nestjs_error_with_code_and_message_becomes_fields_too() {
        for (words, expected) in [
            (r#"{"code":"refused","message":"no"}"#, failed("failed", "refused", "no", false)),
            (
                r#" {"message":"no", "status":"error", "code":"refused"} "#,
                failed("error", "refused", "no", false),
            ),
            (
                r#"{"code":"busy","message":"no","retryable":true}"#,
                failed("failed", "busy", "no", true),
            ),
        ] {
            assert_eq!(read(words.as_bytes()), expected, "{words}");
        }
    }

    #[test]
    fn foreign_words_are_the_message_as_a_whole() {
        let (deep, cut) = ("[".repeat(100_000), "[".repeat(8_000));
        for words in [
            // NestJS: an exception that is no `RpcException`, one of a text, one of an object.
            r#"{"status":"error","message":"Internal server error"}"#,
            "boom",
            r#"{"error":"Bad Request","statusCode":400,"message":["a","b"]}"#,
            r#"{"code":"P2002","message":"unique","meta":{"target":"id"}}"#,
            r#"{"code":404,"message":"not found"}"#,
            r#"{"code":"","message":"no code"}"#,
            r#"{"code":"x","message":null}"#,
            r#"{"code":"x","message":"y","retryable":"yes"}"#,
            r#"{"code":"x","message":"y","retryable":null}"#,
            r#"{"code":"x","message":"y","status":1}"#,
            r#"{"code":"x","message":"y"} trailing"#,
            r#"{"code":"x","message":"y""#,
            r#"["rejected","code","message",false]"#,
            r#""text""#,
            "null",
            "true",
            "1e999",
            "{}",
            "<error>boom</error>",
            "java.lang.IllegalStateException: boom\n\tat Shop.main(Shop.java:1)",
            "\0",
            " ",
        ] {
            assert_eq!(read(words.as_bytes()), failed("failed", "failed", words, false), "{words}");
        }
        assert_eq!(read(b""), failed("failed", "failed", "", false));
        assert_eq!(read(b"\xff\xfeoh"), failed("failed", "failed", "\u{fffd}\u{fffd}oh", false));
        assert_eq!(read(deep.as_bytes()), failed("failed", "failed", &cut, false));
    }

    #[test]
    fn what_is_too_long_is_cut_between_characters() {
        let long = "ü".repeat(5_000);
        let json = format!(r#"{{"status":"{long}","code":"a{long}","message":"a{long}"}}"#);
        let code = format!("a{}", "ü".repeat(99));
        let message = format!("a{}", "ü".repeat(3_999));
        assert_eq!(read(json.as_bytes()), failed(&"ü".repeat(100), &code, &message, false));
        assert_eq!(read(long.as_bytes()), failed("failed", "failed", &"ü".repeat(4_000), false));
    }

    #[test]
    fn an_error_is_one_line_without_control_characters() {
        let error = failed("failed", "a\u{1b}[31m", "\"b\"\r\n\u{202e}c 'ü' \\n\0", false);
        assert_eq!(
            error.to_string(),
            r#"the replier failed with `a\u{1b}[31m`: "b"\r\n\u{202e}c 'ü' \\n\0"#
        );
    }

    proptest::proptest! {
        #[test]
        fn prop_no_words_panic_and_none_are_long(
            words in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200),
            times in 1_usize..200
        ) {
            let error = read(&words.repeat(times));
            let CallError::Failed { message, .. } = &error else { panic!("{error:?}") };
            proptest::prop_assert!(message.len() <= LONGEST.1);
            proptest::prop_assert!(!error.to_string().contains(char::is_control));
        }
    }
}
