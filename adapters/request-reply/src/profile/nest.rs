//! A NestJS microservice client: the names of Spring, and a partition in decimal text.

use super::partition::is_decimal;
use super::{Peer, ReplyPartition, spring};

pub(super) const PEER: Peer = Peer {
    name: "NestJS",
    is_sender: |partition| partition.is_some_and(is_decimal),
    read_partition: ReplyPartition::read,
    failure: Some("kafka_nest-err"),
    // Without it a client that waits for the last reply waits for ever.
    every_reply: Some(("kafka_nest-is-disposed", Some(&[0]))),
    // Under the names of Spring.
    is_asked: false,
    ..spring::PEER
};
