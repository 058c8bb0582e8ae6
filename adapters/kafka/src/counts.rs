//! What happened that nobody waits for.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What happened since the start that nobody waits for, for metrics.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct KafkaCounts { $($(#[$doc])* pub $name: u64,)* }

        impl KafkaCounts {
            /// Every count, with its name.
            pub fn named(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($name), self.$name),)*].into_iter()
            }
        }

        /// The counters themselves.
        #[derive(Debug, Default)]
        pub(crate) struct Counters { $(pub(crate) $name: Counter,)* }

        impl Counters {
            pub(crate) fn read(&self) -> KafkaCounts {
                KafkaCounts { $($name: self.$name.0.load(Ordering::Relaxed),)* }
            }
        }
    };
}

counts! {
    /// Requests of types that belong to somebody else: passed over.
    foreign_requests,
    /// Requests that asked for no reply.
    unaddressed_requests,
    /// Requests in which a reply header stands twice. The last value counted.
    repeated_reply_headers,
    /// Requests that asked for no reply, although a header suggests that their client waits for one.
    unknown_reply_headers,
    /// Requests that were rejected because their key chooses another partition.
    wrong_partitions,
    /// Replies without a correlation id, because the request had none.
    uncorrelated_replies,
    /// Replies whose partition was chosen by key, because that of the request cannot be used.
    unusable_partitions,
    /// Replies that were not sent, because their topic is not allowed.
    refused_reply_topics,
    /// Replies that were not sent, because their topic does not exist.
    missing_reply_topics,
    /// Replies that were not sent, because the brokers do not let us write to their topic.
    denied_reply_topics,
    /// Replies that were not sent, because their address is none of this adapter's.
    undeliverable_replies,
    /// Replies that were not sent, because they are larger than Kafka takes, or would have to
    /// repeat headers that are absurdly long.
    oversized_replies,
    /// Requests that were sent to the dead-letter topic.
    dead_letters,
    /// Requests that could not be, because they are gone, or their topic takes nothing.
    lost_dead_letters,
    /// Messages in a reply lane that are no replies.
    unreadable_replies,
}

/// A number that rises.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn count(&self) {
        self.add(1);
    }

    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }
}
