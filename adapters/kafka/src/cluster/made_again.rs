//! Whether topics are still those that a database has read.

use std::time::Duration;

use catchment_domain::{LogIdentity, Position, RequestId};
use catchment_request_reply::{ReadError, Reader};
use tokio::task::JoinSet;

use super::check::{Difference, PartitionProblem, TopicProblem};
use super::{ClusterError, KafkaCluster};
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

/// How the topics compare with what a database has read of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// Problems of whole topics. While there is one, nothing may be read or sent.
    pub topics: Vec<TopicProblem>,
    /// Problems of single partitions. The other partitions work.
    pub partitions: Vec<PartitionProblem>,
}

/// What a partition says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// Nothing is known: the database has read nothing of it, or the partition has no leader now.
    Silent,
    /// It holds the records that the database has read.
    Same,
    /// It holds other records, or has lost some.
    Differs(Difference),
}

impl Compared {
    /// Adds the problems of a topic, judged by its partitions.
    ///
    /// 1. Silent partitions are left out.
    /// 2. If each of the rest differs, the whole topic is [`TopicProblem::NotTheOneRead`].
    /// 3. If some of the rest differ, each of them has a problem of its own.
    fn add(&mut self, topic: &str, verdicts: &[(u16, Verdict)]) {
        let mut differing = verdicts.iter().filter_map(|(partition, verdict)| match verdict {
            Verdict::Differs(difference) => Some((*partition, *difference)),
            Verdict::Silent | Verdict::Same => None,
        });
        let topic = topic.to_owned();
        if verdicts.iter().any(|(_, verdict)| *verdict == Verdict::Same) {
            self.partitions.extend(differing.map(|(partition, difference)| PartitionProblem {
                topic: topic.clone(),
                partition,
                difference,
            }));
        } else if let Some((partition, difference)) = differing.next() {
            self.topics.push(TopicProblem::NotTheOneRead { topic, partition, difference });
        }
    }
}

impl KafkaCluster {
    /// Compares the topics with what a database has read of them.
    ///
    /// Lost replies are no problem: the requester reads from the end of the partition and sends
    /// again what has no outcome.
    ///
    /// # Errors
    ///
    /// When the brokers do not answer.
    pub async fn check_reached(
        &self,
        requests: &[Reached],
        replies: &[Reached],
    ) -> Result<Compared, ClusterError> {
        let mut compared = Compared::default();
        let topic = &self.settings.requests_topic;
        compared.add(topic, &self.look(topic, requests).await?);
        let topic = &self.settings.replies_topic;
        let log = identity(&self.id, topic);
        let by_log = |reached: &Reached| (reached.partition, by_log(reached, log));
        let verdicts: Vec<_> = replies.iter().map(by_log).collect();
        compared.add(topic, &verdicts);
        Ok(compared)
    }

    /// What the partitions of a topic say.
    async fn look(
        &self,
        topic: &str,
        reached: &[Reached],
    ) -> Result<Vec<(u16, Verdict)>, ClusterError> {
        let log = identity(&self.id, topic);
        let count = self.topics.partitions(topic).await?.unwrap_or_default();
        let reader = Reader::manual(&self.settings.client, topic, |_| ())?;
        let mut looks = JoinSet::new();
        for reached in reached.iter().copied() {
            let reader = reader.clone();
            looks.spawn(async move {
                let verdict = match by_log(&reached, log) {
                    Verdict::Same => by_records(&reader, count, &reached).await,
                    verdict => Ok(verdict),
                };
                (reached.partition, verdict)
            });
        }
        let mut looked = looks.join_all().await;
        looked.sort_by_key(|(partition, _)| *partition);
        if let Err(error) = reader.close(TO_CLOSE).await {
            tracing::debug!(kafka.topic = topic, "{error}");
        }
        verdicts(looked)
    }
}

/// Returns a verdict for each partition. A partition that cannot be read is silent.
///
/// # Errors
///
/// When none could.
fn verdicts(
    looked: Vec<(u16, Result<Verdict, ReadError>)>,
) -> Result<Vec<(u16, Verdict)>, ClusterError> {
    let mut failure = None;
    let mut verdicts = Vec::with_capacity(looked.len());
    for (partition, verdict) in looked {
        match verdict {
            Ok(verdict) => verdicts.push((partition, verdict)),
            Err(error) => {
                tracing::debug!(kafka.partition = partition, "{error}");
                failure.get_or_insert(error);
            }
        }
    }
    match failure {
        Some(error) if verdicts.is_empty() => Err(error.into()),
        _ => Ok(verdicts),
    }
}

/// What the log that a partition was read in says of it.
fn by_log(reached: &Reached, log: LogIdentity) -> Verdict {
    match reached {
        // Positions of a log that went with its process say nothing.
        Reached { log: other, .. } if *other != log => {
            if other.lasting {
                Verdict::Differs(Difference::Foreign)
            } else {
                Verdict::Silent
            }
        }
        Reached { next: Position(0), .. } => Verdict::Silent,
        _ => Verdict::Same,
    }
}

/// What the records of a partition say, in a topic that has so many.
async fn by_records(
    reader: &Reader<()>,
    count: i32,
    reached: &Reached,
) -> Result<Verdict, ReadError> {
    let Reached { partition, next, last_id, .. } = *reached;
    let early = |end| Ok(Verdict::Differs(Difference::EndsEarly { end, next }));
    if count <= i32::from(partition) {
        return early(Position(0));
    }
    let ends = reader.watermarks(partition.into()).await?;
    if ends.high < offset(next) {
        return early(position(ends.high));
    }
    let Some(expected) = last_id.filter(|_| ends.low < offset(next)) else {
        return Ok(Verdict::Same);
    };
    let before = reader.fetch(partition.into(), offset(next) - 1).await?;
    // Retention may have deleted the record in the meantime; then nothing is known.
    let is_other = before.is_some_and(|record| {
        wire::parse_request(record.key.as_deref(), record.value.as_deref()).id != expected
    });
    let other = Verdict::Differs(Difference::OtherRecord { next });
    Ok(if is_other { other } else { Verdict::Same })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEXT: Position = Position(9);
    const FOREIGN: Verdict = Verdict::Differs(Difference::Foreign);
    const OTHER: Verdict = Verdict::Differs(Difference::OtherRecord { next: NEXT });
    const EARLY: Verdict = Verdict::Differs(Difference::EndsEarly { end: Position(5), next: NEXT });

    #[test]
    fn a_topic_is_another_one_where_all_differ_and_a_partition_stands_alone_where_some_do() {
        use Verdict::{Same, Silent};
        for (verdicts, is_whole, alone) in [
            (&[][..], false, &[][..]),
            (&[Silent, Silent], false, &[]),
            (&[Same, Silent], false, &[]),
            (&[EARLY], true, &[]),
            (&[EARLY, Silent], true, &[]),
            (&[EARLY, OTHER, FOREIGN], true, &[]),
            (&[FOREIGN, FOREIGN], true, &[]),
            (&[Same, EARLY], false, &[1]),
            (&[OTHER, Silent, Same], false, &[0]),
            (&[FOREIGN, Same, EARLY], false, &[0, 2]),
        ] {
            let verdicts: Vec<_> = (0..).zip(verdicts.iter().copied()).collect();
            let mut compared = Compared::default();
            compared.add("t", &verdicts);
            assert_eq!(!compared.topics.is_empty(), is_whole, "{verdicts:?}");
            let found: Vec<u16> = compared.partitions.iter().map(|p| p.partition).collect();
            assert_eq!(found, alone, "{verdicts:?}");
        }
    }

    #[test]
    fn a_log_that_did_not_last_and_a_lane_that_was_never_read_say_nothing() {
        let log = LogIdentity { id: 1, lasting: true };
        let passing = LogIdentity { id: 2, lasting: false };
        let foreign = LogIdentity { id: 2, lasting: true };
        for (of, next, expected) in [
            (log, NEXT, Verdict::Same),
            (log, Position(0), Verdict::Silent),
            (passing, NEXT, Verdict::Silent),
            (foreign, NEXT, FOREIGN),
            (foreign, Position(0), FOREIGN),
        ] {
            let reached = Reached { log: of, partition: 0, next, last_id: None };
            assert_eq!(by_log(&reached, log), expected, "{reached:?}");
        }
    }

    #[test]
    fn a_partition_that_cannot_be_looked_at_says_nothing_unless_none_can() {
        let away = || {
            let (topic, cause) = ("t".to_owned(), "no leader".to_owned());
            Err(ReadError::Unavailable { topic, cause })
        };
        assert_eq!(verdicts(vec![]).unwrap(), []);
        assert_eq!(verdicts(vec![(0, away()), (1, Ok(EARLY))]).unwrap(), [(1, EARLY)]);
        let none = verdicts(vec![(0, away()), (1, away())]);
        assert!(matches!(none, Err(ClusterError::Unreadable(_))), "{none:?}");
    }
}
