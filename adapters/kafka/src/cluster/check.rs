//! What can be wrong with a topic.

use thiserror::Error;

/// What is wrong with a topic: one clear line.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TopicProblem {
    /// It is not there.
    #[error("there is no topic `{topic}`: `catchment topics create` makes it")]
    Missing {
        /// Its name.
        topic: String,
    },
    /// Shops would be sought in other partitions than they are sent to.
    #[error(
        "the topic `{topic}` has {found} partitions, and the database has {expected} lanes: \
         the count must never change"
    )]
    OtherPartitions {
        /// Its name.
        topic: String,
        /// How many partitions it has.
        found: i32,
        /// How many lanes there are.
        expected: i32,
    },
}

/// What is wrong with a topic that has so many partitions, where something is.
pub(super) fn problem(
    topic: &str,
    found: Option<i32>,
    expected: Option<i32>,
) -> Option<TopicProblem> {
    let topic = topic.to_owned();
    match (found, expected) {
        (None, _) => Some(TopicProblem::Missing { topic }),
        (Some(found), Some(expected)) if found != expected => {
            Some(TopicProblem::OtherPartitions { topic, found, expected })
        }
        (Some(_), _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_problem_is_one_line_that_says_what_to_do() {
        for (found, expected, line) in [
            (None, None, "there is no topic `t`: `catchment topics create` makes it"),
            (None, Some(12), "there is no topic `t`: `catchment topics create` makes it"),
            (
                Some(11),
                Some(12),
                "the topic `t` has 11 partitions, and the database has 12 lanes: \
                 the count must never change",
            ),
            (Some(12), Some(12), ""),
            (Some(1), None, ""),
        ] {
            let said = problem("t", found, expected).map(|problem| problem.to_string());
            assert_eq!(said.unwrap_or_default(), line, "{found:?} {expected:?}");
        }
    }
}
