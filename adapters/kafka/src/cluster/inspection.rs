//! What the lanes hold, to be compared with what a database has of them.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use catchment_domain::ports::{InspectionError, LogInspection, VisitRequest};
use catchment_domain::{
    AnyLane, Behind, Lane, LogIdentity, Position, PositionRange, ReplyLane, RequestId,
    RequestLaneLog, RequestRecord, ReturnAddress,
};
use catchment_request_reply::{Incoming, ReadError, Reader, Record};
use tokio::task::JoinSet;

use super::KafkaCluster;
use super::lane_reader::{self, LaneReader, end_of};
use super::lookout::{KafkaLookout, behind};
use crate::error::{offset, position, read_failed, settings_failed, topics_failed};
use crate::identity::identity;
use crate::request_log::id_at;
use crate::wire::{self, Refusal};

/// A request; `None` if the record is not a request.
type Read = Option<Arc<RequestRecord>>;

impl KafkaCluster {
    pub(super) fn requests_identity(&self) -> LogIdentity {
        identity(&self.id, &self.settings.requests_topic)
    }

    /// Deletes the requests of a lane below a position, as retention does: for trials.
    ///
    /// # Errors
    ///
    /// When the brokers refuse or do not answer.
    pub async fn delete_requests(
        &self,
        lane: Lane,
        before: Position,
    ) -> Result<(), InspectionError> {
        let topic = &self.settings.requests_topic;
        let deleted = self.topics.delete_records(topic, lane.0.into(), offset(before)).await;
        deleted.map_err(topics_failed)
    }
}

#[async_trait]
impl LogInspection for KafkaLookout {
    fn identity(&self) -> LogIdentity {
        self.cluster.requests_identity()
    }

    async fn request_logs(
        &self,
        lanes: &[(Lane, Position)],
    ) -> Result<BTreeMap<Lane, RequestLaneLog>, InspectionError> {
        let settings = &self.cluster.settings;
        let log = self.cluster.requests_identity();
        let reader = Reader::manual(&settings.client, &settings.requests_topic, |_| ());
        let reader = reader.map_err(settings_failed)?;
        let mut looks = JoinSet::new();
        for (lane, next) in lanes.iter().copied() {
            let reader = reader.clone();
            looks.spawn(async move { (lane, look(&reader, lane, next, log).await) });
        }
        let looked = looks.join_all().await;
        lane_reader::close(&reader).await;
        found(looked)
    }

    async fn request_ends(&self) -> Result<BTreeMap<Lane, Position>, InspectionError> {
        let ends = self.requests.ends(0..self.lanes.count().into()).await;
        let ends = ends.map_err(read_failed)?;
        let lane = |(partition, end)| Some((Lane(u16::try_from(partition).ok()?), position(end)));
        Ok(ends.into_iter().filter_map(lane).collect())
    }

    async fn requests_between(
        &self,
        ranges: &[(Lane, PositionRange)],
    ) -> Result<BTreeMap<Lane, Vec<(Position, RequestId)>>, InspectionError> {
        if ranges.is_empty() {
            return Ok(BTreeMap::new());
        }
        let reader = LaneReader::new(&self.cluster, id_of_request).map_err(settings_failed)?;
        let read = read_ranges(&reader, ranges).await;
        reader.close().await;
        read
    }

    async fn visit_requests(
        &self,
        lane: Lane,
        from: Position,
        visit: VisitRequest<'_>,
    ) -> Result<u64, InspectionError> {
        let reader = LaneReader::new(&self.cluster, parse).map_err(settings_failed)?;
        let visited = visit_from(&reader, lane, offset(from), visit).await;
        reader.close().await;
        visited
    }

    async fn reply_log(&self) -> Result<(LogIdentity, u16), InspectionError> {
        let KafkaCluster { id, settings, .. } = &self.cluster;
        Ok((identity(id, &settings.replies_topic), self.cluster.reply_partitions().await?))
    }

    async fn reply_ends(
        &self,
    ) -> Result<(LogIdentity, BTreeMap<ReplyLane, Position>), InspectionError> {
        let (log, partitions) = self.reply_log().await?;
        let found = self.replies.ends(0..partitions.into()).await.map_err(read_failed)?;
        let topic = &self.cluster.settings.replies_topic;
        let end = |lane: u16| Ok((ReplyLane(lane), position(end_of(topic, lane.into(), &found)?)));
        let ends: Result<_, ReadError> = (0..partitions).map(end).collect();
        Ok((log, ends.map_err(read_failed)?))
    }

    async fn behind(&self, lane: AnyLane, from: Position) -> Result<Behind, InspectionError> {
        let (lookout, partition) = match lane {
            AnyLane::Requests(lane) => (&self.requests, lane.0),
            AnyLane::Replies(lane) => (&self.replies, lane.0),
        };
        behind(lookout, partition, from).await.map_err(read_failed)
    }
}

async fn look(
    reader: &Reader<()>,
    lane: Lane,
    next: Position,
    log: LogIdentity,
) -> Result<RequestLaneLog, ReadError> {
    let partition = lane.0.into();
    let ends = reader.watermarks(partition).await?;
    let (first, end) = (position(ends.low), position(ends.high));
    let before = if first < next && next <= end {
        // Retention may have deleted the record in the meantime; then nothing is known.
        id_at(reader, partition, offset(next) - 1).await?
    } else {
        None
    };
    Ok(RequestLaneLog { log, first, end, before, without_receipt: None })
}

/// The lanes that could be looked at.
///
/// # Errors
///
/// When none could.
fn found(
    looked: Vec<(Lane, Result<RequestLaneLog, ReadError>)>,
) -> Result<BTreeMap<Lane, RequestLaneLog>, InspectionError> {
    let mut failure = None;
    let mut found = BTreeMap::new();
    for (lane, looked) in looked {
        match looked {
            Ok(log) => drop(found.insert(lane, log)),
            Err(error) => {
                tracing::debug!(kafka.partition = lane.0, "{error}");
                failure.get_or_insert(error);
            }
        }
    }
    match failure {
        Some(error) if found.is_empty() => Err(read_failed(error)),
        _ => Ok(found),
    }
}

async fn read_ranges(
    reader: &LaneReader<Option<RequestId>>,
    ranges: &[(Lane, PositionRange)],
) -> Result<BTreeMap<Lane, Vec<(Position, RequestId)>>, InspectionError> {
    let mut read = BTreeMap::new();
    for (lane, PositionRange { from, to }) in ranges {
        let mut requests = Vec::new();
        let visited = reader.visit(*lane, offset(*from)..offset(*to), |record| {
            requests.extend(record.message.map(|id| (position(record.offset), id)));
        });
        visited.await?;
        read.insert(*lane, requests);
    }
    Ok(read)
}

/// The id of a request, or of what ought to be one.
fn id_of_request(incoming: &Incoming<'_>) -> Option<RequestId> {
    let parsed = wire::parse_request(incoming.key, incoming.value);
    let is_foreign = matches!(parsed.content, Err(Refusal::Foreign));
    (!is_foreign).then_some(parsed.id)
}

async fn visit_from(
    reader: &LaneReader<Read>,
    lane: Lane,
    from: i64,
    visit: VisitRequest<'_>,
) -> Result<u64, InspectionError> {
    let Range { start: first, end } = reader.range(lane).await.map_err(read_failed)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_that_cannot_be_looked_at_is_left_out_unless_none_can() {
        let away = || {
            let (topic, cause) = ("t".to_owned(), "no leader".to_owned());
            Err(ReadError::Unavailable { topic, cause })
        };
        let (first, end) = (Position(0), Position(0));
        let log = LogIdentity { id: 1, lasting: true };
        let log = RequestLaneLog { log, first, end, before: None, without_receipt: None };
        assert_eq!(found(vec![]).unwrap(), [].into());
        let one = found(vec![(Lane(0), away()), (Lane(1), Ok(log))]).unwrap();
        assert_eq!(one, [(Lane(1), log)].into());
        let none = found(vec![(Lane(0), away()), (Lane(1), away())]);
        assert!(matches!(none, Err(InspectionError::Unavailable(_))), "{none:?}");
    }
}
