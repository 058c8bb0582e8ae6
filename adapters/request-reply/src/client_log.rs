//! What every client has to say goes where the rest of the process says it.

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

/// Passes on an error of the client as a whole; says whether it is of no use any more.
///
/// Lost connections are mended by the client itself, which logs them once each.
pub(crate) fn is_fatal(error: &KafkaError, reason: &str) -> bool {
    let fatal = error.rdkafka_error_code() == Some(RDKafkaErrorCode::Fatal);
    if fatal {
        error!(target: "librdkafka", "{error}: {reason}");
    } else {
        debug!(target: "librdkafka", "{error}: {reason}");
    }
    fatal
}
