//! Which properties are ours, and why.

/// What every sender is told: for good where it is [`RESERVED`], else as a default.
pub(super) const PRODUCER: [(&str, &str); 16] = [
    ("acks", "all"),
    ("enable.idempotence", "true"),
    // As Java's: murmur2 of the key, and any partition where there is none.
    ("partitioner", "murmur2_random"),
    // A topic that a peer names is not made by asking for it.
    ("allow.auto.create.topics", "false"),
    // KafkaJS reads only gzip and uncompressed records, and gzip costs a third of the rate.
    ("compression.type", "none"),
    // 16 KB, the default of other clients, is a third of the rate.
    ("batch.size", "1000000"),
    ("batch.num.messages", "10000"),
    // A call waits for this twice, once each way.
    ("linger.ms", "0"),
    ("queue.buffering.max.kbytes", "32768"),
    ("queue.buffering.max.messages", "100000"),
    ("delivery.timeout.ms", "30000"),
    ("topic.metadata.propagation.max.ms", "5000"),
    // What waits for a leader after an outage waits for this, too.
    ("topic.metadata.refresh.interval.ms", "10000"),
    ("reconnect.backoff.max.ms", "1000"),
    ("socket.nagle.disable", "true"),
    ("statistics.interval.ms", "0"),
];

/// What every reader is told.
pub(super) const CONSUMER: [(&str, &str); 16] = [
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    ("auto.offset.reset", "error"),
    ("isolation.level", "read_committed"),
    // Tells a partition that has no more records from one that cannot be read.
    ("enable.partition.eof", "true"),
    // The max-poll bug of the new protocol is fatal until librdkafka 2.15.
    ("group.protocol", "classic"),
    ("allow.auto.create.topics", "false"),
    // Members hear by their heartbeats that partitions are to move.
    ("heartbeat.interval.ms", "1000"),
    ("queued.min.messages", "10000"),
    // A second, the default, would be waited whenever a lane has enough for the moment.
    ("fetch.queue.backoff.ms", "5"),
    ("fetch.error.backoff.ms", "100"),
    // A partition that is added or moved waits until the request under way is answered.
    ("fetch.wait.max.ms", "100"),
    // What waits for a leader after an outage waits for this, too.
    ("topic.metadata.refresh.interval.ms", "10000"),
    ("reconnect.backoff.max.ms", "1000"),
    ("socket.nagle.disable", "true"),
    ("statistics.interval.ms", "0"),
];

const OWN_SETTING: &str = "it has a setting of its own";
const POSITIONS: &str = "positions are kept by whoever reads, and nothing is skipped silently";
const COMMITTED: &str = "records of transactions that were aborted would be applied";
const DURABLE: &str = "a message counts as sent when every replica in sync has it, once";

const RESERVED: [(&str, &str); 20] = [
    ("bootstrap.servers", OWN_SETTING),
    ("metadata.broker.list", OWN_SETTING),
    ("group.id", OWN_SETTING),
    ("group.instance.id", OWN_SETTING),
    ("partition.assignment.strategy", OWN_SETTING),
    ("session.timeout.ms", OWN_SETTING),
    ("group.protocol", "only the classic protocol works with this version of the client"),
    ("enable.auto.commit", POSITIONS),
    ("enable.auto.offset.store", POSITIONS),
    ("auto.offset.reset", POSITIONS),
    ("enable.partition.eof", POSITIONS),
    ("isolation.level", COMMITTED),
    ("acks", DURABLE),
    ("request.required.acks", DURABLE),
    ("enable.idempotence", DURABLE),
    ("enable.gapless.guarantee", DURABLE),
    ("delivery.report.only.error", "every message is waited for"),
    ("transactional.id", "transactions of Kafka are not used"),
    ("partitioner", "senders in all languages must choose the same partition for a key"),
    ("log.queue", "the client's log lines are taken from its queue"),
];

/// Why a user may not set this property, if so.
pub(super) fn reason_to_refuse(key: &str) -> Option<&'static str> {
    RESERVED.iter().find(|(reserved, _)| *reserved == key).map(|(_, reason)| *reason)
}

/// What the names of secret properties have in them: librdkafka's, and any that it may add.
const SECRETS: [&str; 7] =
    ["password", "passphrase", "secret", "key.pem", "jaas", "oauthbearer.config", "kinit.cmd"];

/// Whether the value of this property must not be shown.
#[must_use]
pub fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase().replace('_', ".");
    SECRETS.iter().any(|part| key.contains(part))
}
