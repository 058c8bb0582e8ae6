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
    if is_alarming(said, now) {
        tracing::warn!(rose, "requests could not be dealt with: look at the dead-letter topic");
    } else if !rose.is_empty() {
        tracing::info!(rose, "counted");
    }
}

fn is_alarming(said: &KafkaCounts, now: &KafkaCounts) -> bool {
    said.dead_letters < now.dead_letters || said.lost_dead_letters < now.lost_dead_letters
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
    fn dead_letters_are_alarming_and_what_belongs_to_others_is_not() {
        let none = KafkaCounts::default();
        assert!(is_alarming(&none, &KafkaCounts { dead_letters: 1, ..none }));
        assert!(is_alarming(&none, &KafkaCounts { lost_dead_letters: 1, ..none }));
        assert!(!is_alarming(&none, &KafkaCounts { foreign_requests: 1, ..none }));
        let told = KafkaCounts { dead_letters: 1, ..none };
        assert!(!is_alarming(&told, &told));
    }
}
