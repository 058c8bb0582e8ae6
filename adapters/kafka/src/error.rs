//! What this adapter's technology says, in the words of the ports.

use catchment_domain::Position;
use catchment_domain::ports::{ChannelError, InspectionError, LogError};
use catchment_request_reply::{ReadError, SendError};

use crate::cluster::ClusterError;

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

impl From<ClusterError> for InspectionError {
    fn from(error: ClusterError) -> Self {
        match error {
            ClusterError::Unavailable(_)
            | ClusterError::Unreadable(ReadError::Unavailable { .. }) => {
                Self::Unavailable(error.into())
            }
            ClusterError::Unreadable(_) | ClusterError::Unsent(_) => Self::Unreadable(error.into()),
            ClusterError::Topics(_) | ClusterError::OpenTransaction { .. } => {
                Self::Refused(error.into())
            }
            ClusterError::Settings(_) => Self::Settings(error.into()),
        }
    }
}

/// Why the cluster could not say what was asked.
pub(crate) fn inspection_error(error: impl Into<ClusterError>) -> InspectionError {
    error.into().into()
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
    use catchment_request_reply::{SettingsError, TopicsError};

    use super::*;

    #[test]
    fn only_brokers_that_do_not_answer_are_unavailable() {
        let topic = || "requests".to_owned();
        let cause = || "timed out".to_owned();
        let unread = || ReadError::Unavailable { topic: topic(), cause: cause() };
        let refused = || ReadError::Refused { topic: topic(), cause: "no ACL".to_owned() };
        let brokers = TopicsError::Unavailable { brokers: "kafka:9092".to_owned(), cause: cause() };
        let missing = || ClusterError::Topics("there is no topic `requests`".to_owned());
        let truncated = ReadError::Truncated { from: 1, first: 5 };
        for (error, expected) in [
            (ClusterError::Unavailable(brokers), true),
            (unread().into(), true),
            (refused().into(), false),
            (truncated.into(), false),
            (SettingsError::Brokers.into(), false),
            (missing(), false),
        ] {
            let said = error.to_string();
            let error = InspectionError::from(error);
            assert_eq!(matches!(error, InspectionError::Unavailable(_)), expected, "{error:?}");
            assert_eq!(error.to_string(), said);
        }
    }
}
