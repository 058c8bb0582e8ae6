//! Which partitions take no messages at present. Each is worth a line when that begins, when its
//! cause changes, and when it ends.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// Names of topics come from peers; beyond this many all are forgotten.
const CAPACITY: usize = 1_024;

/// The partition of messages for which the client did not choose one yet.
pub(super) const NOT_CHOSEN: i32 = -1;

/// The partitions that take no messages, by topic, with the cause.
#[derive(Debug, Default)]
pub(super) struct Troubles {
    /// Asked for every message that is delivered.
    are_any: AtomicBool,
    causes: Mutex<BTreeMap<String, BTreeMap<i32, String>>>,
}

impl Troubles {
    /// A message to a partition was not delivered. Returns whether that is news.
    pub(super) fn begin(&self, (topic, partition): (&str, i32), cause: &str) -> bool {
        let mut causes = self.causes.lock().unwrap_or_else(PoisonError::into_inner);
        if CAPACITY <= causes.len() && !causes.contains_key(topic) {
            causes.clear();
        }
        self.are_any.store(true, Ordering::Relaxed);
        let of_topic = causes.entry(topic.to_owned()).or_default();
        match of_topic.get(&partition) {
            Some(before) if before == cause => false,
            _ => {
                of_topic.insert(partition, cause.to_owned());
                true
            }
        }
    }

    /// Whether any partition takes no messages.
    pub(super) fn are_any(&self) -> bool {
        self.are_any.load(Ordering::Relaxed)
    }

    /// A message to a partition was delivered. Returns whether that is news.
    pub(super) fn end(&self, (topic, partition): (&str, i32)) -> bool {
        let mut causes = self.causes.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(of_topic) = causes.get_mut(topic) else { return false };
        // By now the client chooses partitions of the topic.
        let chooses_again = of_topic.remove(&NOT_CHOSEN).is_some();
        let has_ended = of_topic.remove(&partition).is_some() || chooses_again;
        if of_topic.is_empty() {
            causes.remove(topic);
        }
        self.are_any.store(!causes.is_empty(), Ordering::Relaxed);
        has_ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trouble_is_news_when_it_begins_changes_and_ends() {
        let troubles = Troubles::default();
        assert!(!troubles.are_any());
        assert!(troubles.begin(("a", 0), "timed out"));
        assert!(!troubles.begin(("a", 0), "timed out"));
        assert!(troubles.begin(("a", 0), "not enough replicas"));
        assert!(troubles.are_any());
        assert!(troubles.end(("a", 0)));
        assert!(!troubles.end(("a", 0)));
        assert!(!troubles.are_any());
    }

    #[test]
    fn a_message_to_another_partition_ends_no_trouble() {
        let troubles = Troubles::default();
        assert!(troubles.begin(("a", 0), "timed out"));
        assert!(troubles.begin(("a", 1), "timed out"), "another partition");
        assert!(troubles.begin(("b", 0), "timed out"), "another topic");
        assert!(!troubles.end(("a", 2)));
        assert!(!troubles.begin(("a", 0), "timed out"), "it was told before");
        assert!(troubles.end(("a", 1)));
        assert!(troubles.are_any());
        assert!(troubles.end(("b", 0)));
        assert!(troubles.end(("a", 0)));
        assert!(!troubles.are_any());
    }

    #[test]
    fn partitions_that_were_not_chosen_end_with_any_message_to_the_topic() {
        let troubles = Troubles::default();
        assert!(troubles.begin(("a", NOT_CHOSEN), "timed out"));
        assert!(!troubles.end(("b", 0)));
        assert!(troubles.end(("a", 3)));
        assert!(!troubles.are_any());
    }

    #[test]
    fn topics_are_remembered_within_bounds() {
        let troubles = Troubles::default();
        for topic in 0..=CAPACITY {
            assert!(troubles.begin((&topic.to_string(), 0), "timed out"));
        }
        assert!(troubles.causes.lock().unwrap().len() <= CAPACITY);
        assert!(troubles.begin(("0", 0), "timed out"), "it was forgotten");
    }
}
