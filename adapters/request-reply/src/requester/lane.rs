use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use super::Reply;
use super::calls::{CallError, Calls};
use super::progress::{Place, Progress};
use crate::error::ReadError;
use crate::reader::{Reader, Record};

/// How many replies are looked at in one go.
const BATCH: usize = 1_000;
/// How long it takes until a lane that could not be read is tried again: at first, and at most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// The partition where a requester's replies arrive.
#[derive(Clone, Debug)]
pub(super) struct Lane {
    reader: Reader<Reply>,
    partition: i32,
    progress: watch::Sender<Progress>,
}

/// What happens to replies once the calls that wait have been looked through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    /// They go: only calls wait for replies.
    Nothing,
    /// They stay until they are released by whoever reads them in batches.
    All,
}

impl Lane {
    pub(super) fn new(reader: Reader<Reply>, partition: i32, position: i64) -> Self {
        Self { reader, partition, progress: watch::Sender::new(Progress::new(position)) }
    }

    pub(super) const fn reader(&self) -> &Reader<Reply> {
        &self.reader
    }

    /// Tells whoever reads batches that there will be no more.
    pub(super) fn close(&self) {
        self.progress.send_modify(Progress::close);
    }

    /// One past the newest reply.
    pub(super) async fn end(&self) -> Result<i64, ReadError> {
        Ok(self.reader.watermarks(self.partition).await?.high)
    }

    /// Looks at every reply as it arrives, as long as the reader has room, until the lane cannot
    /// be read any more.
    ///
    /// A task of its own does this, so that the answer to a call never waits until somebody
    /// reads batches.
    pub(super) async fn watch(self, calls: Calls, keep: Keep) {
        let mut jumps = self.progress.subscribe();
        let mut pause = PAUSES.0;
        loop {
            let (generation, cursor) = {
                let progress = jumps.borrow_and_update();
                (progress.generation(), progress.cursor())
            };
            let records = tokio::select! {
                records = self.next(cursor) => records,
                _ = jumps.wait_for(|progress| progress.generation() != generation) => continue,
            };
            let error = match records {
                Ok(records) => {
                    pause = PAUSES.0;
                    self.look_at(generation, &records, &calls, keep);
                    continue;
                }
                Err(error) => error,
            };
            if self.progress.send_if_modified(|progress| progress.failed(generation, error.clone()))
            {
                tracing::warn!(kafka.partition = self.partition, %error, "replies cannot be read");
            }
            match after(&error, keep) {
                After::Pause => {
                    sleep(pause).await;
                    pause = PAUSES.1.min(pause * 2);
                }
                After::Jump(position) => self.jump(position),
                After::Wait => {
                    let _ = jumps.wait_for(|progress| progress.generation() != generation).await;
                }
                After::End => return calls.end(&CallError::Unreadable(error)),
            }
        }
    }

    async fn next(&self, cursor: i64) -> Result<Vec<Record<Reply>>, ReadError> {
        self.reader.wait(self.partition, cursor).await;
        self.reader.read(self.partition, cursor, BATCH).await
    }

    /// Answers calls, and moves on. Nothing of it counts if the lane has jumped meanwhile: the
    /// same replies, or none of them, are read again.
    fn look_at(&self, generation: u64, records: &[Record<Reply>], calls: &Calls, keep: Keep) {
        let Some(last) = records.last() else { return };
        let next = last.offset.saturating_add(1);
        let is_current =
            self.progress.send_if_modified(|progress| progress.arrived(generation, next));
        if !is_current {
            return;
        }
        let foreign = calls.answer(records.iter().map(|record| &record.message));
        if keep == Keep::Nothing {
            self.release(next);
            if foreign > 0 {
                tracing::debug!(kafka.partition = self.partition, foreign, "replies are not ours");
            }
        }
    }

    /// Up to `max` of the replies that were looked at, from `from` on.
    pub(super) async fn read(
        &self,
        from: i64,
        max: usize,
    ) -> Result<Vec<Record<Reply>>, ReadError> {
        let place = self.progress.borrow().place(from);
        match place {
            Place::AtEnd => Ok(Vec::new()),
            Place::Trouble(error) => Err(error),
            Place::Inside { below } => {
                let mut records = self.reader.read(self.partition, from, max).await?;
                records.retain(|record| record.offset < below);
                if records.is_empty() {
                    self.jump(from);
                }
                Ok(records)
            }
            Place::Elsewhere => {
                self.jump(from);
                Ok(Vec::new())
            }
        }
    }

    /// Returns once reading from there may have something to say.
    pub(super) async fn wait(&self, from: i64) {
        let mut progress = self.progress.subscribe();
        // The other end lives in `self`.
        let _ = progress.wait_for(|progress| progress.is_news(from)).await;
    }

    pub(super) fn release(&self, next: i64) {
        let mut released = None;
        self.progress.send_if_modified(|progress| {
            released = progress.release(next);
            false
        });
        if let Some(next) = released {
            self.reader.release(self.partition, next);
        }
    }

    fn jump(&self, position: i64) {
        self.progress.send_modify(|progress| progress.jump(position));
    }
}

/// What a lane does that could not be read.
#[derive(Debug, PartialEq, Eq)]
enum After {
    Pause,
    Jump(i64),
    Wait,
    End,
}

/// Without a reader of batches nobody else needs what is gone, so calls go on behind it; with
/// one it is for that reader to say where to go on.
fn after(error: &ReadError, keep: Keep) -> After {
    match (error, keep) {
        (ReadError::Unavailable { .. }, _) => After::Pause,
        (
            ReadError::Truncated { first: position, .. } | ReadError::Beyond { end: position, .. },
            Keep::Nothing,
        ) => After::Jump(*position),
        (ReadError::Truncated { .. } | ReadError::Beyond { .. }, Keep::All) => After::Wait,
        (
            ReadError::NotAssigned { .. } | ReadError::Closed | ReadError::Fatal { .. },
            Keep::Nothing | Keep::All,
        ) => After::End,
    }
}
