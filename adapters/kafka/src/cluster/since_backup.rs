//! The records that a restored database does not know: the requests behind its positions, and the
//! ends of the reply lanes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use catchment_domain::{Lane, LogIdentity, Position, ReplyLane, RequestRecord, ReturnAddress};
use catchment_request_reply::{Incoming, Lookout, Reader, Unread};
use tokio::time::timeout;

use super::{ClusterError, KafkaCluster};
use crate::error::{offset, position};
use crate::identity::identity;
use crate::wire;

/// How many records are read at a time.
const PIECE: usize = 2_000;

/// How long to wait for records before asking the brokers whether there are any.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long an idle client may take to end.
const TO_CLOSE: Duration = Duration::from_millis(500);

/// A request; `None` if the record is not a request.
type Read = Option<Arc<RequestRecord>>;

impl KafkaCluster {
    /// Calls `visit` with every request of a lane from a position on, up to the lane's present end.
    /// Passes over records that are not requests. Returns how many records from that position on
    /// were removed.
    ///
    /// # Errors
    ///
    /// When the brokers do not answer, or an open transaction holds records back.
    pub async fn visit_requests(
        &self,
        lane: Lane,
        from: Position,
        mut visit: impl FnMut(&RequestRecord) + Send,
    ) -> Result<u64, ClusterError> {
        let topic = &self.settings.requests_topic;
        let reader = Reader::manual(&self.settings.client, topic, parse)?;
        let lookout = Lookout::new(&self.settings.client, topic)?;
        let visited = read_to_end((&reader, &lookout), lane, offset(from), &mut visit).await;
        lookout.close(TO_CLOSE).await;
        if let Err(error) = reader.close(TO_CLOSE).await {
            tracing::debug!(kafka.topic = topic, "{error}");
        }
        visited
    }

    /// Which log the replies are, and where each of its lanes ends.
    ///
    /// # Errors
    ///
    /// When the topic is missing, or the brokers do not answer.
    pub async fn reply_ends(
        &self,
    ) -> Result<(LogIdentity, BTreeMap<ReplyLane, Position>), ClusterError> {
        let topic = &self.settings.replies_topic;
        let found = self.topics.partitions(topic).await?;
        if let Some(problem) = super::check::problem(topic, found, None) {
            return Err(ClusterError::Topics(problem.to_string()));
        }
        let lookout = Lookout::new(&self.settings.client, topic)?;
        let ends = lookout.ends(0..found.unwrap_or_default()).await;
        lookout.close(TO_CLOSE).await;
        let lane =
            |(partition, end)| Some((ReplyLane(u16::try_from(partition).ok()?), position(end)));
        let ends: BTreeMap<_, _> = ends?.into_iter().filter_map(lane).collect();
        if Some(ends.len()) != found.and_then(|count| usize::try_from(count).ok()) {
            let what = format!("a partition of the topic `{topic}` has no leader now");
            return Err(ClusterError::Topics(what));
        }
        Ok((identity(&self.id, topic), ends))
    }
}

async fn read_to_end(
    (reader, lookout): (&Reader<Read>, &Lookout),
    lane: Lane,
    from: i64,
    visit: &mut (impl FnMut(&RequestRecord) + Send),
) -> Result<u64, ClusterError> {
    let partition = lane.0.into();
    let first = reader.watermarks(partition).await?.low;
    // The reader's own end lies before records that an open transaction holds back.
    let end = lookout.ends(partition..partition + 1).await?.first().map_or(first, |(_, end)| *end);
    let mut next = from.max(first);
    while next < end {
        let records = reader.read(partition, next, PIECE).await?;
        if let Some(last) = records.last() {
            next = last.offset + 1;
            records.iter().filter_map(|record| record.message.as_deref()).for_each(&mut *visit);
            reader.release(partition, next);
        } else if timeout(PATIENCE, reader.wait(partition, next)).await.is_err() {
            match lookout.unread(partition, next).await? {
                Unread::Records => {}
                // Only the marks of transactions are left.
                Unread::Nothing => break,
                Unread::OpenTransaction { from } => {
                    return Err(ClusterError::OpenTransaction { lane, from: position(from) });
                }
            }
        }
    }
    Ok(u64::try_from(first.saturating_sub(from)).unwrap_or_default())
}

fn parse(incoming: &Incoming<'_>) -> Read {
    let parsed = wire::parse_request(incoming.key, incoming.value);
    let request = parsed.content.ok()?;
    Some(Arc::new(RequestRecord {
        position: position(incoming.offset),
        id: parsed.id,
        return_address: ReturnAddress::default(),
        request: Ok(request),
    }))
}
