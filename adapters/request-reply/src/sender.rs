//! Sends messages, and says when all of them have arrived.
//!
//! A call's messages are handed to the client in *parts* of a bounded size. A part takes credit,
//! and the delivery report of its last message gives the credit back and, with the last part of
//! the call, ends the call. So a call costs one allocation per part, no counter can be wrong, and
//! a caller that stops waiting leaves nothing behind.
//!
//! Credit stays below what the client buffers, because the client frees a message only after
//! its report was heard. What it refuses nevertheless is offered again a little later. Calls
//! share the credit, so calls to partitions that take no messages leave room for other calls.
//!
//! A partition that takes no messages fails its own calls and no other. Only a client that is
//! itself at fault is replaced by a new one. librdkafka 2.12.1 forgets every broker that is
//! missing from an answer to its question for metadata, also those that it was given
//! (`rd_kafka_metadata_decommission_unavailable_brokers`): a broker that was frozen and answers
//! before it is part of its own cluster again names none, and such a client never asks anybody
//! again. So when a message waited for too long, the client is made to ask about its partition.

mod credit;
mod deliveries;
mod fault;
mod part;
mod partitions;
mod refusal;
mod trouble;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rdkafka::config::{ClientConfig, FromClientConfigAndContext};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::{Header as ClientHeader, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer, PurgeConfig, ThreadedProducer};
use tokio::sync::watch;
use tracing::{info, warn};

use crate::error::{NotClosed, Refusal, SendError, SettingsError};
use crate::record::Message;
use crate::settings::Settings;
use credit::{Credit, Share};
use deliveries::Deliveries;
use fault::{Answer, Doubt};
use part::{Budget, Completion, Delivery, Failure, Part, completion, parts};
use partitions::{KnownTopics, Partitions};
use refusal::unsent;
use trouble::{NOT_CHOSEN, Troubles};

pub(crate) use partitions::{ask as ask_partitions, ask_about};

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
    credit: Credit,
    /// True, once no more reports will come.
    ended: watch::Sender<bool>,
    topics: KnownTopics,
    request_timeout: Duration,
    /// The partitions that take no messages at present, as it was logged.
    troubles: Arc<Troubles>,
    /// Whether the client is at fault is found out by one call at a time.
    fault_check: tokio::sync::Mutex<()>,
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
        let troubles = Arc::default();
        Ok(Self(Arc::new(Shared {
            client: RwLock::new(Arc::new(client(&config, &troubles)?)),
            config,
            credit: Credit::new(budget.credit),
            budget,
            ended: watch::Sender::new(false),
            topics: KnownTopics::default(),
            request_timeout: settings.request_timeout,
            troubles,
            fault_check: tokio::sync::Mutex::default(),
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
        let delivered = client.context().delivered();
        let sent = self.send_parts(messages).await;
        if let Err(Failure { doubt: Some(doubt), .. }) = &sent {
            self.0.look_for_fault(&client, doubt, delivered).await;
        }
        sent.map_err(|failure| failure.error)
    }

    async fn send_parts(&self, messages: &[Message]) -> Result<(), Failure> {
        let mut ended = self.0.ended.subscribe();
        let (completion, mut completed) = completion();
        let share = self.0.credit.share();
        for part in parts(messages, &self.0.budget) {
            tokio::select! {
                enqueued = self.enqueue_part(&part, &share, &completion) => enqueued?,
                Some(failure) = completed.recv() => return Err(failure),
            }
        }
        drop(completion);
        tokio::select! {
            failure = completed.recv() => failure.map_or(Ok(()), Err),
            _ = ended.wait_for(|ended| *ended) => Err(SendError::Closed.into()),
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

    /// Hands a part to the client, once there is credit for it.
    async fn enqueue_part(
        &self,
        part: &Part<'_>,
        share: &Share,
        completion: &Completion,
    ) -> Result<(), Failure> {
        let credit = self.0.credit.take(share, part.cost).await;
        let credit = credit.map_err(|_| SendError::Closed)?;
        let delivery = Arc::new(Delivery::new(credit, completion));
        // It may have been replaced while there was no credit.
        let client = self.0.client();
        for message in part.messages {
            while !enqueue(&client, message, &delivery)? {
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

    /// Replaces a client where it is at fault. It had delivered so many messages when the call
    /// began that brought the doubt.
    async fn look_for_fault(&self, used: &Arc<Client>, doubt: &Doubt, before: u64) {
        let _turn = self.fault_check.lock().await;
        if !Arc::ptr_eq(&self.client(), used) || self.credit.is_closed() {
            return;
        }
        let is_at_fault = match doubt {
            Doubt::Waited(topic, partition) => {
                let answer = self.ask(used, topic, *partition).await;
                fault::is_of_client(answer, before < used.context().delivered())
            }
            Doubt::Epoch => true,
        };
        if is_at_fault {
            self.replace(used);
        }
    }

    /// Lets a client ask who leads a partition.
    async fn ask(&self, client: &Arc<Client>, topic: &str, partition: i32) -> Answer {
        let (client, topic, within) = (Arc::clone(client), topic.to_owned(), self.request_timeout);
        let asked = tokio::task::spawn_blocking(move || {
            fault::ask(client.client(), (&topic, partition), within)
        });
        asked.await.unwrap_or(Answer::Nothing)
    }

    /// Replaces a client that is at fault, unless that was done already or the sender was
    /// closed. What is still with the old one fails, and gives its credit back.
    fn replace(&self, used: &Arc<Client>) {
        let mut current = self.client.write().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&current, used) || self.credit.is_closed() {
            return;
        }
        match client(&self.config, &self.troubles) {
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
fn enqueue(client: &Client, message: &Message, delivery: &Arc<Delivery>) -> Result<bool, Failure> {
    let mut record = BaseRecord::with_opaque_to(&message.topic, Arc::clone(delivery));
    record.partition = message.partition;
    record.key = message.key.as_ref();
    record.payload = message.value.as_ref();
    record.headers = headers(message);
    match client.send(record) {
        Ok(()) => Ok(true),
        Err((error, _)) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull) => {
            Ok(false)
        }
        Err((error, _)) => {
            let partition = message.partition.unwrap_or(NOT_CHOSEN);
            Err(client.context().failure((&message.topic, partition), &error))
        }
    }
}

impl std::fmt::Debug for Sender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sender").field("credit", &self.0.credit.left()).finish()
    }
}

fn client(config: &ClientConfig, troubles: &Arc<Troubles>) -> Result<Client, SettingsError> {
    let deliveries = Deliveries::new(Arc::clone(troubles));
    Ok(ThreadedProducer::from_config_and_context(config, deliveries)?)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_client_that_no_broker_answers_is_replaced() {
        // Nobody listens on the port of `tcpmux`.
        let mut settings = Settings::new("127.0.0.1:1", "group");
        settings.producer.insert("delivery.timeout.ms".to_owned(), "50".to_owned());
        settings.request_timeout = Duration::from_millis(50);
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
