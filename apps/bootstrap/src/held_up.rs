//! What holds work up, said once for each change.

use catchment_domain::service::Step;

use crate::ending::chain;

/// What holds work up at present.
#[derive(Debug, Default)]
pub struct HeldUp(Option<String>);

impl HeldUp {
    /// Takes a step into account: says what holds the work up when that is something new, and
    /// when it is over.
    pub fn note(&mut self, work: &str, step: &Step) {
        let obstacle = match step {
            Step::Pause { obstacle, .. } => Some(chain(obstacle)),
            Step::Worked | Step::Idle => None,
        };
        if self.0 == obstacle {
            return;
        }
        if let Some(obstacle) = &obstacle {
            tracing::warn!(work, obstacle, "held up, and trying again");
        } else {
            tracing::info!(work, "going on");
        }
        self.0 = obstacle;
    }
}
