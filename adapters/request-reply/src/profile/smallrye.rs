//! SmallRye Reactive Messaging, for example in Quarkus.

use super::{Peer, ReplyPartition};

pub(super) const PEER: Peer = Peer {
    name: "SmallRye",
    correlation_id: "REPLY_CORRELATION_ID",
    reply_topic: "REPLY_TOPIC",
    // Four bytes, big endian.
    reply_partition: "REPLY_PARTITION",
    is_sender: |_| true,
    read_partition: ReplyPartition::read,
    failure: None,
    type_id: None,
    every_reply: None,
    is_asked: true,
};
