//! Hears what becomes of messages, and says which partitions take none.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message as _;
use rdkafka::producer::{DeliveryResult, ProducerContext};
use tracing::{info, warn};

use super::fault::Doubt;
use super::part::{Delivery, Failure};
use super::refusal::{is_purged, unsent};
use super::trouble::Troubles;
use crate::client_log;
use crate::error::SendError;

/// Hears what became of messages, on the client's thread.
pub(super) struct Deliveries {
    fatal: OnceLock<String>,
    /// The last that was heard of lost connections.
    connection: Mutex<Option<String>>,
    /// How many messages were delivered.
    delivered: AtomicU64,
    troubles: Arc<Troubles>,
}

impl Deliveries {
    pub(super) fn new(troubles: Arc<Troubles>) -> Self {
        let (fatal, connection) = (OnceLock::new(), Mutex::default());
        Self { fatal, connection, delivered: AtomicU64::new(0), troubles }
    }

    /// How many messages were delivered so far.
    pub(super) fn delivered(&self) -> u64 {
        self.delivered.load(Ordering::Relaxed)
    }

    pub(super) fn failure(&self, partition: (&str, i32), error: &KafkaError) -> Failure {
        if let Some(cause) = self.fatal.get() {
            return SendError::Fatal { cause: cause.clone() }.into();
        }
        let failure = self.explained(unsent(partition.0, error), error);
        if let SendError::Undelivered { cause } = &failure {
            // The client never tried to deliver a purged message.
            if !is_purged(error) && self.troubles.begin(partition, cause) {
                let (topic, number) = partition;
                warn!(
                    kafka.topic = topic,
                    kafka.partition = number,
                    cause,
                    "messages are not delivered"
                );
            }
        }
        Failure { error: failure, doubt: Doubt::of(partition, error) }
    }

    fn note_delivered(&self, partition: (&str, i32)) {
        if self.troubles.end(partition) {
            let (topic, number) = partition;
            info!(kafka.topic = topic, kafka.partition = number, "messages are delivered again");
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
    type DeliveryOpaque = Arc<Delivery>;

    fn delivery(&self, result: &DeliveryResult<'_>, delivery: Arc<Delivery>) {
        match result {
            Ok(message) => {
                self.delivered.fetch_add(1, Ordering::Relaxed);
                if self.troubles.are_any() {
                    self.note_delivered((message.topic(), message.partition()));
                }
            }
            Err((error, message)) => {
                delivery.fail(self.failure((message.topic(), message.partition()), error));
            }
        }
    }
}
