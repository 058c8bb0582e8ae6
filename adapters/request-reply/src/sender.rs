//! Sends messages, and says when all of them have arrived.
//!
//! A call's messages are handed to the client in *flights* of a bounded size. A flight carries
//! its credit along: the delivery report of its last message drops it, which gives the credit
//! back and, with the last flight of the call, ends the call. So a call costs one allocation
//! per flight, no counter can be wrong, and a caller that stops waiting leaves nothing behind.
//!
//! Credit stays below what the client buffers, because the client frees a message only after
//! its report was heard. What it refuses nevertheless is offered again a little later.
//!
//! A client that could not deliver is replaced by a new one. librdkafka 2.12.1 forgets every
//! broker that is missing from an answer to its question for metadata, also those that it was
//! given (`rd_kafka_metadata_decommission_unavailable_brokers`): a broker that was frozen and
//! answers before it is part of its own cluster again names none, and such a client never asks
//! anybody again.

mod flight;
mod partitions;
mod refusal;

use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header as ClientHeader, Message as ClientMessage, OwnedHeaders};
use rdkafka::producer::{
    BaseRecord, DeliveryResult, Producer, ProducerContext, PurgeConfig, ThreadedProducer,
};
use tokio::sync::{Semaphore, watch};
use tracing::{info, warn};

use crate::client_log;
use crate::error::{NotClosed, Refusal, SendError, SettingsError};
use crate::record::Message;
use crate::settings::Settings;
use flight::{Budget, Cut, Flight, flights};
use partitions::{KnownTopics, Partitions};
use refusal::unsent;

pub(crate) use partitions::ask as ask_partitions;

/// How long to leave a client alone that has no room although there was credit.
const FULL_PAUSE: Duration = Duration::from_millis(5);

/// How much longer than asked the client may take to end before it is given up.
const CLOSE_GRACE: Duration = Duration::from_secs(1);

/// Sends messages, and says when all of them have arrived. Clones share one client.
#[derive(Clone)]
pub struct Sender(Arc<Shared>);

type Client = ThreadedProducer<Deliveries>;

struct Shared {
    client: RwLock<Arc<Client>>,
    config: ClientConfig,
    budget: Budget,
    /// Closed, once no more messages are taken.
    credit: Arc<Semaphore>,
    /// True, once no more reports will come.
    ended: watch::Sender<bool>,
    topics: KnownTopics,
    request_timeout: Duration,
    /// Why messages are not delivered at present, as it was logged.
    trouble: Mutex<Option<String>>,
}

impl Sender {
    /// A sender; brokers are looked for in the background.
    ///
    /// # Errors
    ///
    /// When the client refuses a setting.
    pub fn new(settings: &Settings) -> Result<Self, SettingsError> {
        let config = settings.producer_config()?;
        let budget = Budget::of(&config)?;
        Ok(Self(Arc::new(Shared {
            client: RwLock::new(Arc::new(client(&config)?)),
            config,
            credit: Arc::new(Semaphore::new(budget.credit)),
            budget,
            ended: watch::Sender::new(false),
            topics: KnownTopics::default(),
            request_timeout: settings.request_timeout,
            trouble: Mutex::default(),
        })))
    }

    /// Sends messages in this order, and returns once every one of them is acknowledged by all
    /// replicas in sync. Waits while the client's buffer is full.
    ///
    /// Messages of one key keep their order within a call, and over calls that follow each
    /// other.
    ///
    /// # Errors
    ///
    /// As soon as one message has failed; whether others arrived is then not known.
    pub async fn send(&self, messages: &[Message]) -> Result<(), SendError> {
        let sent = self.send_all(messages).await;
        if let Err(SendError::Refused { topic, refusal: Refusal::NoTopic, .. }) = &sent {
            self.0.topics.forget(topic);
        }
        sent
    }

    async fn send_all(&self, messages: &[Message]) -> Result<(), SendError> {
        self.0.budget.check(messages)?;
        let client = self.0.client();
        let sent = self.send_by(&client, messages).await;
        match &sent {
            Ok(()) if messages.is_empty() => {}
            Ok(()) => self.0.note_delivered(),
            Err(SendError::Undelivered { cause }) => {
                self.0.note_undelivered(cause);
                self.0.replace(&client);
            }
            Err(_) => {}
        }
        sent
    }

    async fn send_by(&self, client: &Client, messages: &[Message]) -> Result<(), SendError> {
        let mut ended = self.0.ended.subscribe();
        let (landing, mut landed) = flight::landing();
        for flight in flights(messages, &self.0.budget) {
            tokio::select! {
                boarded = self.board(client, &flight, &landing) => boarded?,
                Some(failure) = landed.recv() => return Err(failure),
            }
        }
        drop(landing);
        tokio::select! {
            failure = landed.recv() => failure.map_or(Ok(()), Err),
            _ = ended.wait_for(|ended| *ended) => Err(SendError::Closed),
        }
    }

    /// How many partitions a topic has, `None` where there is no such topic; remembered for a
    /// while.
    ///
    /// # Errors
    ///
    /// When no broker answers.
    pub async fn partitions(&self, topic: &str) -> Result<Option<i32>, SendError> {
        if let Some(Partitions(known)) = self.0.topics.get(topic) {
            return Ok(known);
        }
        let (shared, name) = (Arc::clone(&self.0), topic.to_owned());
        let asked = tokio::task::spawn_blocking(move || {
            partitions::ask(shared.client().client(), &name, shared.request_timeout)
        });
        let asked = asked.await.map_err(|_| SendError::Closed)?;
        let found = asked.map_err(|error| unsent(topic, &error))?;
        self.0.topics.put(topic, found);
        Ok(found)
    }

    /// Takes no more messages, waits for those under way, and fails what is left.
    ///
    /// # Errors
    ///
    /// When messages were left, or the client did not end in time.
    pub async fn close(&self, within: Duration) -> Result<(), NotClosed> {
        self.0.credit.close();
        let client = self.0.client();
        let flushed = tokio::task::spawn_blocking(move || {
            let flushed = client.flush(within);
            // Reports of what is thrown away end the calls that wait for it.
            client.purge(PurgeConfig::default().queue().inflight());
            flushed.is_ok()
        });
        let flushed = tokio::time::timeout(within + CLOSE_GRACE, flushed).await;
        self.0.ended.send_replace(true);
        if matches!(flushed, Ok(Ok(true))) { Ok(()) } else { Err(NotClosed { within }) }
    }

    /// Hands messages to the client as one flight, once there is credit for it.
    async fn board(
        &self,
        client: &Client,
        cut: &Cut<'_>,
        landing: &flight::Landing,
    ) -> Result<(), SendError> {
        let credit = Arc::clone(&self.0.credit).acquire_many_owned(cut.cost).await;
        let credit = credit.map_err(|_| SendError::Closed)?;
        let flight = Arc::new(Flight::new(credit, landing));
        for message in cut.messages {
            while !enqueue(client, message, &flight)? {
                tokio::time::sleep(FULL_PAUSE).await;
            }
        }
        Ok(())
    }
}

impl Shared {
    fn client(&self) -> Arc<Client> {
        Arc::clone(&self.client.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Says that messages are not delivered, once for each cause.
    fn note_undelivered(&self, cause: &str) {
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        if trouble.as_deref() != Some(cause) {
            warn!(cause, "messages are not delivered");
            *trouble = Some(cause.to_owned());
        }
    }

    /// Says that messages are delivered, where they were not before.
    fn note_delivered(&self) {
        if self.trouble.lock().unwrap_or_else(PoisonError::into_inner).take().is_some() {
            info!("messages are delivered again");
        }
    }

    /// Replaces a client that could not deliver, unless that was done already or the sender was
    /// closed. What is still with the old one fails, and gives its credit back.
    fn replace(&self, used: &Arc<Client>) {
        let mut current = self.client.write().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&current, used) || self.credit.is_closed() {
            return;
        }
        match client(&self.config) {
            Ok(fresh) => {
                info!("going on with a new client");
                let old = std::mem::replace(&mut *current, Arc::new(fresh));
                // Ending a client waits for its threads.
                tokio::task::spawn_blocking(move || {
                    old.purge(PurgeConfig::default().queue().inflight());
                });
            }
            Err(error) => warn!("no new client could be made: {error}"),
        }
    }
}

/// Says whether the client had room for the message.
fn enqueue(client: &Client, message: &Message, flight: &Arc<Flight>) -> Result<bool, SendError> {
    let mut record = BaseRecord::with_opaque_to(&message.topic, Arc::clone(flight));
    record.partition = message.partition;
    record.key = message.key.as_ref();
    record.payload = message.value.as_ref();
    record.headers = headers(message);
    match client.send(record) {
        Ok(()) => Ok(true),
        Err((error, _)) => match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::QueueFull) => Ok(false),
            _ => Err(client.context().failure(&message.topic, &error)),
        },
    }
}

impl std::fmt::Debug for Sender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sender").field("credit", &self.0.credit.available_permits()).finish()
    }
}

fn client(config: &ClientConfig) -> Result<Client, SettingsError> {
    Ok(ThreadedProducer::from_config_and_context(config, Deliveries::default())?)
}

fn headers(message: &Message) -> Option<OwnedHeaders> {
    if message.headers.is_empty() {
        return None;
    }
    let empty = OwnedHeaders::new_with_capacity(message.headers.len());
    Some(message.headers.iter().fold(empty, |headers, header| {
        headers.insert(ClientHeader { key: &header.name, value: header.value.as_ref() })
    }))
}

/// Hears what became of messages, on the client's thread.
#[derive(Default)]
struct Deliveries {
    fatal: OnceLock<String>,
    /// The last that was heard of lost connections.
    connection: Mutex<Option<String>>,
}

impl Deliveries {
    fn failure(&self, topic: &str, error: &KafkaError) -> SendError {
        match self.fatal.get() {
            Some(cause) => SendError::Fatal { cause: cause.clone() },
            None => self.explained(unsent(topic, error), error),
        }
    }

    /// A message that waited for too long does not say for what.
    fn explained(&self, failure: SendError, error: &KafkaError) -> SendError {
        let heard = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        match (failure, &*heard) {
            (SendError::Undelivered { cause }, Some(heard))
                if error.rdkafka_error_code() == Some(RDKafkaErrorCode::MessageTimedOut) =>
            {
                SendError::Undelivered { cause: format!("{cause}; last heard was: {heard}") }
            }
            (failure, _) => failure,
        }
    }
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        client_log::line(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if client_log::is_fatal(&error, reason) {
            let _ = self.fatal.set(reason.to_owned());
        } else if client_log::is_of_a_connection(&error) {
            let mut heard = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
            *heard = client_log::take_reason().or_else(|| heard.take());
        }
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = Arc<Flight>;

    fn delivery(&self, result: &DeliveryResult<'_>, flight: Arc<Flight>) {
        if let Err((error, message)) = result {
            flight.fail(self.failure(message.topic(), error));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_client_that_could_not_deliver_is_replaced() {
        // Nobody listens on the port of `tcpmux`.
        let mut settings = Settings::new("127.0.0.1:1", "group");
        settings.producer.insert("delivery.timeout.ms".to_owned(), "50".to_owned());
        let sender = Sender::new(&settings).unwrap();
        let first = sender.0.client();
        let key = Some(b"key".to_vec());
        let message = Message {
            topic: "topic".into(),
            partition: None,
            key: key.clone(),
            value: key,
            headers: Vec::new(),
        };
        let sent = sender.send(&[message]).await;
        assert!(matches!(sent, Err(SendError::Undelivered { .. })), "{sent:?}");
        assert!(!Arc::ptr_eq(&first, &sender.0.client()));
    }
}
