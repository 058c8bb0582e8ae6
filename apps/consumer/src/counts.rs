//! Logs now and then what nobody waits for: above all, dead letters.

use std::time::Duration;

use catchment_kafka::{KafkaCluster, KafkaCounts};
use tokio::time::sleep;

/// How long one line covers.
const EVERY: Duration = Duration::from_mins(1);

/// Logs every minute what was counted since the last line.
pub(crate) async fn watch(cluster: KafkaCluster) {
    let mut said = KafkaCounts::default();
    loop {
        sleep(EVERY).await;
        let now = cluster.counts();
        say(&said, &now);
        said = now;
    }
}

fn say(said: &KafkaCounts, now: &KafkaCounts) {
    let rose = rose(said, now);
    match Alarm::of(said, now) {
        Some(Alarm::DeadLetters) => tracing::warn!(rose, "{}", Alarm::DeadLetters.text()),
        Some(lost) => tracing::error!(rose, "{}", lost.text()),
        None if rose.is_empty() => {}
        None => tracing::info!(rose, "counted"),
    }
}

/// What a human must look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Alarm {
    /// Requests are in the dead-letter topic.
    DeadLetters,
    /// Requests should be there, and are not.
    Lost,
    /// Some are, and some are not.
    SomeLost,
}

impl Alarm {
    fn of(said: &KafkaCounts, now: &KafkaCounts) -> Option<Self> {
        let sent = said.dead_letters < now.dead_letters;
        let lost = said.lost_dead_letters < now.lost_dead_letters;
        match (sent, lost) {
            (true, false) => Some(Self::DeadLetters),
            (false, true) => Some(Self::Lost),
            (true, true) => Some(Self::SomeLost),
            (false, false) => None,
        }
    }

    const fn text(self) -> &'static str {
        match self {
            Self::DeadLetters => "requests could not be dealt with: look at the dead-letter topic",
            Self::Lost => {
                "requests could not be dealt with, and their dead letters are lost: check that the \
                 dead-letter topic exists and takes records"
            }
            Self::SomeLost => {
                "requests could not be dealt with, and some of their dead letters are lost: look at \
                 the dead-letter topic, and check that it has all its partitions and takes records"
            }
        }
    }
}

/// Returns which counts rose, and by how much.
fn rose(said: &KafkaCounts, now: &KafkaCounts) -> String {
    let rises = said.named().zip(now.named()).filter_map(|((name, before), (_, after))| {
        let rise = after.saturating_sub(before);
        (0 < rise).then(|| format!("{name}={rise}"))
    });
    rises.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_rose_is_named_with_how_much() {
        let none = KafkaCounts::default();
        let one = KafkaCounts { foreign_requests: 4, dead_letters: 1, ..none };
        let more = KafkaCounts { dead_letters: 3, ..one };
        assert_eq!(rose(&none, &one), "foreign_requests=4 dead_letters=1");
        assert_eq!(rose(&one, &more), "dead_letters=2");
        assert_eq!(rose(&more, &more), "");
    }

    #[test]
    fn an_alarm_points_at_the_dead_letter_topic_only_if_something_is_there() {
        let none = KafkaCounts::default();
        let one =
            KafkaCounts { foreign_requests: 1, dead_letters: 1, lost_dead_letters: 1, ..none };
        let sent = KafkaCounts { dead_letters: 2, ..one };
        let lost = KafkaCounts { lost_dead_letters: 2, ..one };
        let both = KafkaCounts { dead_letters: 2, ..lost };
        assert_eq!(Alarm::of(&none, &KafkaCounts { foreign_requests: 1, ..none }), None);
        assert_eq!(Alarm::of(&one, &one), None, "it was told");
        for (now, alarm, looks) in [
            (sent, Alarm::DeadLetters, true),
            (lost, Alarm::Lost, false),
            (both, Alarm::SomeLost, true),
        ] {
            assert_eq!(Alarm::of(&one, &now), Some(alarm));
            let text = alarm.text();
            assert_eq!(text.contains("look at the dead-letter topic"), looks, "{text}");
            let is_lost = alarm != Alarm::DeadLetters;
            assert_eq!(text.contains("dead letters are lost"), is_lost, "{text}");
        }
    }
}
