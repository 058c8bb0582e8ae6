use std::fmt::{self, Write as _};

use thiserror::Error;

use crate::error::{ReadError, SendError};
use crate::pending::NotPending;

/// Why a call ended without a reply that says yes.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CallError {
    /// Nothing was sent; when others have ended there is room again.
    #[error(transparent)]
    NotPending(#[from] NotPending),
    /// The request may not have been sent.
    #[error("the request may not have been sent")]
    Undelivered(#[from] SendError),
    /// No reply came in time. A replier that fails may send none.
    #[error("no reply came in time; the request may still take effect")]
    TimedOut,
    /// The replier says that it failed. Where it does so in words of its own, status and code are
    /// `failed`, and the message is all that it says.
    #[error("the replier failed with `{}`: {}", OneLine(.code), OneLine(.message))]
    Failed {
        /// What became of the request: `rejected` or `failed`, if the replier is of this crate.
        status: String,
        /// What is wrong, for machines.
        code: String,
        /// What is wrong, for people.
        message: String,
        /// Whether the same request may succeed later.
        retryable: bool,
    },
    /// The reply has neither a value nor a failure.
    #[error("the reply has no value")]
    Malformed,
    /// Replies cannot be read any more. The request may take effect.
    #[error("replies cannot be read; the request may still take effect")]
    Unreadable(#[source] ReadError),
    /// The requester was closed. The request may take effect, if it was sent.
    #[error("the requester is closed; a request that was sent may still take effect")]
    Closed,
}

/// Shows a peer's text on one line: escapes the characters that could break the line or hide.
struct OneLine<'a>(&'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|character| match character {
            '"' | '\'' => f.write_char(character),
            _ => write!(f, "{}", character.escape_debug()),
        })
    }
}
