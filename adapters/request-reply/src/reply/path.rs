use std::fmt;
use std::sync::Arc;

use thiserror::Error;

use super::outbox::{Kind, LeftOut};
use super::routes::Routes;
use super::{
    AllowedTopics, DeadLetters, Destination, LogThrottle, Outbox, Place, Route, Senders,
    Undeliverable,
};
use crate::error::{ReadError, Refusal, SendError};
use crate::profile::ReplyPartition;
use crate::record::OwnedRecord;
use crate::sender::Sender;

/// The way of replies: routes, dead letters, and what brokers refuse.
pub struct ReplyPath<M> {
    routes: Routes,
    dead_letters: DeadLetters<M>,
    events: Arc<dyn ReplyEvents>,
    refused: LogThrottle,
    dead_lettered: LogThrottle,
    lost: LogThrottle,
    too_large: LogThrottle,
}

/// What each program does in its own way.
pub trait ReplyEvents: Send + Sync {
    /// Counts an event that happened so often.
    fn count(&self, event: ReplyEvent<'_>, times: usize);

    /// A short value for a reply whose own value is too large; `None` where there is none.
    fn shorter(&self, value: &[u8]) -> Option<Vec<u8>>;
}

/// What can happen to a reply or a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyEvent<'a> {
    /// The reply topic does not have the partition that was asked for: the key chooses.
    Misdirected,
    /// A reply is sent nowhere.
    Undeliverable(&'a Undeliverable),
    /// A reply was too large, and became shorter.
    Shortened,
    /// A request is in the dead-letter topic.
    DeadLettered,
    /// A request could not be dead-lettered: it is gone, or the topic does not take it.
    DeadLetterLost,
}

/// Why replies may not have been sent. The outbox has what is left, so the same can be tried
/// again.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReplyError {
    /// Messages may not have arrived.
    #[error(transparent)]
    Send(#[from] SendError),
    /// A request that is to be dead-lettered could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl<M: Clone + Send + Sync + 'static> ReplyPath<M> {
    /// The way of replies to these requests, by these senders to allowed topics.
    #[must_use]
    pub fn new(
        senders: Senders,
        allowed: AllowedTopics,
        dead_letters: DeadLetters<M>,
        events: Arc<dyn ReplyEvents>,
    ) -> Self {
        Self {
            routes: Routes { senders, allowed },
            dead_letters,
            events,
            refused: LogThrottle::default(),
            dead_lettered: LogThrottle::default(),
            lost: LogThrottle::default(),
            too_large: LogThrottle::default(),
        }
    }

    /// Where a reply of this outbox goes; `None` where none is asked for.
    ///
    /// # Errors
    ///
    /// When no broker answers.
    pub async fn route(
        &self,
        outbox: &mut Outbox,
        destination: &Destination<'_>,
    ) -> Result<Result<Option<Route>, Undeliverable>, SendError> {
        let found = self.routes.find(&mut outbox.topics, destination).await?;
        match (&found, destination) {
            (Err(why), _) => self.undeliverable(why),
            (Ok(Some(Route { partition: None, .. })), Destination::To(reply_to))
                if reply_to.partition() != ReplyPartition::Any =>
            {
                self.events.count(ReplyEvent::Misdirected, 1);
            }
            (Ok(_), _) => {}
        }
        Ok(found)
    }

    fn undeliverable(&self, why: &Undeliverable) {
        self.events.count(ReplyEvent::Undeliverable(why), 1);
        if self.refused.is_time() {
            tracing::warn!(reason = %why, "a reply cannot be sent where its request asks for it");
        }
    }

    /// Adds the dead letter of a request to the outbox; returns the original. Where the request is
    /// gone, or there is no topic for it, its dead letter is lost.
    ///
    /// # Errors
    ///
    /// When no broker answers.
    pub async fn dead_letter(
        &self,
        outbox: &mut Outbox,
        place: Place,
        reason: (&str, &str),
    ) -> Result<Option<Arc<OwnedRecord>>, ReplyError> {
        let topic = &self.dead_letters.topic;
        let found = self.routes.look_up(&mut outbox.topics, topic).await?;
        let original = self.dead_letters.original(place).await?;
        match (&original, found) {
            (None, _) => self.lose(&[place], "it is gone"),
            (Some(_), Err(_)) => self.lose(&[place], "the dead-letter topic takes none"),
            (Some(_), Ok((_, count))) if count <= place.partition => {
                self.lose(&[place], "the dead-letter topic does not have its partition");
            }
            (Some(original), Ok(_)) => {
                outbox.push_letter(self.dead_letters.letter(original, reason), place);
            }
        }
        Ok(original)
    }

    /// Counts requests that cannot be dead-lettered.
    fn lose(&self, places: &[Place], why: &str) {
        let Some(Place { partition, offset }) = places.first() else { return };
        self.events.count(ReplyEvent::DeadLetterLost, places.len());
        if self.lost.is_time() {
            let (topic, lost) = (&self.dead_letters.topic, places.len());
            tracing::error!(%topic, partition, offset, lost, "a request is not dead-lettered: {why}");
        }
    }

    /// Sends what is in the outbox, and returns once all of it is acknowledged or given up.
    ///
    /// A message that Kafka does not take is made smaller, left out or dead-lettered. Otherwise it
    /// would hold up all messages behind it for ever.
    ///
    /// # Errors
    ///
    /// When it is not known whether everything arrived: try again.
    pub async fn deliver(&self, sender: &Sender, outbox: &mut Outbox) -> Result<(), ReplyError> {
        loop {
            self.dead_letter_given_up(outbox).await?;
            if outbox.is_empty() {
                return Ok(());
            }
            match sender.send(outbox.next()).await {
                Ok(()) => self.delivered(outbox.sent()),
                Err(SendError::TooLarge { index, .. }) => self.leave_out(outbox, index),
                Err(SendError::Refused { topic, refusal: Refusal::TooLarge, .. }) => {
                    if outbox.halve(&topic) {
                        self.leave_out(outbox, 0);
                    }
                }
                Err(SendError::Refused { topic, refusal, cause }) => {
                    if self.routes.senders.is_own(&topic) {
                        return Err(SendError::Refused { topic, refusal, cause }.into());
                    }
                    self.give_up(outbox, &topic, refusal);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn delivered(&self, letters: usize) {
        if letters == 0 {
            return;
        }
        self.events.count(ReplyEvent::DeadLettered, letters);
        if self.dead_lettered.is_time() {
            let topic = &self.dead_letters.topic;
            tracing::warn!(%topic, letters, "requests went to the dead-letter topic");
        }
    }

    fn leave_out(&self, outbox: &mut Outbox, index: usize) {
        let message = outbox.next().get(index);
        let (topic, bytes) = message.map(|one| (Arc::clone(&one.topic), one.size())).unzip();
        match outbox.leave_out(index, |value| self.events.shorter(value)) {
            // It was counted when it was shortened.
            None | Some(LeftOut::Part(Kind::Letter(_)) | LeftOut::Value) => {}
            Some(LeftOut::Part(Kind::Reply(_))) => {
                self.events.count(ReplyEvent::Shortened, 1);
                if self.too_large.is_time() {
                    tracing::error!(
                        topic = topic.as_deref(),
                        bytes,
                        "a reply is too large for Kafka: it is shortened"
                    );
                }
            }
            Some(LeftOut::All(Kind::Reply(reply))) => {
                let why = Undeliverable::TooLarge(topic.as_deref().unwrap_or_default().into());
                self.undeliverable(&why);
                outbox.given_up.extend(reply.undelivered.map(|place| (place, why)));
            }
            Some(LeftOut::All(Kind::Letter(place))) => {
                self.lose(&[place], "its headers are too large for Kafka");
            }
        }
    }

    /// Gives up a topic that takes nothing: the requests of its replies are dead-lettered, and its
    /// dead letters are lost.
    fn give_up(&self, outbox: &mut Outbox, topic: &str, refusal: Refusal) {
        outbox.topics.insert(topic.into(), Err(refusal));
        let why = Undeliverable::of(topic, refusal);
        let mut lost = Vec::new();
        for kind in outbox.take_out(topic) {
            match kind {
                Kind::Letter(place) => lost.push(place),
                Kind::Reply(reply) => {
                    self.undeliverable(&why);
                    outbox.given_up.extend(reply.undelivered.map(|place| (place, why.clone())));
                }
            }
        }
        self.lose(&lost, "the dead-letter topic takes none");
    }

    /// Sends dead letters by the sender that all dead letters are sent by, whoever sends the outbox.
    async fn dead_letter_given_up(&self, outbox: &mut Outbox) -> Result<(), ReplyError> {
        while let Some((place, why)) = outbox.given_up.front().cloned() {
            let letters = outbox.letters.get_or_insert_default();
            self.dead_letter(letters, place, (why.code(), &why.to_string())).await?;
            outbox.given_up.pop_front();
        }
        match &mut outbox.letters {
            // They have none of their own.
            Some(letters) => Box::pin(self.deliver(&self.routes.senders.to_peers, letters)).await,
            None => Ok(()),
        }
    }
}

impl<M> fmt::Debug for ReplyPath<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplyPath").field("routes", &self.routes).finish_non_exhaustive()
    }
}
