//! Reads records of request lanes beside the consumers that have the lanes.

use std::ops::Range;
use std::time::Duration;

use catchment_domain::Lane;
use catchment_domain::ports::InspectionError;
use catchment_request_reply::{
    Incoming, Lookout, ReadError, Reader, Record, SettingsError, Unread,
};
use tokio::time::timeout;

use super::KafkaCluster;
use crate::error::read_failed;

/// How many records are read at a time.
const PIECE: usize = 2_000;

/// How long to wait for records before asking the brokers whether there are any.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long an idle client may take to end.
pub(super) const TO_CLOSE: Duration = Duration::from_millis(500);

/// Reads records of request lanes beside the consumers that have the lanes.
pub(super) struct LaneReader<M> {
    reader: Reader<M>,
    lookout: Lookout,
}

impl<M: Clone + Send + Sync + 'static> LaneReader<M> {
    /// A reader of the request topic, whose records `parse` understands.
    pub(super) fn new(
        cluster: &KafkaCluster,
        parse: impl Fn(&Incoming<'_>) -> M + Send + Sync + 'static,
    ) -> Result<Self, SettingsError> {
        let (client, topic) = (&cluster.settings.client, &cluster.settings.requests_topic);
        let reader = Reader::manual(client, topic, parse)?;
        Ok(Self { reader, lookout: Lookout::new(client, topic)? })
    }

    /// The offset of a lane's first record, and one past its last record, which may be one that an
    /// open transaction holds back.
    pub(super) async fn range(&self, lane: Lane) -> Result<Range<i64>, ReadError> {
        let partition = lane.0.into();
        let first = self.reader.watermarks(partition).await?.low;
        // The reader's own end lies before records that an open transaction holds back.
        let ends = self.lookout.ends(partition..partition + 1).await?;
        Ok(first..end_of(self.reader.topic(), partition, &ends)?)
    }

    /// Calls `visit` with every record of a lane at these offsets, in order.
    ///
    /// # Errors
    ///
    /// When the brokers do not answer, records are gone, or an open transaction holds records back.
    pub(super) async fn visit(
        &self,
        lane: Lane,
        Range { start, end }: Range<i64>,
        mut visit: impl FnMut(&Record<M>) + Send,
    ) -> Result<(), InspectionError> {
        let (partition, mut next) = (lane.0.into(), start);
        while next < end {
            let records = self.reader.read(partition, next, PIECE).await.map_err(read_failed)?;
            if let Some(last) = records.last() {
                next = last.offset + 1;
                records.iter().filter(|record| record.offset < end).for_each(&mut visit);
                self.reader.release(partition, next);
            } else if timeout(PATIENCE, self.reader.wait(partition, next)).await.is_err() {
                let unread = self.lookout.unread(partition, next).await.map_err(read_failed)?;
                if is_read(unread, end).map_err(|from| held_back(lane, from))? {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Ends the clients.
    pub(super) async fn close(&self) {
        self.lookout.close(TO_CLOSE).await;
        close(&self.reader).await;
    }
}

/// Ends a reader that has nothing under way.
pub(super) async fn close<M: Clone + Send + Sync + 'static>(reader: &Reader<M>) {
    if let Err(error) = reader.close(TO_CLOSE).await {
        tracing::debug!(kafka.topic = reader.topic(), "{error}");
    }
}

fn held_back(lane: Lane, from: i64) -> InspectionError {
    let cause = format!(
        "an open transaction holds back the records of lane {lane} from {from} on: wait until its \
         `transaction.timeout.ms` has passed, or end it by `kafka-transactions.sh`"
    );
    InspectionError::Refused(cause.into())
}

/// Whether everything before `end` was read, if this is what stands behind the last record that came.
///
/// # Errors
///
/// The offset from which an open transaction holds back records before `end`.
fn is_read(unread: Unread, end: i64) -> Result<bool, i64> {
    match unread {
        Unread::Records => Ok(false),
        Unread::OpenTransaction { from } if from < end => Err(from),
        // Before `end`, only the marks of transactions are left.
        Unread::OpenTransaction { .. } | Unread::Nothing => Ok(true),
    }
}

/// The end of a partition, of those that a lookout found.
///
/// # Errors
///
/// When the partition's end was not found. Then nobody knows whether the partition is empty.
pub(super) fn end_of(topic: &str, partition: i32, found: &[(i32, i64)]) -> Result<i64, ReadError> {
    let end = found.iter().find(|(found, _)| *found == partition).map(|(_, end)| *end);
    end.ok_or_else(|| ReadError::Unavailable {
        topic: topic.to_owned(),
        cause: format!("partition {partition} has no leader"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_transaction_within_the_range_holds_it_up() {
        for (unread, expected) in [
            (Unread::Records, Ok(false)),
            (Unread::Nothing, Ok(true)),
            (Unread::OpenTransaction { from: 8 }, Err(8)),
            (Unread::OpenTransaction { from: 9 }, Ok(true)),
            (Unread::OpenTransaction { from: 10 }, Ok(true)),
        ] {
            assert_eq!(is_read(unread, 9), expected, "{unread:?}");
        }
    }

    #[test]
    fn a_partition_without_an_end_is_not_taken_for_an_empty_one() {
        let found = [(0, 5), (2, 0)];
        assert_eq!((end_of("t", 0, &found), end_of("t", 2, &found)), (Ok(5), Ok(0)));
        for found in [&found[..], &[]] {
            let error = end_of("t", 1, found).unwrap_err().to_string();
            assert_eq!(error, "`t` cannot be read now: partition 1 has no leader");
        }
    }
}
