//! Rights that brokers do not grant a client, as they are called in an ACL.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::error::ReadError;

/// Why a topic could not be read.
pub(crate) fn read_error(topic: &str, error: &KafkaError) -> ReadError {
    let topic = topic.to_owned();
    match missing(error, "Read") {
        Some(cause) => ReadError::Refused { topic, cause },
        None => ReadError::Unavailable { topic, cause: error.to_string() },
    }
}

/// What an error says of a right that is missing. The operation is what was tried at a topic or at
/// the cluster. `None` for any other error.
pub(crate) fn missing(error: &KafkaError, operation: &str) -> Option<String> {
    missing_by(error.rdkafka_error_code()?, operation)
}

/// The same for an error code.
pub(crate) fn missing_by(code: RDKafkaErrorCode, operation: &str) -> Option<String> {
    let right = match code {
        RDKafkaErrorCode::TopicAuthorizationFailed => format!("`{operation}` on the topic"),
        RDKafkaErrorCode::ClusterAuthorizationFailed => format!("`{operation}` on the cluster"),
        RDKafkaErrorCode::GroupAuthorizationFailed => {
            "`Describe` on the group; a member of it needs `Read`".to_owned()
        }
        _ => return None,
    };
    Some(format!("no ACL of the brokers grants this client {right}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_missing_right_needs_a_human() {
        for (code, is_refused) in [
            (RDKafkaErrorCode::GroupAuthorizationFailed, true),
            (RDKafkaErrorCode::TopicAuthorizationFailed, true),
            (RDKafkaErrorCode::OperationTimedOut, false),
            (RDKafkaErrorCode::LeaderNotAvailable, false),
        ] {
            let error = read_error("t", &KafkaError::OffsetFetch(code));
            assert_eq!(matches!(error, ReadError::Refused { .. }), is_refused, "{error:?}");
        }
    }

    #[test]
    fn a_right_that_is_missing_is_named_with_what_it_is_for() {
        use RDKafkaErrorCode as Code;
        for (code, right) in [
            (Code::TopicAuthorizationFailed, "`Write` on the topic"),
            (Code::ClusterAuthorizationFailed, "`Write` on the cluster"),
            (
                Code::GroupAuthorizationFailed,
                "`Describe` on the group; a member of it needs `Read`",
            ),
        ] {
            let said = missing(&KafkaError::MetadataFetch(code), "Write");
            let expected = format!("no ACL of the brokers grants this client {right}");
            assert_eq!(said, Some(expected));
        }
        for code in [Code::OperationTimedOut, Code::UnknownTopicOrPartition] {
            assert_eq!(missing(&KafkaError::MetadataFetch(code), "Describe"), None, "{code}");
        }
    }
}
