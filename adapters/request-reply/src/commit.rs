//! Offsets that members of a group have committed.

use rdkafka::topic_partition_list::{Offset, TopicPartitionListElem};

/// What a member of a group has committed for a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// The offset of the next record.
    pub next: i64,
    /// Whatever the member wrote beside it.
    pub metadata: String,
}

impl Commit {
    /// An offset with nothing beside it.
    #[must_use]
    pub const fn at(next: i64) -> Self {
        Self { next, metadata: String::new() }
    }
}

/// What was committed, where something was.
///
/// INVARIANT: what stands beside an offset is UTF-8: brokers refuse other strings.
pub(crate) fn commit_of(element: &TopicPartitionListElem<'_>) -> Option<Commit> {
    match element.offset() {
        Offset::Offset(next) => Some(Commit { next, metadata: element.metadata().to_owned() }),
        _ => None,
    }
}
