use std::sync::Arc;

use super::lane::Lane;
use super::{Reply, Watcher};
use crate::error::ReadError;
use crate::reader::Record;

/// The replies of a requester in batches, for one reader that keeps account of positions.
///
/// Replies to calls are among them, and so is whatever else stands in the partition.
/// Replies that are not released stay in memory; when there is no more room, calls are answered
/// only once there is.
#[derive(Debug)]
pub struct ReplyBatches {
    pub(super) lane: Lane,
    pub(super) position: i64,
    // Keeps the task alive that looks at replies first.
    pub(super) _watcher: Arc<Watcher>,
}

impl ReplyBatches {
    /// Where reading begins.
    #[must_use]
    pub const fn position(&self) -> i64 {
        self.position
    }

    /// Up to `max` replies from `from` on; none when there are none yet, or when they must be
    /// fetched first because `from` was released or lies ahead. The same positions hold the same
    /// replies until they are released. Gaps between positions are normal.
    ///
    /// # Errors
    ///
    /// When replies cannot be read now, or are no more; never a silent skip.
    pub fn read(&self, from: i64, max: usize) -> Result<Vec<Record<Reply>>, ReadError> {
        self.lane.read(from, max)
    }

    /// Returns once [`read`](Self::read) from there may have something to say: a reply, or an
    /// error.
    pub async fn wait(&self, from: i64) {
        self.lane.wait(from).await;
    }

    /// Says that nobody needs the replies below `next` any more.
    pub fn release(&self, next: i64) {
        self.lane.release(next);
    }

    /// One past the newest reply; the broker is asked.
    ///
    /// # Errors
    ///
    /// When no broker answers.
    pub async fn end(&self) -> Result<i64, ReadError> {
        self.lane.end().await
    }
}
