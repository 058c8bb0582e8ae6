//! The lane of one partition: reads, lets handle, answers, commits.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use tokio::sync::watch;
use tracing::{debug, warn};

use super::answer::{Arrived, Destination, dead_letter, reply};
use super::counters::{Counts, one_more, some_more};
use super::lanes::Parsed;
use super::outgoing::{Outgoing, Smaller, Source};
use super::{Failure, Handler, ReplierSettings, Reply};
use crate::error::{ReadError, Refusal, SendError};
use crate::profile::DeadLetter;
use crate::reader::{Commit, Reader, Record};
use crate::sender::Sender;

/// The first and the longest pause before what did not work is tried again.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// The lane of one partition.
pub(super) struct Lane<H: Handler> {
    pub(super) reader: Reader<Parsed<H>>,
    pub(super) sender: Sender,
    pub(super) handler: Arc<H>,
    pub(super) counts: Arc<Counts>,
    pub(super) settings: Arc<ReplierSettings>,
    pub(super) group: Arc<str>,
    pub(super) stop: watch::Receiver<bool>,
}

impl<H: Handler> Clone for Lane<H> {
    fn clone(&self) -> Self {
        Self {
            reader: self.reader.clone(),
            sender: self.sender.clone(),
            handler: Arc::clone(&self.handler),
            counts: Arc::clone(&self.counts),
            settings: Arc::clone(&self.settings),
            group: Arc::clone(&self.group),
            stop: self.stop.clone(),
        }
    }
}

type Batch<H> = Vec<Record<Parsed<H>>>;
type Outcome = Result<Reply, Failure>;

impl<H: Handler> Lane<H> {
    /// Answers the partition's requests until it is another's, or the replier stops.
    pub(super) async fn run(self, partition: i32) -> Result<(), ReadError> {
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
                Err(error) => pause = self.pause_after(error, pause).await?,
            }
        }
        Ok(())
    }

    /// The group's position, or the first record that is there.
    async fn begin(&self, partition: i32) -> Result<i64, ReadError> {
        let mut pause = PAUSES.0;
        loop {
            let asked = async {
                match self.reader.committed(partition).await? {
                    Some(committed) => Ok(committed.next),
                    None => self.reader.watermarks(partition).await.map(|marks| marks.low),
                }
            };
            match asked.await {
                Ok(position) => return Ok(position),
                Err(error) => pause = self.pause_after(error, pause).await?,
            }
        }
    }

    /// Handles a batch and sends its replies; says where the lane goes on.
    async fn answer(&self, partition: i32, batch: Batch<H>) -> Result<i64, ReadError> {
        let next = batch.last().map_or(0, |last| last.offset + 1);
        let outcomes = self.handle(&batch).await;
        let mut outgoing = Outgoing::default();
        for (record, outcome) in batch.iter().zip(&outcomes) {
            self.message(partition, record, outcome, &mut outgoing).await?;
        }
        self.send(partition, outgoing).await?;
        self.reader.release(partition, next);
        self.reader.commit(partition, &Commit::at(next));
        Ok(next)
    }

    /// An outcome for each request. What cannot be read, and what a handler leaves out, fails.
    async fn handle(&self, batch: &[Record<Parsed<H>>]) -> Vec<Outcome> {
        let readable = batch.iter().filter_map(|record| record.message.request.as_ref().ok());
        let requests: Vec<_> = readable.cloned().collect();
        let mut outcomes = self.outcomes(requests).await.into_iter();
        let outcome = |record: &Record<Parsed<H>>| match &record.message.request {
            Ok(_) => outcomes.next().unwrap_or_else(|| Err(handler_failed("no outcome"))),
            Err(failure) => Err(failure.clone()),
        };
        batch.iter().map(outcome).collect()
    }

    /// What the handler says of requests, one outcome each.
    async fn outcomes(&self, requests: Vec<H::Request>) -> Vec<Outcome> {
        let count = requests.len();
        if count == 0 {
            return Vec::new();
        }
        let handler = Arc::clone(&self.handler);
        // On a task of its own, so that its panic ends there.
        match tokio::spawn(async move { handler.handle(requests).await }).await {
            Ok(outcomes) if outcomes.len() == count => outcomes,
            Ok(_) => failed(count, "the handler did not say what came of each request"),
            Err(_) => failed(count, "the handler panicked"),
        }
    }

    /// Adds what answers a request, and the request's dead letter where it has to have one.
    async fn message(
        &self,
        partition: i32,
        record: &Record<Parsed<H>>,
        outcome: &Outcome,
        outgoing: &mut Outgoing,
    ) -> Result<(), ReadError> {
        let arrived: &Arrived<_> = &record.message;
        self.note_oddity(arrived, record.offset);
        let reason = match arrived.destination(&self.settings.allowed) {
            Destination::Refused(why) => Some(self.refused(why)),
            Destination::Nowhere => {
                one_more(&self.counts.unanswered);
                None
            }
            Destination::There(reply_to) => match self.partitions(reply_to.topic()).await? {
                None => Some(self.refused("the reply topic is not there")),
                Some(count) => {
                    let asked = reply_to.partition().number();
                    let chosen = asked.filter(|asked| (0..count).contains(asked));
                    if chosen != asked {
                        one_more(&self.counts.misdirected);
                    }
                    let reply = reply(&reply_to, chosen, arrived.key.as_ref(), outcome);
                    outgoing.push_reply(record.offset, reply);
                    one_more(self.counted(outcome));
                    None
                }
            },
        };
        let unreadable = arrived.request.as_ref().err();
        if unreadable.is_some() {
            one_more(&self.counts.unreadable);
        }
        let unreadable = unreadable.map(|failure| (&*failure.code, &*failure.message));
        if let Some(reason) = reason.or(unreadable) {
            self.dead_letter(partition, record.offset, reason, outgoing).await?;
        }
        Ok(())
    }

    /// Counts an oddity of reply headers. The request is handled all the same.
    fn note_oddity(&self, arrived: &Arrived<H::Request>, offset: i64) {
        let Some(oddity) = &arrived.oddity else { return };
        one_more(&self.counts.odd);
        if self.counts.may_complain() {
            warn!(kafka.topic = self.reader.topic(), kafka.offset = offset, "{oddity}");
        }
    }

    fn counted(&self, outcome: &Outcome) -> &AtomicU64 {
        if outcome.is_ok() { &self.counts.answered } else { &self.counts.failed }
    }

    /// Counts; says why the request becomes a dead letter.
    fn refused(&self, why: &'static str) -> (&'static str, &'static str) {
        one_more(&self.counts.refused);
        if self.counts.may_complain() {
            warn!(kafka.topic = self.reader.topic(), "replies refused: {why}");
        }
        ("reply_topic_refused", why)
    }

    /// How many partitions a topic has, `None` where it is not for us; asks until a broker
    /// answers.
    async fn partitions(&self, topic: &str) -> Result<Option<i32>, ReadError> {
        let mut pause = PAUSES.0;
        loop {
            match self.sender.partitions(topic).await {
                Ok(found) => return Ok(found),
                Err(SendError::Refused { .. }) => return Ok(None),
                Err(error) => pause = self.pause_after_send(&error, pause).await?,
            }
        }
    }

    /// Adds the dead letter of a record: none where there is no topic for it, or the record is
    /// gone.
    async fn dead_letter(
        &self,
        partition: i32,
        offset: i64,
        reason: (&str, &str),
        outgoing: &mut Outgoing,
    ) -> Result<(), ReadError> {
        let topic: Arc<str> = DeadLetter::topic(self.reader.topic()).into();
        let has_room = self.partitions(&topic).await?.is_some_and(|count| partition < count);
        let mut pause = PAUSES.0;
        let original = loop {
            match self.reader.fetch(partition, offset).await {
                Ok(original) => break original.filter(|_| has_room),
                Err(error) => pause = self.pause_after(error, pause).await?,
            }
        };
        if let Some(original) = original {
            outgoing.push_letter(offset, dead_letter(&original, &topic, &self.group, reason));
        } else {
            self.lose_letter(partition, offset);
        }
        Ok(())
    }

    /// Counts a request whose dead letter cannot be written.
    fn lose_letter(&self, partition: i32, offset: i64) {
        one_more(&self.counts.lost);
        if self.counts.may_complain() {
            let topic = self.reader.topic();
            warn!(
                kafka.topic = topic,
                kafka.partition = partition,
                kafka.offset = offset,
                "could not write the dead letter of a request"
            );
        }
    }

    /// Returns once all are acknowledged, or refused for good: until then the position does not
    /// move.
    async fn send(&self, partition: i32, outgoing: Outgoing) -> Result<(), ReadError> {
        let mut waiting = VecDeque::from([outgoing]);
        let mut pause = PAUSES.0;
        while let Some(mut piece) = waiting.pop_front() {
            match self.sender.send(&piece.messages).await {
                Ok(()) => {
                    some_more(&self.counts.dead_lettered, piece.letters());
                    pause = PAUSES.0;
                }
                Err(SendError::TooLarge { index, bytes, limit }) => {
                    match piece.cut(index) {
                        None => {
                            warn!(bytes, limit, "a message is too large: its value is left out");
                        }
                        Some(source) => self.give_up(partition, source, "it is too large"),
                    }
                    waiting.push_front(piece);
                }
                Err(SendError::Refused { topic, refusal: Refusal::TooLarge, cause }) => {
                    let smaller = piece.smaller();
                    self.put_smaller(partition, smaller, (&topic, &cause), &mut waiting);
                }
                Err(SendError::Refused { topic, refusal, cause }) => {
                    let letters = self.redirect(partition, &mut piece, &topic, refusal).await?;
                    match letters {
                        Some(letters) => waiting.push_front(letters),
                        None => pause = self.rest(&cause, pause).await?,
                    }
                    waiting.push_front(piece);
                }
                Err(error) => {
                    pause = self.pause_after_send(&error, pause).await?;
                    waiting.push_front(piece);
                }
            }
        }
        Ok(())
    }

    /// A topic takes smaller messages only than this client knows.
    fn put_smaller(
        &self,
        partition: i32,
        smaller: Smaller,
        (topic, cause): (&str, &str),
        waiting: &mut VecDeque<Outgoing>,
    ) {
        match smaller {
            Smaller::Halves(first, second) => {
                waiting.push_front(second);
                waiting.push_front(first);
            }
            Smaller::Shortened(piece) => {
                self.complain(topic, cause);
                waiting.push_front(piece);
            }
            Smaller::Nothing(source) => self.give_up(partition, source, cause),
        }
    }

    /// Takes out what a topic does not take, and says what is sent instead: the requests become
    /// dead letters. `None` where the topic is there after all.
    async fn redirect(
        &self,
        partition: i32,
        piece: &mut Outgoing,
        topic: &str,
        refusal: Refusal,
    ) -> Result<Option<Outgoing>, ReadError> {
        let there = match refusal {
            Refusal::NoTopic => self.partitions(topic).await?,
            Refusal::NotAllowed | Refusal::TooLarge => None,
        };
        let has = |wanted: Option<i32>| there.is_some_and(|count| wanted.is_none_or(|n| n < count));
        let lost = piece.take(|message| *message.topic == *topic && !has(message.partition));
        if lost.is_empty() {
            return Ok(None);
        }
        let mut letters = Outgoing::default();
        for Source { offset, is_letter } in lost {
            if is_letter {
                self.lose_letter(partition, offset);
            } else {
                let reason = self.refused("the reply topic is gone, or does not take replies");
                self.dead_letter(partition, offset, reason, &mut letters).await?;
            }
        }
        Ok(Some(letters))
    }

    /// Counts a message that no broker takes.
    fn give_up(&self, partition: i32, Source { offset, is_letter }: Source, cause: &str) {
        if is_letter {
            self.lose_letter(partition, offset);
        } else {
            one_more(&self.counts.refused);
            self.complain(self.reader.topic(), cause);
        }
    }

    fn complain(&self, topic: &str, cause: &str) {
        if self.counts.may_complain() {
            warn!(
                kafka.topic = topic,
                "a message is sent without its value, or not at all: {cause}"
            );
        }
    }

    /// What was committed in the background may not have got there.
    async fn finish(&self, partition: i32, position: i64) {
        if let Err(error) = self.reader.commit_now(partition, Commit::at(position)).await {
            debug!(kafka.partition = partition, "the last position is not committed: {error}");
        }
    }

    /// Waits where it may help, and says how long to wait the next time.
    async fn pause_after(&self, error: ReadError, pause: Duration) -> Result<Duration, ReadError> {
        match error {
            ReadError::Unavailable { .. } | ReadError::Refused { .. } => {
                self.rest(&error.to_string(), pause).await
            }
            error => Err(error),
        }
    }

    async fn pause_after_send(
        &self,
        error: &SendError,
        pause: Duration,
    ) -> Result<Duration, ReadError> {
        match error {
            SendError::Undelivered { .. }
            | SendError::Refused { .. }
            | SendError::TooLarge { .. } => self.rest(&error.to_string(), pause).await,
            SendError::Closed => Err(ReadError::Closed),
            SendError::Fatal { cause } => Err(ReadError::Fatal { cause: cause.clone() }),
        }
    }

    /// A replier that stops leaves what does not work.
    async fn rest(&self, why: &str, pause: Duration) -> Result<Duration, ReadError> {
        if self.counts.may_complain() {
            warn!(kafka.topic = self.reader.topic(), "trying again: {why}");
        }
        let mut stop = self.stop.clone();
        tokio::select! {
            () = tokio::time::sleep(pause) => Ok((pause * 2).min(PAUSES.1)),
            _ = stop.wait_for(|stop| *stop) => Err(ReadError::Closed),
        }
    }
}

fn failed(count: usize, why: &'static str) -> Vec<Outcome> {
    warn!(requests = count, "requests failed: {why}");
    (0..count).map(|_| Err(handler_failed(why))).collect()
}

fn handler_failed(why: &'static str) -> Failure {
    Failure::failed("handler_failed", why)
}
