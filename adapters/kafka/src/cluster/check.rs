//! What can be wrong with a topic.

use catchment_domain::Position;
use thiserror::Error;

/// What is wrong with a topic: one clear line.
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
        "the topic `{topic}` has {found} partitions, and the database has {expected} lanes: \
         the count must never change"
    )]
    OtherPartitions {
        /// Its name.
        topic: String,
        /// How many partitions it has.
        found: i32,
        /// How many lanes there are.
        expected: i32,
    },
    /// The positions say nothing of it.
    #[error(
        "the topic `{topic}` of this cluster is not the one that the database has read: {TO_DO}"
    )]
    Foreign {
        /// Its name.
        topic: String,
    },
    /// What comes next would be passed over.
    #[error(
        "the topic `{topic}` was made again, or lost its end: partition {partition} ends at \
         {end}, and the database goes on from {next}: {TO_DO}"
    )]
    EndsEarly {
        /// Its name.
        topic: String,
        /// Where it ends too early.
        partition: u16,
        /// One past the last record.
        end: Position,
        /// The first that was not read yet.
        next: Position,
    },
    /// What was read is not what is there.
    #[error(
        "the topic `{topic}` was made again: the record before {next} in partition {partition} \
         is not the one that the database has read: {TO_DO}"
    )]
    OtherRecord {
        /// Its name.
        topic: String,
        /// Where it differs.
        partition: u16,
        /// The first that was not read yet.
        next: Position,
    },
}

/// What helps where a topic does not belong to the database.
const TO_DO: &str = "use the topics that belong to this database, or another database";

/// What is wrong with a topic that has so many partitions, where something is.
pub(super) fn problem(
    topic: &str,
    found: Option<i32>,
    expected: Option<i32>,
) -> Option<TopicProblem> {
    let topic = topic.to_owned();
    match (found, expected) {
        (None, _) => Some(TopicProblem::Missing { topic }),
        (Some(found), Some(expected)) if found != expected => {
            Some(TopicProblem::OtherPartitions { topic, found, expected })
        }
        (Some(_), _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_problem_is_one_line_that_says_what_to_do() {
        for (found, expected, line) in [
            (None, None, "there is no topic `t`: `catchment topics create` makes it"),
            (None, Some(12), "there is no topic `t`: `catchment topics create` makes it"),
            (
                Some(11),
                Some(12),
                "the topic `t` has 11 partitions, and the database has 12 lanes: \
                 the count must never change",
            ),
            (Some(12), Some(12), ""),
            (Some(1), None, ""),
        ] {
            let said = problem("t", found, expected).map(|problem| problem.to_string());
            assert_eq!(said.unwrap_or_default(), line, "{found:?} {expected:?}");
        }
    }
}
