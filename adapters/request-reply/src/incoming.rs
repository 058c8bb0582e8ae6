//! A record of the client as ours.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rdkafka::Timestamp as ClientTimestamp;
use rdkafka::message::{BorrowedMessage, Headers, Message};
use tracing::warn;

use crate::record::{Incoming, Timestamp};
use crate::throttle::LogThrottle;

/// Borrows a record from the client.
pub(crate) fn incoming<'a>(message: &'a BorrowedMessage<'_>) -> Incoming<'a> {
    Incoming {
        topic: message.topic(),
        partition: message.partition(),
        offset: message.offset(),
        timestamp: match message.timestamp() {
            ClientTimestamp::NotAvailable => Timestamp::Missing,
            ClientTimestamp::CreateTime(at) => Timestamp::Created(at),
            ClientTimestamp::LogAppendTime(at) => Timestamp::Appended(at),
        },
        key: message.key(),
        value: message.payload(),
        headers: headers(message),
    }
}

/// The client panics on a header whose name is no UTF-8, and anybody may send one: such a
/// record has no headers for us.
fn headers<'a>(message: &'a BorrowedMessage<'_>) -> Vec<(&'a str, Option<&'a [u8]>)> {
    static LINES: LogThrottle = LogThrottle::new();
    let Some(headers) = message.headers() else { return Vec::new() };
    let read = || headers.iter().map(|header| (header.key, header.value)).collect();
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| {
        if LINES.is_time() {
            let (partition, offset) = (message.partition(), message.offset());
            warn!(
                kafka.topic = message.topic(),
                kafka.partition = partition,
                kafka.offset = offset,
                "headers left out: the name of one is no UTF-8"
            );
        }
        Vec::new()
    })
}
