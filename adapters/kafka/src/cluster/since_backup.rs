//! The records that a restored database does not know: the requests behind its positions, and the
//! ends of the reply lanes.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use catchment_domain::{Lane, LogIdentity, Position, ReplyLane, RequestRecord, ReturnAddress};
use catchment_request_reply::{Incoming, Lookout, Record};

use super::lane_reader::{LaneReader, TO_CLOSE, end_of};
use super::{ClusterError, KafkaCluster};
use crate::error::{offset, position};
use crate::wire;

/// A request; `None` if the record is not a request.
type Read = Option<Arc<RequestRecord>>;

impl KafkaCluster {
    /// Calls `visit` with every request of a lane from a position on, up to the lane's present end.
    /// Passes over records that are not requests. Returns how many records from that position on
    /// were removed.
    ///
    /// # Errors
    ///
    /// When the brokers do not answer, the partition has no leader, or an open transaction holds
    /// records back.
    pub async fn visit_requests(
        &self,
        lane: Lane,
        from: Position,
        mut visit: impl FnMut(&RequestRecord) + Send,
    ) -> Result<u64, ClusterError> {
        let reader = LaneReader::new(self, parse)?;
        let visited = visit_from(&reader, lane, offset(from), &mut visit).await;
        reader.close().await;
        visited
    }

    /// Which log the replies are, and where each of its lanes ends.
    ///
    /// # Errors
    ///
    /// When the topic is missing, a partition has no leader, or the brokers do not answer.
    pub async fn reply_ends(
        &self,
    ) -> Result<(LogIdentity, BTreeMap<ReplyLane, Position>), ClusterError> {
        let (topic, partitions) = (&self.settings.replies_topic, self.reply_partitions().await?);
        let lookout = Lookout::new(&self.settings.client, topic)?;
        let found = lookout.ends(0..partitions.into()).await;
        lookout.close(TO_CLOSE).await;
        let found = found?;
        let mut ends = BTreeMap::new();
        for lane in 0..partitions {
            ends.insert(ReplyLane(lane), position(end_of(topic, lane.into(), &found)?));
        }
        Ok((self.replies_identity(), ends))
    }
}

async fn visit_from(
    reader: &LaneReader<Read>,
    lane: Lane,
    from: i64,
    visit: &mut (impl FnMut(&RequestRecord) + Send),
) -> Result<u64, ClusterError> {
    let Range { start: first, end } = reader.range(lane).await?;
    let each = |record: &Record<Read>| {
        if let Some(request) = &record.message {
            visit(request);
        }
    };
    reader.visit(lane, from.max(first)..end, each).await?;
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
