//! Spring's `ReplyingKafkaTemplate`, and all that send what it sends: our own requester, too.

use super::{Peer, ReplyPartition};

pub(super) const PEER: Peer = Peer {
    name: "Spring",
    correlation_id: "kafka_correlationId",
    reply_topic: "kafka_replyTopic",
    // Four bytes, big endian.
    reply_partition: "kafka_replyPartition",
    is_sender: |_| true,
    read_partition: ReplyPartition::read,
    failure: None,
    // The Java class of a value, for Spring's `JsonDeserializer`.
    type_id: Some("__TypeId__"),
    every_reply: None,
    is_asked: true,
};
