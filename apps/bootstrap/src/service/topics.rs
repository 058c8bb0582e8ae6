//! Checks that the topics of a service fit the database and hold what it has read so far.
//!
//! A problem of a whole topic ends the process. A problem of a single lane is logged, and the other
//! lanes go on: the process that works on the lane sets it aside.

use std::collections::BTreeMap;
use std::time::Duration;

use catchment_domain::Lanes;
use catchment_domain::ports::StoreError;
use catchment_kafka::{ClusterError, Compared, KafkaCluster, Reached, TopicProblem};
use catchment_seaorm::{Reached as Stored, SeaOrmStore};
use tokio::time::sleep;

use super::ending::ProcessError;
use super::kafka::refusal;
use super::readiness::Readiness;
use super::reasons;
use crate::one_line::chain;

/// The readiness condition that every lane fits its topic.
pub const TOPICS: &str = "topics";

/// How often to check the topics while the service works.
const LOOK: Duration = Duration::from_secs(20);

/// The problems of single lanes, by the topic or table and the lane's number.
type Alone = BTreeMap<(String, u16), String>;

/// Checks the topics.
#[derive(Debug)]
pub struct TopicCheck {
    cluster: KafkaCluster,
    lanes: Lanes,
    store: SeaOrmStore,
    said: Said,
}

impl TopicCheck {
    /// Makes a check that has no results yet.
    #[must_use]
    pub fn new(cluster: KafkaCluster, lanes: Lanes, store: SeaOrmStore) -> Self {
        Self { cluster, lanes, store, said: Said::default() }
    }

    /// Checks that the topics fit the database and hold what it has read. Logs the problems of
    /// single lanes.
    ///
    /// # Errors
    ///
    /// When a whole topic does not fit, or a broker or the database does not answer.
    pub async fn check(&mut self) -> Result<(), ProcessError> {
        let alone = self.look().await?;
        self.said.begin(alone);
        Ok(())
    }

    /// Checks the topics again and again. Returns when two checks in a row find a problem of a
    /// whole topic. A problem that only one check finds may come from a broker that lags behind.
    pub async fn watch(mut self, readiness: Readiness) -> ProcessError {
        let mut is_suspect = false;
        loop {
            match self.said.reason() {
                None => readiness.met(TOPICS),
                Some(reason) => readiness.unmet(TOPICS, reason),
            }
            sleep(LOOK).await;
            match self.look().await {
                Ok(alone) => {
                    is_suspect = false;
                    self.said.note(alone);
                }
                Err(error @ ProcessError::Misfit(_)) if is_suspect => return error,
                Err(ProcessError::Misfit(what)) => {
                    tracing::warn!(what, "the topics are looked at again");
                    is_suspect = true;
                }
                Err(error) => tracing::debug!(%error, "the topics could not be looked at"),
            }
        }
    }

    /// Returns the problems of single lanes.
    async fn look(&self) -> Result<Alone, ProcessError> {
        // The database is read before the topics. Topics only grow, so they must still hold every
        // record that was read.
        let requests = self.store.requests_reached().await.map_err(|error| unreadable(&error))?;
        let replies = self.store.replies_reached().await.map_err(|error| unreadable(&error))?;
        let whole = self.cluster.check_topics(self.lanes).await.map_err(|error| refusal(&error))?;
        fail_for(&whole)?;
        let (of_requests, of_replies) = (in_topic(&requests.found), in_topic(&replies.found));
        let compared = self.cluster.check_reached(&of_requests, &of_replies).await;
        let Compared { topics, partitions } = compared.map_err(|error| refusal(&error))?;
        fail_for(&topics)?;
        let differing = partitions.into_iter().map(|problem| {
            let what = problem.to_string();
            ((problem.topic, problem.partition), what)
        });
        let damaged = [("lane_state", requests.damaged), ("reply_lane", replies.damaged)];
        let damaged = damaged.into_iter().flat_map(|(table, damaged)| {
            damaged.into_iter().map(move |(lane, what)| ((table.to_owned(), lane), what))
        });
        Ok(differing.chain(damaged).collect())
    }
}

/// The problems of single lanes that were logged.
#[derive(Debug, Default)]
struct Said {
    /// The problems that the last check found, logged or not.
    found: Alone,
    said: Alone,
}

impl Said {
    /// Logs all problems of the first check. A process that starts does not wait for a second
    /// check.
    fn begin(&mut self, found: Alone) {
        self.found.clone_from(&found);
        self.note(found);
    }

    /// Processes the result of a check.
    ///
    /// 1. A logged problem that was not found again is over.
    /// 2. A problem that two checks in a row have found is logged once, with the text of the second
    ///    check.
    fn note(&mut self, found: Alone) {
        self.said.retain(|(of, lane), _| {
            let is_still = found.contains_key(&(of.clone(), *lane));
            if !is_still {
                tracing::info!(of, lane, "the lane is as it must be again");
            }
            is_still
        });
        for (place, what) in &found {
            if self.found.contains_key(place) && !self.said.contains_key(place) {
                let lane = place.1;
                tracing::warn!(lane, what, "a human must look at a lane; the others go on");
                self.said.insert(place.clone(), what.clone());
            }
        }
        self.found = found;
    }

    fn reason(&self) -> Option<String> {
        reasons::join(self.said.values().map(|what| format!("a human must look: {what}")))
    }
}

/// Fails if whole topics have problems.
fn fail_for(problems: &[TopicProblem]) -> Result<(), ProcessError> {
    if problems.is_empty() {
        return Ok(());
    }
    let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
    Err(refusal(&ClusterError::Topics(said.join("; "))))
}

/// Converts the lanes of the database to partitions of a topic.
fn in_topic(lanes: &[Stored]) -> Vec<Reached> {
    let of_lane = |stored: &Stored| {
        let Stored { log, lane: partition, next, last_id } = *stored;
        Reached { log, partition, next, last_id }
    };
    lanes.iter().map(of_lane).collect()
}

/// Returns how the process ends if the database cannot say how far it has read.
fn unreadable(error: &StoreError) -> ProcessError {
    let what = format!("could not read the database: {}", chain(error));
    match error {
        StoreError::Refused { .. } | StoreError::BadData { .. } => ProcessError::Misfit(what),
        _ => ProcessError::Unavailable(what),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The problems of one check by lane, and the expected reason.
    type Look<'a> = (&'a [(u16, &'a str)], Option<&'a str>);

    fn check(mut said: Said, looks: &[Look<'_>]) {
        for (found, reason) in looks {
            let found = found
                .iter()
                .map(|(lane, what)| (("requests".to_owned(), *lane), (*what).to_owned()));
            said.note(found.collect());
            let expected = reason.map(ToOwned::to_owned);
            assert_eq!(said.reason(), expected);
        }
    }

    #[test]
    fn what_is_seen_twice_is_said_in_the_same_words_until_it_is_over() {
        let first = Some("a human must look: ends at 5");
        check(
            Said::default(),
            &[
                (&[(2, "ends at 4")], None),
                (&[], None),
                (&[(2, "ends at 4")], None),
                (&[(2, "ends at 5")], first),
                (&[(2, "ends at 7"), (3, "ends at 9")], first),
                (&[(2, "ends at 7")], first),
                (&[], None),
                (&[(2, "ends at 8")], None),
            ],
        );
    }

    #[test]
    fn what_the_first_look_of_a_process_finds_is_said_at_once() {
        let mut said = Said::default();
        let place = ("requests".to_owned(), 2);
        said.begin(Alone::from([(place, "ends at 4".to_owned())]));
        assert_eq!(said.reason().as_deref(), Some("a human must look: ends at 4"));
        check(said, &[(&[(2, "ends at 5")], Some("a human must look: ends at 4")), (&[], None)]);
    }
}
