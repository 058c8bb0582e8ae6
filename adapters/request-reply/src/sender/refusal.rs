//! Tells errors that will not pass by themselves from those that may.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::error::{Refusal, SendError};
use crate::rights;

/// Why a message to a topic, or a question about it, came to nothing.
pub(super) fn unsent(topic: &str, error: &KafkaError) -> SendError {
    if is_purged(error) {
        let cause = "the client was replaced or closed before it had sent them".to_owned();
        return SendError::Undelivered { cause };
    }
    let cause = rights::missing(error, "Write").unwrap_or_else(|| error.to_string());
    match refusal(error) {
        Some(refusal) => SendError::Refused { topic: topic.to_owned(), refusal, cause },
        None => SendError::Undelivered { cause },
    }
}

/// Whether a message failed because its client was told to forget it.
pub(super) fn is_purged(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(error.rdkafka_error_code(), Some(Code::PurgeQueue | Code::PurgeInflight))
}

/// Everything else may mend; the client itself has waited for topics that are being made.
fn refusal(error: &KafkaError) -> Option<Refusal> {
    use RDKafkaErrorCode as Code;
    match error.rdkafka_error_code()? {
        Code::UnknownTopicOrPartition
        | Code::UnknownTopic
        | Code::UnknownPartition
        | Code::InvalidTopic => Some(Refusal::NoTopic),
        Code::TopicAuthorizationFailed => Some(Refusal::NotAllowed),
        Code::MessageSizeTooLarge => Some(Refusal::TooLarge),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_was_purged_says_what_became_of_its_client() {
        for code in [RDKafkaErrorCode::PurgeQueue, RDKafkaErrorCode::PurgeInflight] {
            let error = unsent("t", &KafkaError::MessageProduction(code));
            assert!(error.to_string().contains("the client was replaced or closed"), "{error}");
        }
    }

    #[test]
    fn what_brokers_mean_for_good_is_refused_and_the_rest_may_mend() {
        use RDKafkaErrorCode as Code;
        for (code, expected) in [
            (Code::UnknownTopicOrPartition, Some(Refusal::NoTopic)),
            (Code::UnknownTopic, Some(Refusal::NoTopic)),
            (Code::UnknownPartition, Some(Refusal::NoTopic)),
            (Code::InvalidTopic, Some(Refusal::NoTopic)),
            (Code::TopicAuthorizationFailed, Some(Refusal::NotAllowed)),
            (Code::MessageSizeTooLarge, Some(Refusal::TooLarge)),
            (Code::MessageTimedOut, None),
            (Code::NotEnoughReplicas, None),
            (Code::BrokerTransportFailure, None),
        ] {
            for error in [KafkaError::MessageProduction(code), KafkaError::MetadataFetch(code)] {
                let found = match unsent("t", &error) {
                    SendError::Refused { topic, refusal, .. } if topic == "t" => Some(refusal),
                    _ => None,
                };
                assert_eq!(found, expected, "{error}");
            }
        }
    }
}
