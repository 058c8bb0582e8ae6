//! The records of one lane, from the first that is still needed to the newest.

use std::collections::VecDeque;
use std::sync::Mutex;

use catchment_domain::Position;
use catchment_domain::ports::LogError;
use tokio::sync::Notify;

use crate::lock;

/// The records of one lane.
#[derive(Debug)]
pub(super) struct Track<T> {
    records: Mutex<Records<T>>,
    grown: Notify,
    shrunk: Notify,
}

#[derive(Debug)]
struct Records<T> {
    /// The position of the first record in `kept`. Everything below was released.
    first: u64,
    kept: VecDeque<T>,
}

impl<T> Records<T> {
    fn end(&self) -> u64 {
        self.first + self.kept.len() as u64
    }

    fn check_end(&self, from: Position) -> Result<(), LogError> {
        let end = Position(self.end());
        if end < from { Err(LogError::Beyond { from, end }) } else { Ok(()) }
    }

    /// Returns the place in `kept` of a position that is not below `first`.
    fn place(&self, position: u64) -> usize {
        usize::try_from(position - self.first).unwrap_or(usize::MAX).min(self.kept.len())
    }
}

impl<T> Track<T> {
    pub(super) fn new() -> Self {
        let records = Records { first: 0, kept: VecDeque::new() };
        Self { records: Mutex::new(records), grown: Notify::new(), shrunk: Notify::new() }
    }

    /// Appends items while fewer than `capacity` records are kept. Returns whether all items had
    /// room.
    pub(super) fn append<I>(
        &self,
        items: &mut std::iter::Peekable<I>,
        capacity: usize,
        record: impl Fn(Position, I::Item) -> T,
    ) -> bool
    where
        I: Iterator,
    {
        let mut records = lock(&self.records);
        while records.kept.len() < capacity
            && let Some(item) = items.next()
        {
            let position = Position(records.end());
            records.kept.push_back(record(position, item));
        }
        drop(records);
        self.grown.notify_waiters();
        items.peek().is_none()
    }

    /// Waits until fewer than `capacity` records are kept.
    pub(super) async fn room(&self, capacity: usize) {
        until(&self.shrunk, || lock(&self.records).kept.len() < capacity).await;
    }

    /// Waits until there is a record at `from` or behind it.
    pub(super) async fn wait(&self, from: Position) {
        until(&self.grown, || from.0 < lock(&self.records).end()).await;
    }

    pub(super) fn end(&self) -> Position {
        Position(lock(&self.records).end())
    }

    pub(super) fn release(&self, next: Position) {
        let mut records = lock(&self.records);
        if records.first < next.0 {
            let count = records.place(next.0);
            records.kept.drain(..count);
            records.first += count as u64;
            drop(records);
            self.shrunk.notify_waiters();
        }
    }
}

impl<T: Clone> Track<T> {
    pub(super) fn read(&self, from: Position, max: usize) -> Result<Vec<T>, LogError> {
        let records = lock(&self.records);
        records.check_end(from)?;
        if from.0 < records.first {
            return Err(LogError::Truncated { from, first: Position(records.first) });
        }
        Ok(records.kept.range(records.place(from.0)..).take(max).cloned().collect())
    }

    /// Returns the record before a position, if it is still kept.
    pub(super) fn before(&self, position: Position) -> Result<Option<T>, LogError> {
        let records = lock(&self.records);
        records.check_end(position)?;
        let before = position.0.checked_sub(1).filter(|before| records.first <= *before);
        Ok(before.and_then(|before| records.kept.get(records.place(before))).cloned())
    }
}

/// Waits until `is_met` returns `true`. Each notice makes it check again.
async fn until(notice: &Notify, is_met: impl Fn() -> bool) {
    loop {
        // Listening begins before the check, so that a change in between is not missed.
        let notified = notice.notified();
        tokio::pin!(notified);
        notified.as_mut().enable();
        if is_met() {
            return;
        }
        notified.await;
    }
}
