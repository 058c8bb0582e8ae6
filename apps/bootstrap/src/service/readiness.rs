//! Tells whether the process can do its work, and if not, why.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const STARTING: &str = "starting";

/// The conditions for the process to be ready. Clones share them.
#[derive(Clone, Debug)]
pub struct Readiness(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    is_draining: bool,
    /// Why each condition does not hold, or `None` if it holds.
    conditions: BTreeMap<&'static str, Option<String>>,
}

impl Readiness {
    /// Starts with none of these conditions met.
    pub(crate) fn new(conditions: &[&'static str]) -> Self {
        let waiting = |name: &&'static str| (*name, Some(STARTING.to_owned()));
        let conditions = conditions.iter().map(waiting).collect();
        Self(Arc::new(Mutex::new(State { is_draining: false, conditions })))
    }

    /// Marks a condition as met.
    pub fn met(&self, condition: &'static str) {
        self.set(condition, None);
    }

    /// Marks a condition as not met, with the reason.
    pub fn unmet(&self, condition: &'static str, why: impl Into<String>) {
        self.set(condition, Some(why.into()));
    }

    /// Updates the reason of a condition, if it is not met.
    pub fn explain(&self, condition: &'static str, why: impl Into<String>) {
        let is_unmet = self.state().conditions.get(condition).is_some_and(Option::is_some);
        if is_unmet {
            self.unmet(condition, why);
        }
    }

    fn set(&self, condition: &'static str, why: Option<String>) {
        let before = self.state().conditions.insert(condition, why.clone());
        if before.as_ref() == Some(&why) {
            return;
        }
        if let Some(why) = why {
            tracing::warn!(condition, why, "not ready");
        } else {
            tracing::info!(condition, "ready");
        }
    }

    /// Makes the process not ready from now on, whatever its conditions are.
    pub(crate) fn drain(&self) {
        self.state().is_draining = true;
    }

    /// Returns why the process is not ready. The list is empty if it is ready.
    pub(crate) fn reasons(&self) -> Vec<String> {
        let state = self.state();
        let draining = state.is_draining.then(|| "draining".to_owned());
        let waiting = state.conditions.iter();
        let waiting = waiting.filter_map(|(name, why)| Some(format!("{name}: {}", why.as_ref()?)));
        draining.into_iter().chain(waiting).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock, and the data are whole at any time.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_is_what_meets_all_conditions_and_does_not_drain() {
        let readiness = Readiness::new(&["database", "kafka"]);
        assert_eq!(readiness.reasons(), ["database: starting", "kafka: starting"]);
        readiness.met("database");
        readiness.met("kafka");
        assert!(readiness.reasons().is_empty());
        readiness.unmet("kafka", "not a member of the group");
        assert_eq!(readiness.reasons(), ["kafka: not a member of the group"]);
        readiness.explain("kafka", "not allowed");
        assert_eq!(readiness.reasons(), ["kafka: not allowed"]);
        readiness.met("kafka");
        readiness.explain("kafka", "not allowed");
        assert!(readiness.reasons().is_empty(), "it holds, whatever was wrong before");
        readiness.drain();
        assert_eq!(readiness.reasons(), ["draining"]);
    }
}
