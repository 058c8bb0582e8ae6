use serde_json::Value;

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
        let [status, code, message] = [self.status, self.code, self.message].map(Value::from);
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
            let failure = Failure { status, code, message, retryable };
            let read: serde_json::Value = serde_json::from_str(&failure.to_json()).unwrap();
            prop_assert_eq!(read, serde_json::json!({
                "status": status, "code": code, "message": message, "retryable": retryable
            }));
        }
    }
}
