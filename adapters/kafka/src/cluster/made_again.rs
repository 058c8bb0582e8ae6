//! Whether topics are still those that a database has read.

use std::time::Duration;

use catchment_domain::{LogIdentity, Position, RequestId};
use catchment_request_reply::Reader;

use super::{ClusterError, KafkaCluster, TopicProblem};
use crate::error::{offset, position};
use crate::identity::identity;
use crate::wire;

/// How long a reader may take to end that has nothing under way.
const TO_CLOSE: Duration = Duration::from_millis(500);

/// How far a database has read a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reached {
    /// The log that the position belongs to.
    pub log: LogIdentity,
    /// The partition.
    pub partition: u16,
    /// The first record that was not read yet.
    pub next: Position,
    /// The request before it, where that is known.
    pub last_id: Option<RequestId>,
}

impl KafkaCluster {
    /// What is wrong with the topics for a database that has read them so far, one line for
    /// each; nothing where it can go on.
    ///
    /// # Errors
    ///
    /// When the brokers do not answer.
    pub async fn check_reached(
        &self,
        requests: &[Reached],
        replies: &[Reached],
    ) -> Result<Vec<TopicProblem>, ClusterError> {
        let mut problems = Vec::new();
        for (topic, reached) in
            [(&self.settings.requests_topic, requests), (&self.settings.replies_topic, replies)]
        {
            problems.extend(self.difference(topic, reached).await?);
        }
        Ok(problems)
    }

    /// The first difference between a topic and what was read of it.
    async fn difference(
        &self,
        topic: &str,
        reached: &[Reached],
    ) -> Result<Option<TopicProblem>, ClusterError> {
        let log = identity(&self.id, topic);
        if reached.iter().any(|reached| reached.log.lasting && reached.log != log) {
            return Ok(Some(TopicProblem::Foreign { topic: topic.to_owned() }));
        }
        let count = self.topics.partitions(topic).await?.unwrap_or_default();
        let reader = Reader::manual(&self.settings.client, topic, |_| ())?;
        // Positions of a log that did not last say nothing, and nothing was read before the first.
        let mut lasting = reached.iter().filter(|reached| reached.log == log);
        let found = loop {
            let Some(reached) = lasting.next() else { break Ok(None) };
            match look(&reader, count, reached).await {
                Ok(None) => {}
                found => break found,
            }
        };
        if let Err(error) = reader.close(TO_CLOSE).await {
            tracing::debug!(kafka.topic = topic, "{error}");
        }
        found
    }
}

/// What is wrong with a partition, in a topic that has so many.
async fn look(
    reader: &Reader<()>,
    count: i32,
    reached: &Reached,
) -> Result<Option<TopicProblem>, ClusterError> {
    let Reached { partition, next, last_id, .. } = *reached;
    let topic = || reader.topic().to_owned();
    if next == Position(0) {
        return Ok(None);
    }
    if count <= i32::from(partition) {
        let end = Position(0);
        return Ok(Some(TopicProblem::EndsEarly { topic: topic(), partition, end, next }));
    }
    let ends = reader.watermarks(partition.into()).await?;
    if ends.high < offset(next) {
        let end = position(ends.high);
        return Ok(Some(TopicProblem::EndsEarly { topic: topic(), partition, end, next }));
    }
    let Some(expected) = last_id.filter(|_| ends.low < offset(next)) else { return Ok(None) };
    let before = reader.fetch(partition.into(), offset(next) - 1).await?;
    // One that is gone by now says nothing.
    let is_other = before.is_some_and(|record| {
        wire::parse_request(record.key.as_deref(), record.value.as_deref()).id != expected
    });
    Ok(is_other.then(|| TopicProblem::OtherRecord { topic: topic(), partition, next }))
}
