use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::{sleep, sleep_until};

use super::Reply;
use super::call_error::CallError;
use super::calls::Calls;
use super::settings::Keep;
use super::stray::Strays;
use super::window::{Batch, Window};
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
    window: watch::Sender<Window<Reply>>,
}

impl Lane {
    pub(super) fn new(
        reader: Reader<Reply>,
        partition: i32,
        position: i64,
        capacity: usize,
    ) -> Self {
        let window = watch::Sender::new(Window::new(position, capacity, Reply::size));
        Self { reader, partition, window }
    }

    pub(super) const fn reader(&self) -> &Reader<Reply> {
        &self.reader
    }

    /// One past the newest reply.
    pub(super) async fn end(&self) -> Result<i64, ReadError> {
        Ok(self.reader.watermarks(self.partition).await?.high)
    }

    /// Looks at every reply as it arrives, as long as there is room for it, until the lane
    /// cannot be read any more.
    ///
    /// A task of its own does this, so that the answer to a call never waits until somebody
    /// reads batches.
    pub(super) async fn watch(self, calls: Calls, keep: Keep) {
        let mut pause = PAUSES.0;
        let mut strays = Strays::default();
        loop {
            let place = (self.reader.topic(), self.partition);
            let line_due = strays.report(place, calls.counters(), Instant::now());
            let (generation, cursor, room) = self.place_with_room().await;
            tokio::select! {
                () = self.reader.wait(self.partition, cursor) => {}
                () = self.jumped(generation) => continue,
                () = until(line_due) => continue,
            }
            // Not given up half-way when the lane jumps: it may be telling the client where to
            // read, and two who do so at the same time could leave it at the wrong place.
            let read = self.reader.read(self.partition, cursor, BATCH.min(room)).await;
            let error = match read {
                Ok(records) => {
                    pause = PAUSES.0;
                    self.take(generation, &records, &calls, keep);
                    continue;
                }
                Err(error) => error,
            };
            self.fail(generation, &error);
            match after(&error, keep) {
                After::Pause => {
                    sleep(pause).await;
                    pause = PAUSES.1.min(pause * 2);
                }
                After::Jump(position) => self.jump(position),
                After::Wait => self.jumped(generation).await,
                After::End => return calls.end(&CallError::Unreadable(error)),
            }
        }
    }

    /// Where to read on, and how much, once there is room.
    async fn place_with_room(&self) -> (u64, i64, usize) {
        let mut window = self.window.subscribe();
        let place = |window: &Window<Reply>| (window.generation(), window.cursor(), window.room());
        match window.wait_for(|window| window.room() > 0).await {
            Ok(window) => place(&window),
            // The other end lives in `self`.
            Err(_) => place(&self.window.borrow()),
        }
    }

    /// Answers calls, and moves on. Nothing of it counts if the lane has jumped meanwhile: the
    /// same replies, or none of them, are read again.
    fn take(&self, generation: u64, records: &[Record<Reply>], calls: &Calls, keep: Keep) {
        let Some(last) = records.last() else { return };
        let mut unseen = None;
        self.window.send_if_modified(|window| {
            unseen = window.take(generation, records);
            if keep == Keep::Nothing {
                window.release(i64::MAX);
            }
            unseen.is_some() && keep == Keep::All
        });
        let Some(unseen) = unseen else { return };
        // The window has its own copy, if replies are kept.
        self.reader.release(self.partition, last.offset.saturating_add(1));
        let new = records.iter().filter(|record| unseen <= record.offset);
        for (record, stray) in calls.answer(new) {
            tracing::debug!(
                kafka.topic = self.reader.topic(),
                kafka.partition = self.partition,
                kafka.offset = record.offset,
                correlation_id = record.message.correlation_id().map(tracing::field::debug),
                ?stray,
                "a reply answers no call"
            );
        }
    }

    fn fail(&self, generation: u64, error: &ReadError) {
        if self.window.send_if_modified(|window| window.fail(generation, error.clone())) {
            tracing::warn!(kafka.partition = self.partition, %error, "replies cannot be read");
        }
    }

    fn jump(&self, position: i64) {
        self.window.send_modify(|window| window.jump(position));
    }

    async fn jumped(&self, generation: u64) {
        let mut window = self.window.subscribe();
        // The other end lives in `self`.
        let _ = window.wait_for(|window| window.generation() != generation).await;
    }

    /// Up to `max` of the replies that were looked at, from `from` on.
    pub(super) fn read(&self, from: i64, max: usize) -> Result<Vec<Record<Reply>>, ReadError> {
        let batch = self.window.borrow().read(from, max);
        match batch {
            Batch::Records(records) => Ok(records),
            Batch::Trouble(error) => Err(error),
            Batch::Elsewhere => {
                self.jump(from);
                Ok(Vec::new())
            }
        }
    }

    /// Returns once reading from there may have something to say.
    pub(super) async fn wait(&self, from: i64) {
        let mut window = self.window.subscribe();
        // The other end lives in `self`.
        let _ = window.wait_for(|window| window.is_news(from)).await;
    }

    pub(super) fn release(&self, next: i64) {
        self.window.send_if_modified(|window| window.release(next));
    }

    /// Tells whoever reads batches that there will be no more.
    pub(super) fn close(&self) {
        self.window.send_modify(Window::close);
    }
}

/// Returns at that time, or never.
async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time.into()).await,
        None => std::future::pending().await,
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
        (ReadError::Unavailable { .. } | ReadError::Refused { .. }, _) => After::Pause,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_trouble_is_for_the_reader_of_batches_to_say_where_there_is_one() {
        let unavailable =
            || ReadError::Unavailable { topic: "replies".to_owned(), cause: "down".to_owned() };
        let refused =
            || ReadError::Refused { topic: "replies".to_owned(), cause: "no ACL".to_owned() };
        let truncated = || ReadError::Truncated { from: 1, first: 5 };
        let beyond = || ReadError::Beyond { from: 9, end: 2 };
        let fatal = || ReadError::Fatal { cause: "fenced".to_owned() };
        let cases = [
            (unavailable(), Keep::Nothing, After::Pause),
            (unavailable(), Keep::All, After::Pause),
            (refused(), Keep::All, After::Pause),
            (truncated(), Keep::Nothing, After::Jump(5)),
            (truncated(), Keep::All, After::Wait),
            (beyond(), Keep::Nothing, After::Jump(2)),
            (beyond(), Keep::All, After::Wait),
            (ReadError::NotAssigned { partition: 0 }, Keep::All, After::End),
            (ReadError::Closed, Keep::Nothing, After::End),
            (fatal(), Keep::All, After::End),
        ];
        for (error, keep, expected) in cases {
            assert_eq!(after(&error, keep), expected, "{error:?} {keep:?}");
        }
    }
}
