use std::sync::Arc;

use thiserror::Error;

use crate::error::{ReadError, SettingsError};
use crate::profile::RequestStyle;

use super::reply_topic::ReplyTopicError;

/// Where a requester sends and listens.
#[derive(Clone, Debug)]
pub struct RequesterSettings {
    /// The topic of the requests.
    pub requests: Arc<str>,
    /// The topic of the replies.
    pub replies: Arc<str>,
    /// The partition of the replies that is this requester's own.
    pub partition: i32,
    /// Where in that partition reading begins.
    pub start: Start,
    /// How the repliers want to be asked.
    pub style: RequestStyle,
    /// How many calls may wait at the same time.
    pub pending: usize,
    /// How many replies may wait for the reader of batches.
    pub unread: usize,
}

impl RequesterSettings {
    /// The usual settings, for repliers of any kind: 10,000 calls may wait, and 20,000 replies.
    ///
    /// Those repliers choose the partition of a reply by its key. So the reply topic needs a
    /// single partition, or the repliers are of this crate and the style is
    /// [`RequestStyle::OWN`]. A requester that would miss replies does not start.
    #[must_use]
    pub fn new(requests: impl Into<Arc<str>>, replies: impl Into<Arc<str>>) -> Self {
        Self {
            requests: requests.into(),
            replies: replies.into(),
            partition: 0,
            start: Start::End,
            style: RequestStyle::default(),
            pending: 10_000,
            unread: 20_000,
        }
    }
}

/// Where reading begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Behind the newest reply, which is asked for before anything is sent.
    End,
    /// At a position that was stored.
    At(i64),
}

/// What happens to replies once the calls that wait have been looked through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    /// They go: only calls wait for replies.
    Nothing,
    /// They stay until they are released by whoever reads them in batches.
    All,
}

/// Why a requester did not start.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StartError {
    /// The settings are wrong.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// Replies would miss the requester. A human must change the settings or the topic.
    #[error(transparent)]
    ReplyTopic(#[from] ReplyTopicError),
    /// The position of the replies cannot be known.
    #[error("where replies begin could not be asked")]
    Unreadable(#[from] ReadError),
}
