//! Logs what holds work up, once for each change.

use catchment_domain::service::{Obstacle, Step};

use crate::one_line::chain;

/// The obstacle that holds work up at present.
///
/// An obstacle that is gone with the next step is not logged. For example, a lane that moves to
/// another member cannot be read for a moment before its work is told to end.
#[derive(Debug, Default)]
pub struct HeldUp {
    now: Option<String>,
    said: Option<String>,
}

/// A change that is logged.
#[derive(Debug, PartialEq, Eq)]
enum News<'a> {
    Obstacle(&'a str),
    Over,
}

impl HeldUp {
    /// Logs an obstacle when it is new and lasts, and when it is over. Logs a lane that is set
    /// aside, and replies that are lost, each time.
    pub fn note(&mut self, work: &str, step: &Step) {
        match step {
            Step::Pause { obstacle: obstacle @ Obstacle::SetAside { .. }, .. } => {
                tracing::error!(work, obstacle = chain(obstacle), "going on with the others");
                return;
            }
            Step::Pause { obstacle: obstacle @ Obstacle::RepliesLost { .. }, .. } => {
                tracing::warn!(work, obstacle = chain(obstacle), "going on");
                return;
            }
            Step::Pause { .. } | Step::Worked | Step::Idle => {}
        }
        let obstacle = match step {
            Step::Pause { obstacle, .. } => Some(chain(obstacle)),
            Step::Worked | Step::Idle => None,
        };
        match self.news(obstacle) {
            Some(News::Obstacle(obstacle)) => {
                tracing::warn!(work, obstacle, "held up, and trying again");
            }
            Some(News::Over) => tracing::info!(work, "going on"),
            None => {}
        }
    }

    fn news(&mut self, obstacle: Option<String>) -> Option<News<'_>> {
        let lasts = self.now.is_some() && obstacle.is_some();
        self.now = obstacle;
        match &self.now {
            None => self.said.take().map(|_| News::Over),
            Some(obstacle) if lasts && self.said.as_ref() != Some(obstacle) => {
                Some(News::Obstacle(self.said.insert(obstacle.clone())))
            }
            Some(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lasts_is_said_once_and_so_is_its_end() {
        let mut held_up = HeldUp::default();
        let mut note = |obstacle: Option<&str>| {
            held_up.news(obstacle.map(ToOwned::to_owned)).map(|news| match news {
                News::Obstacle(obstacle) => obstacle.to_owned(),
                News::Over => "over".to_owned(),
            })
        };
        let mut check = |obstacle, said: Option<&str>| {
            assert_eq!(note(obstacle).as_deref(), said, "{obstacle:?}");
        };
        check(Some("fenced"), None);
        check(None, None);
        check(Some("away"), None);
        check(Some("away"), Some("away"));
        check(Some("away"), None);
        check(Some("full"), Some("full"));
        check(None, Some("over"));
        check(None, None);
    }
}
