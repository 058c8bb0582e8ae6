//! Letting a lane go on whose partition lost records.

use std::time::Duration;

use catchment_domain::{Lane, LogIdentity, Position};
use catchment_request_reply::{Message, Reader};

use super::{ClusterError, KafkaCluster};
use crate::error::position;
use crate::identity::identity;

/// The most records of a call.
const PIECE: u64 = 4_000;

/// How long a client may take to end that has nothing under way.
const TO_CLOSE: Duration = Duration::from_millis(500);

impl KafkaCluster {
    /// Which log the requests are.
    #[must_use]
    pub fn requests_identity(&self) -> LogIdentity {
        identity(&self.id, &self.settings.requests_topic)
    }

    /// Where a lane of requests begins: its first record that is there.
    ///
    /// # Errors
    ///
    /// When the brokers do not answer.
    pub async fn first_request(&self, lane: Lane) -> Result<Position, ClusterError> {
        Ok(self.request_ends(lane).await?.0)
    }

    /// Appends empty records to a request lane until the lane ends at `next` or later. A consumer
    /// that goes on at `next` never reads them. Returns how many records were appended.
    ///
    /// # Errors
    ///
    /// When the brokers do not answer, or do not take them.
    pub async fn lengthen(&self, lane: Lane, next: Position) -> Result<u64, ClusterError> {
        let sender = self.sender()?;
        let mut appended = 0;
        let done = loop {
            let end = match self.request_ends(lane).await {
                Ok((_, end)) => end,
                Err(error) => break Err(error),
            };
            let missing = next.0.saturating_sub(end.0).min(PIECE);
            if missing == 0 {
                break Ok(appended);
            }
            let messages: Vec<Message> = (0..missing).map(|_| self.filler(lane)).collect();
            if let Err(error) = sender.send(&messages).await {
                break Err(error.into());
            }
            appended += missing;
        };
        if let Err(error) = sender.close(TO_CLOSE).await {
            tracing::debug!("{error}");
        }
        done
    }

    fn filler(&self, lane: Lane) -> Message {
        Message {
            topic: self.settings.requests_topic.as_str().into(),
            partition: Some(lane.0.into()),
            key: None,
            value: None,
            headers: Vec::new(),
        }
    }

    async fn request_ends(&self, lane: Lane) -> Result<(Position, Position), ClusterError> {
        let topic = &self.settings.requests_topic;
        let reader = Reader::manual(&self.settings.client, topic, |_| ())?;
        let ends = reader.watermarks(lane.0.into()).await;
        if let Err(error) = reader.close(TO_CLOSE).await {
            tracing::debug!(kafka.topic = topic, "{error}");
        }
        let ends = ends?;
        Ok((position(ends.low), position(ends.high)))
    }
}
