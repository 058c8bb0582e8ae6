//! Whether replies can come to a requester.

use thiserror::Error;

use crate::profile::PartitionForm;

/// Why replies would miss a requester.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReplyTopicError {
    /// There is no such topic.
    #[error("there is no topic `{topic}` for replies: make it before the requester starts")]
    Missing {
        /// The topic.
        topic: String,
    },
    /// The topic does not have the requester's partition.
    #[error(
        "`{topic}` has no partition {partition} for replies, only {partitions} in all: choose one \
         from 0 to {}, or give the topic more partitions", .partitions.saturating_sub(1)
    )]
    NoPartition {
        /// The topic.
        topic: String,
        /// The requester's partition.
        partition: i32,
        /// How many there are.
        partitions: i32,
    },
    /// Requests name no partition, so replies go to all partitions by their keys.
    #[error(
        "replies would come in all {partitions} partitions of `{topic}`, and this requester reads \
         only one, because its requests name no partition: use a reply topic with one partition, \
         or a `RequestStyle` that names the partition, if the repliers read it \
         (`RequestStyle::OWN` for repliers of this crate, Spring and SmallRye, \
         `PartitionForm::Decimal` for NestJS)"
    )]
    Spread {
        /// The topic.
        topic: String,
        /// How many partitions it has.
        partitions: i32,
    },
}

/// Checks that replies come to the partition that the requester reads. Given how its requests name
/// the partition, and how many the reply topic has: `None` where there is no such topic.
pub(super) fn check(
    form: PartitionForm,
    (topic, partition): (&str, i32),
    partitions: Option<i32>,
) -> Result<(), ReplyTopicError> {
    let topic = topic.to_owned();
    match (partitions, form) {
        (None, _) => Err(ReplyTopicError::Missing { topic }),
        (Some(partitions @ 2..), PartitionForm::Absent) => {
            Err(ReplyTopicError::Spread { topic, partitions })
        }
        (Some(partitions), _) if !(0..partitions).contains(&partition) => {
            Err(ReplyTopicError::NoPartition { topic, partition, partitions })
        }
        (Some(_), PartitionForm::Absent | PartitionForm::Binary | PartitionForm::Decimal) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_come_to_the_only_partition_or_to_the_one_that_requests_name() {
        const ABSENT: &[PartitionForm] = &[PartitionForm::Absent];
        const NAMED: &[PartitionForm] = &[PartitionForm::Binary, PartitionForm::Decimal];
        const ALL: &[PartitionForm] =
            &[PartitionForm::Absent, PartitionForm::Binary, PartitionForm::Decimal];
        let topic = || "replies".to_owned();
        let missing = || Err(ReplyTopicError::Missing { topic: topic() });
        let no = |partition, partitions| {
            Err(ReplyTopicError::NoPartition { topic: topic(), partition, partitions })
        };
        let spread = |partitions| Err(ReplyTopicError::Spread { topic: topic(), partitions });
        for (forms, partitions, partition, expected) in [
            (ALL, None, 0, missing()),
            (ALL, None, 7, missing()),
            (ALL, Some(0), 0, no(0, 0)),
            (ALL, Some(1), -1, no(-1, 1)),
            (ALL, Some(1), 0, Ok(())),
            (ALL, Some(1), 1, no(1, 1)),
            (ABSENT, Some(2), 0, spread(2)),
            (ABSENT, Some(2), 1, spread(2)),
            (ABSENT, Some(12), 12, spread(12)),
            (NAMED, Some(2), 0, Ok(())),
            (NAMED, Some(2), 1, Ok(())),
            (NAMED, Some(2), 2, no(2, 2)),
            (NAMED, Some(12), 11, Ok(())),
            (NAMED, Some(12), -1, no(-1, 12)),
            (NAMED, Some(12), i32::MAX, no(i32::MAX, 12)),
        ] {
            for &form in forms {
                let found = check(form, ("replies", partition), partitions);
                assert_eq!(found, expected, "{form:?} {partitions:?}");
            }
        }
    }

    #[test]
    fn the_error_says_what_to_do() {
        let topic = || "replies".to_owned();
        let spread = ReplyTopicError::Spread { topic: topic(), partitions: 3 }.to_string();
        assert!(spread.contains("one partition") && spread.contains("RequestStyle::OWN"));
        let none = ReplyTopicError::NoPartition { topic: topic(), partition: 3, partitions: 3 };
        assert!(none.to_string().contains("from 0 to 2"), "{none}");
    }
}
