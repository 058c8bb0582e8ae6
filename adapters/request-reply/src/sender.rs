//! Sends messages, and says when all of them have arrived.

use std::time::Duration;

use crate::error::{NotClosed, SendError, SettingsError};
use crate::record::Message;
use crate::settings::Settings;

/// Sends messages, and says when all of them have arrived. Clones share one client.
#[derive(Clone, Debug)]
pub struct Sender {}

impl Sender {
    /// A sender; brokers are looked for in the background.
    ///
    /// # Errors
    ///
    /// When the client refuses a setting.
    pub fn new(_settings: &Settings) -> Result<Self, SettingsError> {
        todo!()
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
    pub async fn send(&self, _messages: &[Message]) -> Result<(), SendError> {
        todo!()
    }

    /// How many partitions a topic has, `None` where there is no such topic; remembered for a
    /// while.
    ///
    /// # Errors
    ///
    /// When no broker answers.
    pub async fn partitions(&self, _topic: &str) -> Result<Option<i32>, SendError> {
        todo!()
    }

    /// Takes no more messages, waits for those under way, and fails what is left.
    ///
    /// # Errors
    ///
    /// When messages were left, or the client did not end in time.
    pub async fn close(&self, _within: Duration) -> Result<(), NotClosed> {
        todo!()
    }
}
