//! How many partitions topics have, remembered for a while.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::client::{Client, ClientContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::metadata::MetadataTopic;

/// A topic's partitions may be raised.
const FOUND: Duration = Duration::from_mins(1);

/// A topic that is not there may be made.
const MISSING: Duration = Duration::from_secs(5);

/// Names come from peers; beyond this many all are forgotten.
const CAPACITY: usize = 1_024;

/// How many partitions a topic has, `None` where there is no such topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Partitions(pub(super) Option<i32>);

/// What was found out about topics, and when.
#[derive(Default)]
pub(super) struct KnownTopics(Mutex<HashMap<String, (Instant, Partitions)>>);

impl KnownTopics {
    pub(super) fn get(&self, topic: &str) -> Option<Partitions> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (asked, Partitions(found)) = known.get(topic)?;
        let age = if found.is_some() { FOUND } else { MISSING };
        (asked.elapsed() < age).then_some(Partitions(*found))
    }

    pub(super) fn put(&self, topic: &str, found: Option<i32>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if CAPACITY <= known.len() {
            known.clear();
        }
        known.insert(topic.to_owned(), (Instant::now(), Partitions(found)));
    }

    /// Forgets a topic whose number of partitions may have changed.
    pub(super) fn forget(&self, topic: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(topic);
    }
}

/// Asks a broker how many partitions a topic has, `None` where there is no such topic.
pub(crate) fn ask<C: ClientContext>(
    client: &Client<C>,
    topic: &str,
    within: Duration,
) -> KafkaResult<Option<i32>> {
    let counted = ask_about(client, topic, within, |found| i32::try_from(found.partitions().len()));
    Ok(counted?.and_then(Result::ok))
}

/// Asks a broker about a topic. Returns `None` if there is no such topic.
pub(crate) fn ask_about<C: ClientContext, T>(
    client: &Client<C>,
    topic: &str,
    within: Duration,
    read: impl FnOnce(&MetadataTopic) -> T,
) -> KafkaResult<Option<T>> {
    let metadata = client.fetch_metadata(Some(topic), within)?;
    let Some(found) = metadata.topics().iter().find(|found| found.name() == topic) else {
        return Ok(None);
    };
    match found.error().map(RDKafkaErrorCode::from) {
        Some(
            RDKafkaErrorCode::UnknownTopicOrPartition
            | RDKafkaErrorCode::UnknownTopic
            | RDKafkaErrorCode::InvalidTopic,
        ) => Ok(None),
        Some(error) => Err(KafkaError::MetadataFetch(error)),
        None => Ok(Some(read(found))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_is_remembered_within_bounds() {
        let known = KnownTopics::default();
        assert_eq!(known.get("a"), None);
        known.put("a", Some(3));
        known.put("b", None);
        assert_eq!(
            (known.get("a"), known.get("b")),
            (Some(Partitions(Some(3))), Some(Partitions(None)))
        );
        for n in 0..CAPACITY {
            known.put(&n.to_string(), None);
        }
        assert_eq!(known.get("a"), None, "forgotten, and asked again");
        assert!(known.0.lock().unwrap().len() <= CAPACITY);
    }
}
