//! What the lanes hold, to be compared with what a database has of them.

use std::collections::BTreeMap;

use catchment_domain::{
    Behind, Lane, LogIdentity, Position, PositionRange, ReplyLane, RequestId, RequestLaneLog,
};
use catchment_request_reply::{Incoming, Lookout, ReadError, Reader};
use tokio::task::JoinSet;

use super::check::Partitions;
use super::lane_reader::{self, LaneReader};
use super::{ClusterError, KafkaCluster, check};
use crate::error::{offset, position};
use crate::identity::identity;
use crate::lookout::behind;
use crate::wire::{self, Refusal};

impl KafkaCluster {
    /// Which log the requests are.
    #[must_use]
    pub fn requests_identity(&self) -> LogIdentity {
        identity(&self.id, &self.settings.requests_topic)
    }

    /// Which log the replies are.
    #[must_use]
    pub fn replies_identity(&self) -> LogIdentity {
        identity(&self.id, &self.settings.replies_topic)
    }

    /// How many partitions the topic of replies has.
    ///
    /// # Errors
    ///
    /// When the topic is missing, or the brokers do not answer.
    pub async fn reply_partitions(&self) -> Result<u16, ClusterError> {
        let topic = &self.settings.replies_topic;
        let found = self.topics.partitions(topic).await?;
        if let Some(problem) = check::problem(topic, found, Partitions::Any) {
            return Err(ClusterError::Topics(problem.to_string()));
        }
        Ok(u16::try_from(found.unwrap_or_default()).unwrap_or(u16::MAX))
    }

    /// What the lanes of requests hold, each seen from the next position that is to be applied. A
    /// lane that cannot be looked at just now is left out. Receipts are not looked at.
    ///
    /// # Errors
    ///
    /// When no lane can be looked at.
    pub async fn request_logs(
        &self,
        lanes: &[(Lane, Position)],
    ) -> Result<BTreeMap<Lane, RequestLaneLog>, ClusterError> {
        let topic = &self.settings.requests_topic;
        let log = self.requests_identity();
        let reader = Reader::manual(&self.settings.client, topic, |_| ())?;
        let mut looks = JoinSet::new();
        for (lane, next) in lanes.iter().copied() {
            let reader = reader.clone();
            looks.spawn(async move { (lane, look(&reader, lane, next, log).await) });
        }
        let looked = looks.join_all().await;
        lane_reader::close(&reader).await;
        found(looked)
    }

    /// Deletes the requests of a lane below a position, as retention does: for trials.
    ///
    /// # Errors
    ///
    /// When the brokers refuse or do not answer.
    pub async fn delete_requests(&self, lane: Lane, before: Position) -> Result<(), ClusterError> {
        let topic = &self.settings.requests_topic;
        Ok(self.topics.delete_records(topic, lane.0.into(), offset(before)).await?)
    }

    /// The requests of each lane at these positions. What is no request is passed over.
    ///
    /// # Errors
    ///
    /// When the brokers do not answer, or the records are gone.
    pub async fn requests_between(
        &self,
        ranges: &[(Lane, PositionRange)],
    ) -> Result<BTreeMap<Lane, Vec<(Position, RequestId)>>, ClusterError> {
        if ranges.is_empty() {
            return Ok(BTreeMap::new());
        }
        let reader = LaneReader::new(self, id_of_request)?;
        let read = read_ranges(&reader, ranges).await;
        reader.close().await;
        read
    }

    /// What stands in each of these reply lanes from a position on.
    ///
    /// # Errors
    ///
    /// When the brokers do not answer.
    pub async fn replies_behind(
        &self,
        lanes: &[(ReplyLane, Position)],
    ) -> Result<BTreeMap<ReplyLane, Behind>, ClusterError> {
        let lookout = Lookout::new(&self.settings.client, &self.settings.replies_topic)?;
        let found = behind_each(&lookout, lanes).await;
        lookout.close(lane_reader::TO_CLOSE).await;
        Ok(found?)
    }
}

async fn behind_each(
    lookout: &Lookout,
    lanes: &[(ReplyLane, Position)],
) -> Result<BTreeMap<ReplyLane, Behind>, ReadError> {
    let mut found = BTreeMap::new();
    for (lane, from) in lanes {
        let unread = lookout.unread(lane.0.into(), offset(*from)).await?;
        found.insert(*lane, behind(unread));
    }
    Ok(found)
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
        let record = reader.fetch(partition, offset(next) - 1).await?;
        record.map(|record| wire::parse_request(record.key.as_deref(), record.value.as_deref()).id)
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
) -> Result<BTreeMap<Lane, RequestLaneLog>, ClusterError> {
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
        Some(error) if found.is_empty() => Err(error.into()),
        _ => Ok(found),
    }
}

async fn read_ranges(
    reader: &LaneReader<Option<RequestId>>,
    ranges: &[(Lane, PositionRange)],
) -> Result<BTreeMap<Lane, Vec<(Position, RequestId)>>, ClusterError> {
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
        assert!(matches!(none, Err(ClusterError::Unreadable(_))), "{none:?}");
    }
}
