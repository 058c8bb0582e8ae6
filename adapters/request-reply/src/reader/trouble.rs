//! What keeps a partition, or a whole group, from being read. It lasts until something proves
//! that it is over, and is worth a line when it begins, changes and ends.

use std::time::Instant;

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::client_log;
use crate::rights;

/// What keeps something from being read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// What the client or a broker says.
    pub cause: String,
    /// Since when.
    pub since: Instant,
}

/// Who noticed a trouble, and so who can tell that it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The client said so. It is over when something was read, be it that there is no more.
    Client,
    /// A look at where the partition ends. The next look tells, too.
    Look,
}

/// The trouble that there is at present.
#[derive(Debug, Default)]
pub(super) struct Present(Option<(Source, Trouble)>);

impl Present {
    /// There is a trouble, and has been since then. Says whether that is news.
    pub(super) fn begin(&mut self, source: Source, cause: &str, since: Instant) -> bool {
        match &mut self.0 {
            Some((_, trouble)) if trouble.cause == cause => false,
            Some((before, trouble)) => {
                *before = source;
                cause.clone_into(&mut trouble.cause);
                true
            }
            none => {
                *none = Some((source, Trouble { cause: cause.to_owned(), since }));
                true
            }
        }
    }

    /// Something was read. Says whether that is news.
    pub(super) fn end(&mut self) -> bool {
        self.0.take().is_some()
    }

    /// A look found nothing. Says whether that is news.
    pub(super) fn end_of_look(&mut self) -> bool {
        self.0.take_if(|(source, _)| *source == Source::Look).is_some()
    }

    /// Whether the client itself said that there is a trouble.
    pub(super) fn is_of_client(&self) -> bool {
        self.0.as_ref().is_some_and(|(source, _)| *source == Source::Client)
    }

    pub(super) fn get(&self) -> Option<&Trouble> {
        self.0.as_ref().map(|(_, trouble)| trouble)
    }
}

/// What the client has just said of an error, in its words where it had any, or the right that is
/// missing.
pub(super) fn cause(error: &KafkaError) -> String {
    let reason = client_log::take_reason();
    let missing = rights::missing(error, "Read");
    missing.or(reason).unwrap_or_else(|| error.to_string())
}

/// Whether an error that comes with the records of a partition is none of reading them: the
/// client puts what became of a commit there as well.
pub(super) fn is_of_a_commit(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        error.rdkafka_error_code(),
        Some(
            Code::IllegalGeneration
                | Code::UnknownMemberId
                | Code::FencedInstanceId
                | Code::RebalanceInProgress
                | Code::NotCoordinator
                | Code::CoordinatorNotAvailable
                | Code::CoordinatorLoadInProgress
                | Code::WaitingForCoordinator
                | Code::GroupAuthorizationFailed
                | Code::InvalidGroupId
                | Code::OffsetMetadataTooLarge
                | Code::InvalidCommitOffsetSize
                | Code::NoOffset
                | Code::OperationTimedOut
                | Code::RequestTimedOut
                | Code::BrokerTransportFailure
                | Code::BrokerDestroy
                | Code::Outdated
                | Code::InProgress
                | Code::State
        )
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn present(source: Source) -> Present {
        let mut present = Present::default();
        assert!(present.begin(source, "codec", Instant::now()));
        present
    }

    #[test]
    fn a_trouble_is_news_when_it_begins_changes_and_ends() {
        let start = Instant::now();
        let mut present = Present::default();
        assert!(!present.end());
        assert!(present.begin(Source::Client, "codec", start));
        let later = start + Duration::from_secs(1);
        assert!(!present.begin(Source::Client, "codec", later));
        assert!(present.begin(Source::Look, "not allowed", later));
        let expected = Trouble { cause: "not allowed".to_owned(), since: start };
        assert_eq!(present.get(), Some(&expected), "it has lasted since it began");
        assert!(present.end());
        assert_eq!(present.get(), None);
    }

    #[test]
    fn a_look_ends_what_a_look_has_found_and_nothing_else() {
        for (source, is_over) in [(Source::Client, false), (Source::Look, true)] {
            let mut present = present(source);
            assert_eq!(present.is_of_client(), !is_over);
            assert_eq!(present.end_of_look(), is_over);
            assert_eq!(present.get().is_none(), is_over);
        }
    }

    #[test]
    fn a_right_that_is_missing_is_named_and_other_errors_are_in_the_words_of_the_client() {
        use RDKafkaErrorCode as Code;
        let group = cause(&KafkaError::Global(Code::GroupAuthorizationFailed));
        assert!(
            group.starts_with("no ACL of the brokers grants this client `Describe` on the group")
        );
        let error = KafkaError::Global(Code::NotImplemented);
        assert!(!client_log::is_fatal(&error, "unknown codec"));
        assert_eq!(cause(&error), "unknown codec");
    }

    #[test]
    fn what_became_of_a_commit_says_nothing_of_reading() {
        use RDKafkaErrorCode as Code;
        for (code, expected) in [
            (Code::IllegalGeneration, true),
            (Code::GroupAuthorizationFailed, true),
            (Code::TopicAuthorizationFailed, false),
            (Code::NotImplemented, false),
            (Code::BadCompression, false),
        ] {
            let error = KafkaError::MessageConsumption(code);
            assert_eq!(is_of_a_commit(&error), expected, "{error}");
        }
    }
}
