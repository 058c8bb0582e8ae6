//! Ends the client of a member that stays outside of its group although the coordinator answers.
//!
//! After broker outages and a frozen process, librdkafka 2.12.1 was seen to know no coordinator and
//! to stay in the join state `wait-incr-unassign-to-complete` for minutes. Another client of the
//! same process asks the coordinator, so an outage of the coordinator does not count.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use tracing::debug;

use super::Shared;
use crate::error::SettingsError;

/// How often the thread looks whether the member is in its group.
const LOOK: Duration = Duration::from_secs(5);

/// For how long a member has been outside of its group while the coordinator answered.
#[derive(Debug, Default)]
struct Outside {
    since: Option<Instant>,
}

impl Outside {
    /// Whether the member has been outside for `patience` and the coordinator answered at every
    /// look since then. `answers` says that it is outside and the coordinator answers now.
    fn is_stuck(&mut self, answers: bool, now: Instant, patience: Duration) -> bool {
        if !answers {
            self.since = None;
            return false;
        }
        patience <= now.duration_since(*self.since.get_or_insert(now))
    }
}

/// Fails the client of a group's member once it has been outside of the group for `patience`
/// although the coordinator answers. Ends with the reader.
pub(super) fn watch<M: Send + Sync + 'static>(
    shared: &Arc<Shared<M>>,
    patience: Duration,
) -> Result<(), SettingsError> {
    let shared = Arc::downgrade(shared);
    let run = move || {
        let mut outside = Outside::default();
        loop {
            // Most members have joined by the first look, and the coordinator is not asked.
            thread::park_timeout(LOOK.min(patience / 4));
            if !look(&shared, &mut outside, patience) {
                return;
            }
        }
    };
    let started = thread::Builder::new().name("kafka-membership".to_owned()).spawn(run);
    started.map(drop).map_err(|error| SettingsError::no_thread(&error))
}

/// Looks at a member. Returns whether to look again.
fn look<M>(shared: &Weak<Shared<M>>, outside: &mut Outside, patience: Duration) -> bool {
    let Some(shared) = shared.upgrade() else { return false };
    let context = &shared.client.context;
    if context.closing.load(Ordering::Acquire) || context.fatal.get().is_some() {
        return false;
    }
    let answers = !context.is_member.load(Ordering::Acquire) && shared.coordinator_answers();
    let is_stuck = outside.is_stuck(answers, Instant::now(), patience);
    if is_stuck {
        context.fail(&format!(
            "the group has not taken this member in for {patience:?}, although it answers other \
             clients: start the process again"
        ));
    }
    !is_stuck
}

impl<M> Shared<M> {
    /// Whether the group's coordinator answers a client that is no member.
    fn coordinator_answers(&self) -> bool {
        let answered =
            self.point_reader.ask_coordinator(&self.client.context.topic, self.request_timeout);
        if let Err(error) = &answered {
            debug!(kafka.topic = self.client.context.topic, "the group does not answer: {error}");
        }
        answered.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_stuck_once_it_was_outside_for_long_while_the_coordinator_answered() {
        let start = Instant::now();
        let patience = Duration::from_secs(10);
        let mut outside = Outside::default();
        let mut is_stuck = |answers, seconds| {
            outside.is_stuck(answers, start + Duration::from_secs(seconds), patience)
        };
        assert!(!is_stuck(true, 0));
        assert!(!is_stuck(true, 9));
        // The member was taken in, or the coordinator was away.
        assert!(!is_stuck(false, 10));
        assert!(!is_stuck(true, 11));
        assert!(!is_stuck(true, 20));
        assert!(is_stuck(true, 21));
    }
}
