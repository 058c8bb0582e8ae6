//! Whether it is the client's fault that a message was not delivered.

use std::time::Duration;

use rdkafka::client::{Client, ClientContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::MetadataTopic;

/// Why it is doubtful that a client works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    /// A message waited too long for this partition of a topic. It is negative where the client
    /// did not choose one.
    Waited(String, i32),
    /// A broker refuses the epoch in which the client numbers its messages: librdkafka begins
    /// again with the first epoch after the last, and no broker takes an older one.
    Epoch,
}

impl Doubt {
    /// The doubt that a failed message casts on its client, if any.
    pub(super) fn of((topic, partition): (&str, i32), error: &KafkaError) -> Option<Self> {
        match error.rdkafka_error_code()? {
            RDKafkaErrorCode::MessageTimedOut => Some(Self::Waited(topic.to_owned(), partition)),
            RDKafkaErrorCode::InvalidProducerEpoch => Some(Self::Epoch),
            _ => None,
        }
    }
}

/// What a client finds out about a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// No broker answers the client.
    Nothing,
    /// There is no such partition, or no broker leads it.
    NoLeader,
    /// A broker leads it.
    Leader,
}

/// Whether a client is at fault when a message to a partition waited for too long.
///
/// 1. A client that no broker answers may have forgotten all brokers: it is at fault.
/// 2. A partition without a leader takes no messages of any client.
/// 3. A client that has delivered other messages meanwhile works.
/// 4. A client that has delivered nothing, though a broker leads the partition, is at fault.
pub(super) const fn is_of_client(answer: Answer, has_delivered: bool) -> bool {
    match (answer, has_delivered) {
        (Answer::Nothing, _) | (Answer::Leader, false) => true,
        (Answer::NoLeader, _) | (Answer::Leader, true) => false,
    }
}

/// Lets a client ask who leads a partition, or any partition of the topic where the number is
/// negative. Blocks.
pub(super) fn ask<C: ClientContext>(
    client: &Client<C>,
    (topic, partition): (&str, i32),
    within: Duration,
) -> Answer {
    let Ok(metadata) = client.fetch_metadata(Some(topic), within) else { return Answer::Nothing };
    if metadata.brokers().is_empty() {
        // A broker that is not part of its own cluster yet.
        return Answer::Nothing;
    }
    let topics = metadata.topics().iter().filter(|found| found.name() == topic);
    let has_leader = topics
        .flat_map(MetadataTopic::partitions)
        .filter(|found| partition < 0 || found.id() == partition)
        .any(|found| 0 <= found.leader());
    if has_leader { Answer::Leader } else { Answer::NoLeader }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_brokers_say_of_a_message_makes_no_client_doubtful_but_by_its_epoch() {
        use RDKafkaErrorCode as Code;
        let waited = Doubt::Waited("t".to_owned(), 3);
        for (code, expected) in [
            (Code::MessageTimedOut, Some(waited)),
            (Code::InvalidProducerEpoch, Some(Doubt::Epoch)),
            (Code::NotEnoughReplicas, None),
            (Code::TopicAuthorizationFailed, None),
            (Code::PurgeQueue, None),
        ] {
            let error = KafkaError::MessageProduction(code);
            assert_eq!(Doubt::of(("t", 3), &error), expected, "{error}");
        }
    }

    #[test]
    fn a_client_is_at_fault_where_nobody_answers_it_or_nothing_of_it_arrives() {
        for (answer, has_delivered, expected) in [
            (Answer::Nothing, false, true),
            (Answer::Nothing, true, true),
            (Answer::NoLeader, false, false),
            (Answer::NoLeader, true, false),
            (Answer::Leader, false, true),
            (Answer::Leader, true, false),
        ] {
            let found = is_of_client(answer, has_delivered);
            assert_eq!(found, expected, "{answer:?}, has delivered: {has_delivered}");
        }
    }
}
