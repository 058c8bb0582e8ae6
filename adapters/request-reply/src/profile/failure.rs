use std::borrow::Cow;

use serde_json::Value;

/// A failure in words that a client can act on.
///
/// NestJS has a header for it, and shows its client nothing else. This crate's requester reads it
/// in a header, too. Spring and SmallRye find it in the reply's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure<'a> {
    /// What became of the request.
    pub status: Cow<'a, str>,
    /// What is wrong, for machines.
    pub code: Cow<'a, str>,
    /// What is wrong, for people.
    pub message: Cow<'a, str>,
    /// Whether the same request may succeed later.
    pub retryable: bool,
}

impl<'a> Failure<'a> {
    /// A request that cannot be done, now or later.
    pub fn rejected(code: impl Into<Cow<'a, str>>, message: impl Into<Cow<'a, str>>) -> Self {
        let (code, message) = (code.into(), message.into());
        Self { status: "rejected".into(), code, message, retryable: false }
    }

    /// A request that may succeed when it is sent again.
    pub fn failed(code: impl Into<Cow<'a, str>>, message: impl Into<Cow<'a, str>>) -> Self {
        let (code, message) = (code.into(), message.into());
        Self { status: "failed".into(), code, message, retryable: true }
    }

    /// The failure as a JSON object with the four names as keys.
    ///
    /// ```
    /// use catchment_request_reply::profile::Failure;
    ///
    /// assert_eq!(
    ///     Failure::rejected("unknown_shop", "no \"s1\"").to_json(),
    ///     r#"{"status":"rejected","code":"unknown_shop","message":"no \"s1\"","retryable":false}"#
    /// );
    /// ```
    #[must_use]
    pub fn to_json(&self) -> String {
        let [status, code, message] =
            [&self.status, &self.code, &self.message].map(|text| Value::from(&**text));
        let retryable = self.retryable;
        format!(
            r#"{{"status":{status},"code":{code},"message":{message},"retryable":{retryable}}}"#
        )
    }
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
            let failure = Failure {
                status: status.into(),
                code: code.into(),
                message: message.into(),
                retryable,
            };
            let read: serde_json::Value = serde_json::from_str(&failure.to_json()).unwrap();
            prop_assert_eq!(read, serde_json::json!({
                "status": status, "code": code, "message": message, "retryable": retryable
            }));
        }
    }
}
