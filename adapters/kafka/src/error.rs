//! What this adapter's technology says, in the words of the ports.

use catchment_domain::Position;
use catchment_domain::ports::{ChannelError, LogError};
use catchment_request_reply::{ReadError, SendError};

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

/// The position of an offset; the broker's own are never negative.
pub(crate) fn position(offset: i64) -> Position {
    Position(u64::try_from(offset).unwrap_or_default())
}

/// The offset of a position; one behind all that there are stays behind them.
pub(crate) fn offset(position: Position) -> i64 {
    i64::try_from(position.0).unwrap_or(i64::MAX)
}
