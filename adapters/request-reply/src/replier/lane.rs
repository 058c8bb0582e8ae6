//! The lane of one partition: reads, lets handle, answers, commits.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tracing::{debug, warn};

use super::answer::{Arrived, Parsed, reply};
use super::counters::Counts;
use super::{Handler, Outcome, ReplierSettings, handling};
use crate::error::{ReadError, SendError};
use crate::reader::{Commit, Reader, Record};
use crate::reply::{DeadLetterCache, Destination, Outbox, Place, ReplyError, ReplyPath};
use crate::sender::Sender;

/// The first and the longest pause before what did not work is tried again.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// Tries again what the brokers do not do now.
macro_rules! patiently {
    ($lane:expr, $attempt:expr) => {{
        let mut pause = PAUSES.0;
        loop {
            match $attempt.await {
                Ok(done) => break done,
                Err(error) => pause = $lane.pause_after(error.into(), pause).await?,
            }
        }
    }};
}

/// The lane of one partition.
pub(super) struct Lane<H: Handler> {
    pub(super) reader: Reader<Parsed<H>>,
    pub(super) sender: Sender,
    pub(super) path: ReplyPath<Parsed<H>>,
    pub(super) dead_letters: Arc<DeadLetterCache>,
    pub(super) handler: Arc<H>,
    pub(super) counts: Arc<Counts>,
    pub(super) settings: ReplierSettings,
    pub(super) stop: watch::Receiver<bool>,
}

type Batch<H> = Vec<Record<Parsed<H>>>;

impl<H: Handler> Lane<H> {
    /// Answers the partition's requests until it is another's, or the replier stops.
    pub(super) async fn run(&self, partition: i32) -> Result<(), ReadError> {
        let begin = self.begin(partition).await?;
        let mut position = begin;
        let ended = self.work(partition, &mut position).await;
        if begin < position {
            self.finish(partition, position).await;
        }
        ended
    }

    async fn work(&self, partition: i32, position: &mut i64) -> Result<(), ReadError> {
        let mut stop = self.stop.clone();
        let mut pause = PAUSES.0;
        while !*stop.borrow_and_update() {
            match self.reader.read(partition, *position, self.settings.batch).await {
                Ok(batch) if batch.is_empty() => {
                    tokio::select! {
                        () = self.reader.wait(partition, *position) => {}
                        _ = stop.changed() => {}
                    }
                }
                Ok(batch) => {
                    *position = self.answer(partition, batch).await?;
                    pause = PAUSES.0;
                }
                Err(error) => pause = self.pause_after(error.into(), pause).await?,
            }
        }
        Ok(())
    }

    /// The group's position, or the first record that is there.
    async fn begin(&self, partition: i32) -> Result<i64, ReadError> {
        let committed = patiently!(self, self.reader.committed(partition));
        Ok(match committed {
            Some(committed) => committed.next,
            None => patiently!(self, self.reader.watermarks(partition)).low,
        })
    }

    /// Handles a batch and sends its replies; says where the lane goes on.
    async fn answer(&self, partition: i32, batch: Batch<H>) -> Result<i64, ReadError> {
        let next = batch.last().map_or(0, |last| last.offset + 1);
        let requests = batch.iter().map(|record| &record.message.request).collect();
        let outcomes = handling::outcomes(&self.handler, requests).await;
        let mut outbox = Outbox::with_capacity(batch.len());
        for (record, outcome) in batch.iter().zip(outcomes) {
            self.put(partition, record, outcome, &mut outbox).await?;
            if outbox.is_full() {
                self.deliver(&mut outbox).await?;
            }
        }
        self.deliver(&mut outbox).await?;
        self.reader.release(partition, next);
        self.dead_letters.release(partition, next);
        self.reader.commit(partition, &Commit::at(next));
        Ok(next)
    }

    /// Adds the reply to a request, and the request's dead letter where it has to have one.
    async fn put(
        &self,
        partition: i32,
        record: &Record<Parsed<H>>,
        outcome: Outcome,
        outbox: &mut Outbox,
    ) -> Result<(), ReadError> {
        let arrived: &Arrived<_> = &record.message;
        self.note_oddity(arrived, record.offset);
        let place = Place { partition, offset: record.offset };
        let destination = arrived.destination();
        let route = patiently!(self, self.path.route(outbox, &destination));
        let unreadable = arrived.request.as_ref().err();
        if unreadable.is_some() {
            self.counts.note(|counts| counts.unreadable += 1);
        }
        let refused = route.as_ref().err().map(|why| (why.code(), why.to_string()));
        let refused = refused.as_ref().map(|(code, message)| (*code, &**message));
        let reason = unreadable.map(|failure| (&*failure.code, &*failure.message)).or(refused);
        if let Some(reason) = reason {
            patiently!(self, self.path.dead_letter(outbox, place, reason));
        }
        match (route, destination) {
            (Ok(Some(route)), Destination::To(reply_to)) => {
                self.counts.note(|counts| match outcome {
                    Ok(_) => counts.answered += 1,
                    Err(_) => counts.failed += 1,
                });
                let (key, class) = (arrived.key.as_ref(), self.settings.type_id.as_deref());
                let message = reply(&reply_to, route, key, outcome, class);
                let undelivered = reason.is_none().then_some(place);
                outbox.push_reply(message, undelivered, Some(reply_to.failure_header()));
            }
            (Ok(_), _) => self.counts.note(|counts| counts.unanswered += 1),
            (Err(_), _) => {}
        }
        Ok(())
    }

    /// Counts an oddity of reply headers. The request is handled all the same.
    fn note_oddity(&self, arrived: &Arrived<H::Request>, offset: i64) {
        let Some(oddity) = &arrived.oddity else { return };
        self.counts.note(|counts| counts.odd += 1);
        if self.counts.oddities.is_time() {
            warn!(kafka.topic = self.reader.topic(), kafka.offset = offset, "{oddity}");
        }
    }

    /// Returns once all are acknowledged, or refused for good: until then the position does not
    /// move.
    async fn deliver(&self, outbox: &mut Outbox) -> Result<(), ReadError> {
        patiently!(self, self.path.deliver(&self.sender, outbox));
        Ok(())
    }

    /// What was committed in the background may not have got there.
    async fn finish(&self, partition: i32, position: i64) {
        if let Err(error) = self.reader.commit_now(partition, Commit::at(position)).await {
            debug!(kafka.partition = partition, "the last position is not committed: {error}");
        }
    }

    /// Waits where it may help, and says how long to wait the next time.
    async fn pause_after(&self, error: ReplyError, pause: Duration) -> Result<Duration, ReadError> {
        match error {
            ReplyError::Read(ReadError::Unavailable { .. } | ReadError::Refused { .. })
            | ReplyError::Send(
                SendError::Undelivered { .. }
                | SendError::Refused { .. }
                | SendError::TooLarge { .. },
            ) => self.rest(&error.to_string(), pause).await,
            ReplyError::Read(error) => Err(error),
            ReplyError::Send(SendError::Closed) => Err(ReadError::Closed),
            ReplyError::Send(SendError::Fatal { cause }) => Err(ReadError::Fatal { cause }),
        }
    }

    /// A replier that stops leaves what does not work.
    async fn rest(&self, why: &str, pause: Duration) -> Result<Duration, ReadError> {
        if self.counts.attempts.is_time() {
            warn!(kafka.topic = self.reader.topic(), "trying again: {why}");
        }
        let mut stop = self.stop.clone();
        tokio::select! {
            () = tokio::time::sleep(pause) => Ok((pause * 2).min(PAUSES.1)),
            _ = stop.wait_for(|stop| *stop) => Err(ReadError::Closed),
        }
    }
}
