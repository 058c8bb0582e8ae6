//! Checks that the topics of a service fit the database and hold what it has read so far.
//!
//! A problem of a whole topic ends the process. A problem of a single lane is logged, and the other
//! lanes go on: the process that works on the lane sets it aside.

use std::collections::BTreeMap;
use std::time::Duration;

use catchment_application::{LaneError, SeenLanes, check_age};
use catchment_domain::AnyLane;
use catchment_domain::ports::{StoreError, Topics as _};
use catchment_kafka::KafkaLookout;
use catchment_seaorm::SeaOrmStore;
use tokio::time::sleep;

use super::ending::ProcessError;
use super::kafka::{misfit, refusal};
use super::readiness::Readiness;
use super::reasons;
use crate::one_line::chain;

/// The readiness condition that every lane fits its topic.
pub const TOPICS: &str = "topics";

/// How often to check the topics while the service works.
const LOOK: Duration = Duration::from_secs(20);

/// The problems of single lanes.
type Alone = BTreeMap<AnyLane, String>;

/// Checks the topics.
#[derive(Debug)]
pub struct TopicCheck {
    lookout: KafkaLookout,
    store: SeaOrmStore,
    said: Said,
}

impl TopicCheck {
    /// Makes a check that has no results yet.
    #[must_use]
    pub fn new(lookout: KafkaLookout, store: SeaOrmStore) -> Self {
        Self { lookout, store, said: Said::default() }
    }

    /// Checks that the database is not older than the request log, and that the topics fit the
    /// database and hold what it has read. Logs the problems of single lanes.
    ///
    /// # Errors
    ///
    /// When the database is older than the request log, a whole topic does not fit, or a broker or the
    /// database does not answer.
    pub async fn check(&mut self) -> Result<(), ProcessError> {
        self.look_at_topics().await?;
        let age = check_age(&self.lookout, &self.store).await;
        age.map_err(|error| match error {
            LaneError::Logs { .. } => ProcessError::Unavailable(chain(&error)),
            error => process_error(&error),
        })?;
        let alone = self.look_at_lanes().await?;
        self.said.begin(alone);
        Ok(())
    }

    /// Checks the topics again and again. Returns when the database is older than the request log, or
    /// when two checks in a row find a problem of a whole topic. A problem that only one check finds
    /// may come from a broker that lags behind.
    pub async fn watch(mut self, readiness: Readiness) -> ProcessError {
        let mut is_suspect = false;
        loop {
            match self.said.reason() {
                None => readiness.met(TOPICS),
                Some(reason) => readiness.unmet(TOPICS, reason),
            }
            sleep(LOOK).await;
            if let Err(error @ LaneError::Older(_)) = check_age(&self.lookout, &self.store).await {
                return process_error(&error);
            }
            let looked = match self.look_at_topics().await {
                Ok(()) => self.look_at_lanes().await,
                Err(error) => Err(error),
            };
            match looked {
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

    async fn look_at_topics(&self) -> Result<(), ProcessError> {
        let problems = self.lookout.problems().await.map_err(|error| refusal(&error))?;
        fail_for(&problems.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    /// Returns the problems of single lanes.
    async fn look_at_lanes(&self) -> Result<Alone, ProcessError> {
        let seen = SeenLanes::look(&self.lookout, &self.store, None).await;
        let seen = seen.map_err(|error| process_error(&error))?;
        fail_for(&seen.whole_topics())?;
        Ok(seen.problems().map(|problem| (problem.lane, problem.to_string())).collect())
    }
}

/// Returns how the process ends after a check of the lanes that failed.
fn process_error(error: &LaneError) -> ProcessError {
    match error {
        LaneError::Logs { source, .. } => refusal(source),
        LaneError::Database { source, .. } | LaneError::Store(source) => unreadable(source),
        error => ProcessError::Misfit(error.to_string()),
    }
}

/// Checks again and again, and returns when the database is older than what the consumers have
/// committed. A service that has nothing to do would not notice otherwise.
pub async fn watch_age(lookout: KafkaLookout, store: SeaOrmStore) -> ProcessError {
    loop {
        sleep(LOOK).await;
        match check_age(&lookout, &store).await {
            Err(error @ LaneError::Older(_)) => return process_error(&error),
            Err(error) => tracing::debug!(%error, "the age of the database is not known"),
            Ok(()) => {}
        }
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
        self.said.retain(|lane, _| {
            let is_still = found.contains_key(lane);
            if !is_still {
                let (lane, reply_lane) = fields_of(*lane);
                tracing::info!(lane, reply_lane, "the lane is as it must be again");
            }
            is_still
        });
        for (lane, what) in &found {
            if self.found.contains_key(lane) && !self.said.contains_key(lane) {
                self.said.insert(*lane, what.clone());
                let ((lane, reply_lane), cause) = (fields_of(*lane), what);
                tracing::error!(
                    lane,
                    reply_lane,
                    cause,
                    "a human must look at a lane: the others go on"
                );
            }
        }
        self.found = found;
    }

    fn reason(&self) -> Option<String> {
        reasons::join(self.said.values().map(|what| format!("a human must look: {what}")))
    }
}

/// A lane as log lines name it: a field for its kind.
const fn fields_of(lane: AnyLane) -> (Option<u16>, Option<u16>) {
    match lane {
        AnyLane::Requests(lane) => (Some(lane.0), None),
        AnyLane::Replies(lane) => (None, Some(lane.0)),
    }
}

/// Fails if whole topics have problems.
fn fail_for(problems: &[String]) -> Result<(), ProcessError> {
    if problems.is_empty() { Ok(()) } else { Err(misfit(&problems.join("; "))) }
}

/// Returns how the process ends if the database cannot say how far it has read.
fn unreadable(error: &StoreError) -> ProcessError {
    let what = format!("could not read the database: {}", chain(error));
    match error {
        StoreError::Refused { .. } | StoreError::BadData { .. } | StoreError::OtherLanes(_) => {
            ProcessError::Misfit(what)
        }
        _ => ProcessError::Unavailable(what),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use catchment_domain::{Lane, ReplyLane};

    use super::*;

    /// The problems of one check by lane, and the expected reason.
    type Look<'a> = (&'a [(u16, &'a str)], Option<&'a str>);

    fn check(mut said: Said, looks: &[Look<'_>]) {
        for (found, reason) in looks {
            let of =
                |(lane, what): &(u16, &str)| (AnyLane::Requests(Lane(*lane)), (*what).to_owned());
            said.note(found.iter().map(of).collect());
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
        let lane = AnyLane::Requests(Lane(2));
        said.begin(Alone::from([(lane, "ends at 4".to_owned())]));
        assert_eq!(said.reason().as_deref(), Some("a human must look: ends at 4"));
        check(said, &[(&[(2, "ends at 5")], Some("a human must look: ends at 4")), (&[], None)]);
    }

    /// What is logged meanwhile.
    fn logged(act: impl FnOnce()) -> String {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let writer = move || writer.try_clone().unwrap();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).without_time();
        tracing::subscriber::with_default(subscriber.with_writer(writer).finish(), act);
        let mut said = String::new();
        reader.read_to_string(&mut said).unwrap();
        said
    }

    #[test]
    fn a_lane_is_logged_with_the_level_and_the_fields_of_a_consumer() {
        for (lane, field) in [
            (AnyLane::Requests(Lane(2)), "lane=2"),
            (AnyLane::Replies(ReplyLane(2)), "reply_lane=2"),
        ] {
            let mut said = Said::default();
            let found = Alone::from([(lane, "ends at 4".to_owned())]);
            let line = logged(|| said.begin(found));
            let expected = format!(
                "ERROR catchment_bootstrap::service::topics: a human must look at a lane: the \
                 others go on {field} cause=\"ends at 4\"\n"
            );
            assert_eq!(line.trim_start(), expected);
            let over = logged(|| said.note(Alone::new()));
            assert!(over.contains(&format!("as it must be again {field}\n")), "{over}");
        }
    }
}
