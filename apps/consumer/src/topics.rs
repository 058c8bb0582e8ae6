//! Looks whether the topics still fit the database while this process works.

use std::time::Duration;

use catchment_bootstrap::service::topics::TOPICS;
use catchment_bootstrap::{Readiness, reasons};
use catchment_domain::Lanes;
use catchment_kafka::KafkaCluster;
use tokio::time::sleep;

/// How often to look.
const LOOK: Duration = Duration::from_secs(10);

/// Keeps the readiness condition up to date that every topic is there and has its partitions.
/// Meanwhile the process goes on with the lanes that it has.
pub(crate) async fn watch(cluster: KafkaCluster, lanes: Lanes, readiness: Readiness) {
    let mut problem = Problem::default();
    loop {
        match cluster.check_topics(lanes).await {
            Ok(problems) => problem.note(reasons::join(problems.iter().map(ToString::to_string))),
            Err(error) => tracing::debug!(%error, "the topics could not be looked at"),
        }
        match &problem.confirmed {
            None => readiness.met(TOPICS),
            Some(what) => readiness.unmet(TOPICS, what),
        }
        sleep(LOOK).await;
    }
}

/// A problem of whole topics.
#[derive(Debug, Default)]
struct Problem {
    /// What the last look found.
    found: Option<String>,
    /// What two looks in a row have found, with the text of the second. A broker that is behind can
    /// cause a problem that is found once.
    confirmed: Option<String>,
}

impl Problem {
    /// Takes the result of a look, and logs a problem that is confirmed by it.
    fn note(&mut self, found: Option<String>) {
        let before = std::mem::replace(&mut self.found, found);
        let confirmed = before.and(self.found.clone());
        if let Some(cause) = confirmed.as_ref().filter(|_| self.confirmed != confirmed) {
            tracing::error!(cause, "a human must look at a topic: the process goes on");
        }
        self.confirmed = confirmed;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_one_that_two_looks_in_a_row_have_found_until_one_does_not() {
        let mut problem = Problem::default();
        for (found, confirmed) in [
            (None, None),
            (Some("6 partitions"), None),
            (None, None),
            (Some("6 partitions"), None),
            (Some("7 partitions"), Some("7 partitions")),
            (None, None),
            (Some("no topic"), None),
        ] {
            problem.note(found.map(ToOwned::to_owned));
            assert_eq!(problem.confirmed.as_deref(), confirmed, "{found:?}");
        }
    }
}
