//! Asks the coordinator of a group again while there is none.
//!
//! A new cluster has no coordinator until it has made the topic of the committed offsets, which the
//! first question makes it do. When a broker ends, the next coordinator first loads the group.

use std::time::Duration;

use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use tokio::time::{Instant, sleep};

/// The pause between two questions.
const PAUSE: Duration = Duration::from_millis(200);

/// Asks until there is an answer, or an error that does not pass by itself, for at most `patience`.
/// `None` ends it, too.
pub(super) async fn ask<T, Asked>(
    patience: Duration,
    ask: impl Fn() -> Asked,
) -> Option<KafkaResult<T>>
where
    Asked: Future<Output = Option<KafkaResult<T>>>,
{
    let deadline = Instant::now() + patience;
    loop {
        match ask().await? {
            Err(error) if is_passing(&error) && Instant::now() + PAUSE < deadline => {
                sleep(PAUSE).await;
            }
            answer => return Some(answer),
        }
    }
}

/// Whether an error says that there is no coordinator just now.
fn is_passing(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        error.rdkafka_error_code(),
        Some(
            Code::NotCoordinator
                | Code::CoordinatorNotAvailable
                | Code::CoordinatorLoadInProgress
                | Code::WaitingForCoordinator
                // The client itself waits for a coordinator, and says no more.
                | Code::OperationTimedOut
        )
    )
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    /// The answer to a question whose first answers are these codes, and how often it was asked.
    fn asked(patience: Duration, codes: &[RDKafkaErrorCode]) -> (Option<KafkaResult<()>>, usize) {
        let left = RefCell::new(codes.iter());
        let ask = || {
            let code = left.borrow_mut().next();
            let answer = code.map_or(Ok(()), |code| Err(KafkaError::MetadataFetch(*code)));
            std::future::ready(Some(answer))
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let answer = runtime.block_on(super::ask(patience, ask));
        (answer, codes.len() - left.borrow().len())
    }

    #[test]
    fn a_group_without_a_coordinator_is_asked_again() {
        use RDKafkaErrorCode as Code;
        let codes = [Code::CoordinatorNotAvailable, Code::NotCoordinator];
        assert_eq!(asked(Duration::from_secs(10), &codes), (Some(Ok(())), 2));
    }

    #[test]
    fn asking_ends_at_some_time_and_at_an_error_that_does_not_pass() {
        use RDKafkaErrorCode as Code;
        for (patience, code) in [
            (Duration::ZERO, Code::NotCoordinator),
            (Duration::from_secs(10), Code::GroupAuthorizationFailed),
        ] {
            let expected = Some(Err(KafkaError::MetadataFetch(code)));
            assert_eq!(asked(patience, &[code, code]), (expected, 1));
        }
    }

    #[test]
    fn only_what_is_wrong_with_the_coordinator_passes_by_itself() {
        use RDKafkaErrorCode as Code;
        for (code, expected) in [
            (Code::NotCoordinator, true),
            (Code::CoordinatorNotAvailable, true),
            (Code::CoordinatorLoadInProgress, true),
            (Code::WaitingForCoordinator, true),
            (Code::OperationTimedOut, true),
            (Code::GroupAuthorizationFailed, false),
            (Code::InvalidGroupId, false),
            (Code::UnknownTopicOrPartition, false),
        ] {
            for error in [KafkaError::MetadataFetch(code), KafkaError::OffsetFetch(code)] {
                assert_eq!(is_passing(&error), expected, "{error}");
            }
        }
    }
}
