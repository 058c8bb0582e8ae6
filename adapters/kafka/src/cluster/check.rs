//! What can be wrong with a topic.

use catchment_domain::ports::{LogProblem, LogProblemKind};
use thiserror::Error;

/// A problem of a whole topic: nothing may be read or sent. Displayed as one line.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TopicProblem {
    /// It is not there.
    #[error("there is no topic `{topic}`: `catchment topics create` makes it")]
    Missing {
        /// Its name.
        topic: String,
    },
    /// Shops would be sought in other partitions than they are sent to.
    #[error(
        "the topic `{topic}` has {found} partitions, and the database has {expected} lanes: name \
         a new topic in `kafka.requests_topic`, make it by `catchment topics create`, and take it \
         by `catchment lanes accept --all`{}",
        or_move(*.found, *.expected)
    )]
    OtherPartitions {
        /// Its name.
        topic: String,
        /// How many partitions it has.
        found: i32,
        /// How many lanes there are.
        expected: i32,
    },
    /// Dead letters of some lanes would be lost.
    #[error(
        "the topic `{topic}` has {found} partitions, and the database has {lanes} lanes: a dead \
         letter goes into the partition of its request, so add partitions with \
         `kafka-topics.sh --alter --topic {topic} --partitions {lanes}`"
    )]
    FewerThanLanes {
        /// Its name.
        topic: String,
        /// How many partitions it has.
        found: i32,
        /// How many lanes there are.
        lanes: i32,
    },
    /// Records are removed before they are read.
    #[error(
        "the topic `{topic}` is compacted (`cleanup.policy`), which removes records before they \
         are read: set it to `delete`"
    )]
    Compacted {
        /// Its name.
        topic: String,
    },
    /// If a reader stands still for a while, records are removed before they are read.
    #[error(
        "the topic `{topic}` has `{property}` {found}, which may remove records before they are \
         read: set it to {least} or more"
    )]
    ShortLived {
        /// Its name.
        topic: String,
        /// The property that limits how many records are kept, or how long.
        property: &'static str,
        /// The property's value.
        found: i64,
        /// The least value that the property must have.
        least: i64,
    },
    /// Some of the topic's readers cannot read its records.
    #[error(
        "the topic `{topic}` has `compression.type` `{compression}`, which clients with KafkaJS \
         cannot read: set `producer`, `gzip` or `uncompressed`"
    )]
    OtherCompression {
        /// Its name.
        topic: String,
        /// How the brokers compress it.
        compression: String,
    },
    /// Nothing can be sent there.
    #[error(
        "the topic `{topic}` takes no records: `min.insync.replicas` is {needed}, but its \
         replication factor is {replicas}"
    )]
    TooFewReplicas {
        /// Its name.
        topic: String,
        /// How many replicas must take a record.
        needed: i64,
        /// How many replicas each partition has.
        replicas: i32,
    },
    /// The topic takes smaller batches than senders may send.
    #[error(
        "the topic `{topic}` takes at most {found} bytes at once (`max.message.bytes`), but a \
         sender may send {least} (`batch.size`): set `max.message.bytes` to {least} or more"
    )]
    SmallBatches {
        /// Its name.
        topic: String,
        /// The largest batch that the topic takes, in bytes.
        found: u64,
        /// The largest batch that a sender may send, in bytes.
        least: u64,
    },
    /// The topic already exists with fewer partitions than the operator wants.
    #[error(
        "the topic `{topic}` already exists with {found} partitions, not {wanted}: add partitions \
         with `kafka-topics.sh --alter --topic {topic} --partitions {wanted}`"
    )]
    FewerPartitions {
        /// Its name.
        topic: String,
        /// How many partitions it has.
        found: i32,
        /// How many are wanted.
        wanted: i32,
    },
    /// The topic already exists with more partitions than the operator wants.
    #[error(
        "the topic `{topic}` already exists with {found} partitions, not {wanted}: partitions \
         cannot be removed, so give {found}, or leave the number out"
    )]
    MorePartitions {
        /// Its name.
        topic: String,
        /// How many partitions it has.
        found: i32,
        /// How many are wanted.
        wanted: i32,
    },
    /// The topic already exists with another number of replicas than the operator wants.
    #[error(
        "the topic `{topic}` already exists with replication factor {found}, not {wanted}: \
         `kafka-reassign-partitions.sh` changes it"
    )]
    OtherReplicas {
        /// Its name.
        topic: String,
        /// How many replicas it has.
        found: i32,
        /// How many are wanted.
        wanted: i32,
    },
}

impl TopicProblem {
    /// The problem in the words of the domain.
    pub(super) fn of_log(&self) -> LogProblem {
        let kind = match *self {
            Self::OtherPartitions { found, .. } => {
                LogProblemKind::OtherLanes { found: u16::try_from(found).unwrap_or(u16::MAX) }
            }
            Self::FewerThanLanes { .. } => LogProblemKind::FewerDeadLetterLanes,
            _ => LogProblemKind::Other,
        };
        LogProblem { line: self.to_string(), kind }
    }
}

/// Names the move, which also helps if a request topic has more partitions than lanes.
fn or_move(found: i32, lanes: i32) -> String {
    if found <= lanes {
        return String::new();
    }
    format!(
        "; if nothing is under way, `catchment topics move --lanes {found}` changes the number of \
         lanes"
    )
}

/// How many partitions a topic must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Partitions {
    /// Any number.
    Any,
    /// One for each of so many lanes, and no other.
    OneForEach(i32),
    /// One for each of so many lanes, and any number of others.
    AtLeastOneForEach(i32),
}

/// What is wrong with a topic that has so many partitions, where something is.
pub(super) fn problem(
    topic: &str,
    found: Option<i32>,
    expected: Partitions,
) -> Option<TopicProblem> {
    let topic = topic.to_owned();
    match (found, expected) {
        (None, _) => Some(TopicProblem::Missing { topic }),
        (Some(found), Partitions::OneForEach(expected)) if found != expected => {
            Some(TopicProblem::OtherPartitions { topic, found, expected })
        }
        (Some(found), Partitions::AtLeastOneForEach(lanes)) if found < lanes => {
            Some(TopicProblem::FewerThanLanes { topic, found, lanes })
        }
        (Some(_), _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_problem_is_one_line_that_says_what_to_do() {
        let (any, lanes) = (Partitions::Any, Partitions::OneForEach(12));
        let dead_letters = Partitions::AtLeastOneForEach(12);
        for (found, expected, line) in [
            (None, any, "there is no topic `t`: `catchment topics create` makes it"),
            (None, lanes, "there is no topic `t`: `catchment topics create` makes it"),
            (None, dead_letters, "there is no topic `t`: `catchment topics create` makes it"),
            (
                Some(11),
                lanes,
                "the topic `t` has 11 partitions, and the database has 12 lanes: name a new topic \
                 in `kafka.requests_topic`, make it by `catchment topics create`, and take it by \
                 `catchment lanes accept --all`",
            ),
            (
                Some(13),
                lanes,
                "the topic `t` has 13 partitions, and the database has 12 lanes: name a new topic \
                 in `kafka.requests_topic`, make it by `catchment topics create`, and take it by \
                 `catchment lanes accept --all`; if nothing is under way, \
                 `catchment topics move --lanes 13` changes the number of lanes",
            ),
            (
                Some(11),
                dead_letters,
                "the topic `t` has 11 partitions, and the database has 12 lanes: a dead letter goes \
                 into the partition of its request, so add partitions with \
                 `kafka-topics.sh --alter --topic t --partitions 12`",
            ),
            (Some(12), lanes, ""),
            (Some(12), dead_letters, ""),
            (Some(13), dead_letters, ""),
            (Some(1), any, ""),
        ] {
            let said = problem("t", found, expected).map(|problem| problem.to_string());
            assert_eq!(said.unwrap_or_default(), line, "{found:?} {expected:?}");
        }
    }
}
