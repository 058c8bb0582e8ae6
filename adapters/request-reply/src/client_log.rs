//! What every client has to say goes where the rest of the process says it.

use std::cell::RefCell;

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tracing::{debug, error, info, warn};

/// Passes on a log line of librdkafka.
pub(crate) fn line(level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        RDKafkaLogLevel::Emerg
        | RDKafkaLogLevel::Alert
        | RDKafkaLogLevel::Critical
        | RDKafkaLogLevel::Error => error!(target: "librdkafka", facility, "{message}"),
        RDKafkaLogLevel::Warning => warn!(target: "librdkafka", facility, "{message}"),
        RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
            info!(target: "librdkafka", facility, "{message}");
        }
        RDKafkaLogLevel::Debug => debug!(target: "librdkafka", facility, "{message}"),
    }
}

thread_local! {
    /// What this thread heard last of an error.
    static REASON: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// What the client said of the error that it has just handed to this thread.
///
/// The client tells an error twice: in words to its context, and then as a mere code to whoever
/// polls, on the same thread (`Client::poll_event` of rdkafka).
pub(crate) fn take_reason() -> Option<String> {
    REASON.take()
}

/// What of a reason stays the same while the error lasts: librdkafka adds how long it took, and
/// how often it came.
pub(crate) fn lasting(reason: &str) -> &str {
    reason.split(" (after ").next().unwrap_or(reason)
}

/// Passes on an error of the client; says whether the client is of no use any more.
///
/// Lost connections are mended by the client itself, which logs them once each.
pub(crate) fn is_fatal(error: &KafkaError, reason: &str) -> bool {
    let code = error.rdkafka_error_code();
    // Neither says why: the one is no error, and the other comes behind the errors that it is of.
    if let Some(RDKafkaErrorCode::PartitionEOF | RDKafkaErrorCode::AllBrokersDown) = code {
        return false;
    }
    REASON.set(Some(lasting(reason).to_owned()));
    let fatal = code == Some(RDKafkaErrorCode::Fatal);
    if fatal {
        error!(target: "librdkafka", "{error}: {reason}");
    } else {
        debug!(target: "librdkafka", "{error}: {reason}");
    }
    fatal
}

/// Whether an error is one of connections, which mend, and of which the client writes a line.
pub(crate) fn is_of_a_connection(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        error.rdkafka_error_code(),
        Some(
            Code::BrokerTransportFailure
                | Code::AllBrokersDown
                | Code::Resolve
                | Code::OperationTimedOut
                | Code::RequestTimedOut
                | Code::Authentication
                | Code::SSL
        )
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_of_an_error_is_told_once_and_to_its_own_thread() {
        let error = KafkaError::Global(RDKafkaErrorCode::BrokerTransportFailure);
        let reason = "kafka:9092/1: Connect to ipv4#10.0.0.1:9092 failed: Connection refused \
                      (after 0ms in state CONNECT, 3 identical error(s) suppressed)";
        assert!(!is_fatal(&error, reason));
        assert_eq!(std::thread::spawn(take_reason).join().unwrap(), None);
        let lasting = "kafka:9092/1: Connect to ipv4#10.0.0.1:9092 failed: Connection refused";
        assert_eq!(take_reason().as_deref(), Some(lasting));
        assert_eq!(take_reason(), None);
    }
}
