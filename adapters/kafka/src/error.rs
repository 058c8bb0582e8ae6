//! What this adapter's technology says, in the words of the ports.

use catchment_domain::Position;
use catchment_domain::ports::{ChannelError, InspectionError, LogError};
use catchment_request_reply::{ReadError, SendError, SettingsError, TopicsError};

/// Why a log could not be read.
pub(crate) fn log_error(error: ReadError) -> LogError {
    match error {
        ReadError::Truncated { from, first } => {
            LogError::Truncated { from: position(from), first: position(first) }
        }
        ReadError::Beyond { from, end } => {
            LogError::Beyond { from: position(from), end: position(end) }
        }
        // A lane that was revoked is told of by a group event.
        // A right that is missing may be granted while the service goes on.
        ReadError::Unavailable { .. }
        | ReadError::Refused { .. }
        | ReadError::NotAssigned { .. } => LogError::Unavailable(error.into()),
        ReadError::Closed | ReadError::Fatal { .. } => LogError::Closed,
    }
}

/// Why messages may not have been sent.
pub(crate) fn channel_error(error: SendError) -> ChannelError {
    match error {
        SendError::Closed | SendError::Fatal { .. } => ChannelError::Closed,
        SendError::Undelivered { .. } | SendError::Refused { .. } | SendError::TooLarge { .. } => {
            ChannelError::Unknown(error.into())
        }
    }
}

/// Why the logs could not be inspected.
pub(crate) fn read_failed(error: ReadError) -> InspectionError {
    match error {
        ReadError::Unavailable { .. } => InspectionError::Unavailable(error.into()),
        _ => InspectionError::Unreadable(error.into()),
    }
}

/// Why topics could not be looked at or made.
pub(crate) fn topics_failed(error: TopicsError) -> InspectionError {
    match error {
        TopicsError::Unavailable { .. } => InspectionError::Unavailable(error.into()),
        TopicsError::Refused { .. } => InspectionError::Refused(error.into()),
    }
}

/// Why there is no client.
pub(crate) fn settings_failed(error: SettingsError) -> InspectionError {
    InspectionError::Settings(error.into())
}

/// The position of an offset; the broker's own are never negative.
pub(crate) fn position(offset: i64) -> Position {
    Position(u64::try_from(offset).unwrap_or_default())
}

/// The offset of a position; one behind all that there are stays behind them.
pub(crate) fn offset(position: Position) -> i64 {
    i64::try_from(position.0).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_brokers_that_do_not_answer_are_unavailable() {
        let topic = || "requests".to_owned();
        let cause = || "timed out".to_owned();
        let unread = ReadError::Unavailable { topic: topic(), cause: cause() };
        let refused = ReadError::Refused { topic: topic(), cause: "no ACL".to_owned() };
        let truncated = ReadError::Truncated { from: 1, first: 5 };
        let brokers = TopicsError::Unavailable { brokers: "kafka:9092".to_owned(), cause: cause() };
        let denied = TopicsError::Refused { topic: topic(), cause: "no ACL".to_owned() };
        for (error, is_unavailable) in [
            (read_failed(unread), true),
            (read_failed(refused), false),
            (read_failed(truncated), false),
            (topics_failed(brokers), true),
            (topics_failed(denied), false),
            (settings_failed(SettingsError::Brokers), false),
        ] {
            let found = matches!(error, InspectionError::Unavailable(_));
            assert_eq!(found, is_unavailable, "{error:?}");
        }
    }
}
