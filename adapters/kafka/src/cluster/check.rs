//! What can be wrong with a topic.

use catchment_domain::ports::{LogProblem, LogProblemKind};

/// A problem of another kind than those that a program acts on.
pub(super) fn other(line: String) -> LogProblem {
    LogProblem { line, kind: LogProblemKind::Other }
}

/// Names the move, which also helps if a request topic has more partitions than lanes.
fn or_move(found: i32, lanes: i32) -> String {
    if found <= lanes {
        return String::new();
    }
    format!(
        "; if nothing is under way, `catchment topics move --lanes {found}` changes the number of \
         lanes"
    )
}

/// How many partitions a topic must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Partitions {
    /// Any number.
    Any,
    /// One for each of so many lanes, and no other.
    OneForEach(i32),
    /// One for each of so many lanes, and any number of others.
    AtLeastOneForEach(i32),
}

/// What is wrong with a topic that has so many partitions, where something is.
pub(super) fn problem(topic: &str, found: Option<i32>, expected: Partitions) -> Option<LogProblem> {
    match (found, expected) {
        (None, _) => {
            Some(other(format!("there is no topic `{topic}`: `catchment topics create` makes it")))
        }
        // Shops would be sought in other partitions than they are sent to.
        (Some(found), Partitions::OneForEach(expected)) if found != expected => {
            let line = format!(
                "the topic `{topic}` has {found} partitions, and the database has {expected} lanes: \
                 name a new topic in `kafka.requests_topic`, make it by `catchment topics create`, \
                 and take it by `catchment lanes accept --all`{}",
                or_move(found, expected)
            );
            let found = u16::try_from(found).unwrap_or(u16::MAX);
            Some(LogProblem { line, kind: LogProblemKind::OtherLanes { found } })
        }
        // Dead letters of some lanes would be lost.
        (Some(found), Partitions::AtLeastOneForEach(lanes)) if found < lanes => {
            let line = format!(
                "the topic `{topic}` has {found} partitions, and the database has {lanes} lanes: a \
                 dead letter goes into the partition of its request, so add partitions with \
                 `kafka-topics.sh --bootstrap-server HOST:PORT --alter --topic {topic} --partitions \
                 {lanes}`"
            );
            Some(LogProblem { line, kind: LogProblemKind::FewerDeadLetterLanes })
        }
        (Some(_), _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_problem_is_one_line_that_says_what_to_do() {
        let (any, lanes) = (Partitions::Any, Partitions::OneForEach(12));
        let dead_letters = Partitions::AtLeastOneForEach(12);
        for (found, expected, line) in [
            (None, any, "there is no topic `t`: `catchment topics create` makes it"),
            (None, lanes, "there is no topic `t`: `catchment topics create` makes it"),
            (None, dead_letters, "there is no topic `t`: `catchment topics create` makes it"),
            (
                Some(11),
                lanes,
                "the topic `t` has 11 partitions, and the database has 12 lanes: name a new topic \
                 in `kafka.requests_topic`, make it by `catchment topics create`, and take it by \
                 `catchment lanes accept --all`",
            ),
            (
                Some(13),
                lanes,
                "the topic `t` has 13 partitions, and the database has 12 lanes: name a new topic \
                 in `kafka.requests_topic`, make it by `catchment topics create`, and take it by \
                 `catchment lanes accept --all`; if nothing is under way, \
                 `catchment topics move --lanes 13` changes the number of lanes",
            ),
            (
                Some(11),
                dead_letters,
                "the topic `t` has 11 partitions, and the database has 12 lanes: a dead letter goes \
                 into the partition of its request, so add partitions with \
                 `kafka-topics.sh --bootstrap-server HOST:PORT --alter --topic t --partitions 12`",
            ),
            (Some(12), lanes, ""),
            (Some(12), dead_letters, ""),
            (Some(13), dead_letters, ""),
            (Some(1), any, ""),
        ] {
            let said = problem("t", found, expected).map(|problem| problem.to_string());
            assert_eq!(said.unwrap_or_default(), line, "{found:?} {expected:?}");
        }
    }
}
