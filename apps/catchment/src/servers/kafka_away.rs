//! Tells whether something failed only because Kafka does not answer.

use catchment_bootstrap::service::lanes::LookError;
use catchment_kafka::{ClusterError, ReadError};

/// Returns whether an error says only that Kafka does not answer now: it may answer later, and
/// nothing needs to be changed. A right that is missing, a topic that is missing and an error of the
/// database are other errors.
pub(crate) fn is_kafka_away(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        // These errors show the message of their source as their own, so their source is not in the
        // chain.
        let of_look = cause.downcast_ref().and_then(|error: &LookError| match error {
            LookError::Kafka(error) => Some(error),
            LookError::Store(_) => None,
        });
        let of_cluster = match cause.downcast_ref().or(of_look) {
            Some(ClusterError::Unavailable(_)) => return true,
            Some(ClusterError::Unreadable(error)) => Some(error),
            Some(_) | None => None,
        };
        let read = cause.downcast_ref().or(of_cluster);
        matches!(read, Some(ReadError::Unavailable { .. }))
    })
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;
    use catchment_bootstrap::service::topics::AgeError;
    use catchment_domain::ports::{LogError, StoreError};
    use catchment_kafka::{SettingsError, TopicsError};

    use super::*;

    #[test]
    fn only_brokers_that_do_not_answer_are_away() {
        let topic = || "requests".to_owned();
        let cause = || "timed out".to_owned();
        let unread = || ReadError::Unavailable { topic: topic(), cause: cause() };
        let refused = || ReadError::Refused { topic: topic(), cause: "no ACL".to_owned() };
        let brokers = TopicsError::Unavailable { brokers: "kafka:9092".to_owned(), cause: cause() };
        let store = || StoreError::Unavailable("connection refused".into());
        let damage = || StoreError::BadData { what: "lane_state.epoch".to_owned() };
        let log = |error: ReadError| AgeError::Log(LogError::Unavailable(error.into()));
        let settings = ClusterError::Settings(SettingsError::Brokers);
        let missing = || ClusterError::Topics("there is no topic `requests`".to_owned());
        let truncated = ReadError::Truncated { from: 1, first: 5 };
        for (error, expected) in [
            (anyhow::Error::from(ClusterError::Unavailable(brokers)), true),
            (ClusterError::Unreadable(unread()).into(), true),
            (LookError::Kafka(ClusterError::Unreadable(unread())).into(), true),
            (log(unread()).into(), true),
            (log(refused()).into(), false),
            (ClusterError::Unreadable(refused()).into(), false),
            (ClusterError::Unreadable(truncated).into(), false),
            (settings.into(), false),
            (missing().into(), false),
            (LookError::Kafka(missing()).into(), false),
            (LookError::Store(store()).into(), false),
            (LookError::Store(damage()).into(), false),
            (AgeError::Store(store()).into(), false),
            (store().into(), false),
            (anyhow::anyhow!("there is no topic"), false),
        ] {
            let error = Err::<(), _>(error).context("could not look").unwrap_err();
            assert_eq!(is_kafka_away(&error), expected, "{error:#}");
        }
    }
}
