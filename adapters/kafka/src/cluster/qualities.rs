//! Checks that an existing topic keeps its records long enough, in a compression that its readers
//! understand.

use catchment_domain::Lanes;
use catchment_domain::ports::{LogProblem, Wanted};
use catchment_request_reply::TopicDescription;

use super::check::{Partitions, other};

const DAY: i64 = 24 * 3_600_000;
const MEBIBYTE: i64 = 1 << 20;

/// What a topic is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Requests.
    Requests,
    /// Dead letters: each goes into the partition of its request.
    DeadLetters,
    /// Replies to our own requesters.
    Replies,
    /// Replies to clients of other systems: NestJS reads `<requests>.reply`, `SmallRye`
    /// `<requests>-replies`, and other clients choose one of them.
    PeerReplies,
}

impl Purpose {
    /// How many partitions the topic must have, if the database has so many lanes.
    pub(super) fn partitions(self, lanes: Lanes) -> Partitions {
        let lanes = lanes.count().into();
        match self {
            Self::Requests => Partitions::OneForEach(lanes),
            Self::DeadLetters => Partitions::AtLeastOneForEach(lanes),
            Self::Replies | Self::PeerReplies => Partitions::Any,
        }
    }

    /// The shortest retention in milliseconds. A working reader needs far less, but a reader that
    /// stands still for hours must lose nothing.
    const fn retention(self) -> i64 {
        match self {
            Self::Requests | Self::DeadLetters | Self::Replies => DAY,
            Self::PeerReplies => DAY / 24,
        }
    }

    /// The values of `compression.type` that every reader of the topic understands. With `producer`
    /// the sender decides.
    const fn compressions(self) -> &'static [&'static str] {
        match self {
            Self::Requests | Self::DeadLetters | Self::Replies => {
                &["producer", "uncompressed", "gzip", "snappy", "lz4", "zstd"]
            }
            Self::PeerReplies => &["producer", "uncompressed", "gzip"],
        }
    }
}

/// What of a topic's properties keeps its readers from some of its records, one line each.
fn unread(topic: &str, purpose: Purpose, found: &TopicDescription) -> Vec<String> {
    let mut said = Vec::new();
    if property(found, "cleanup.policy").contains("compact") {
        said.push(format!(
            "the topic `{topic}` is compacted (`cleanup.policy`), which removes records before they \
             are read: set it to `delete`"
        ));
    }
    for (name, least) in [("retention.ms", purpose.retention()), ("retention.bytes", 64 * MEBIBYTE)]
    {
        // -1 means without a limit.
        if let Some(found) =
            property(found, name).parse().ok().filter(|found| (0..least).contains(found))
        {
            said.push(format!(
                "the topic `{topic}` has `{name}` {found}, which may remove records before they \
                 are read: set it to {least} or more"
            ));
        }
    }
    let compression = property(found, "compression.type");
    if !compression.is_empty() && !purpose.compressions().contains(&compression) {
        said.push(format!(
            "the topic `{topic}` has `compression.type` `{compression}`, which clients with KafkaJS \
             cannot read: set `producer`, `gzip` or `uncompressed`"
        ));
    }
    said
}

/// The problems of a topic, one line each. There are none if the topic is as it must be and as the
/// operator wants it, and takes batches of this many bytes.
pub(super) fn problems(
    topic: &str,
    purpose: Purpose,
    found: &TopicDescription,
    wanted: Wanted,
    batch_size: u64,
) -> Vec<LogProblem> {
    let mut said = unread(topic, purpose, found);
    let number = |name: &str| property(found, name).parse::<i64>().ok();
    let most = property(found, "max.message.bytes").parse::<u64>().ok();
    if let Some(found) = most.filter(|most| *most < batch_size) {
        // A broker refuses a batch as a whole, however small its records are.
        said.push(format!(
            "the topic `{topic}` takes at most {found} bytes at once (`max.message.bytes`), but a \
             sender may send {batch_size} (`batch.size`): set `max.message.bytes` to {batch_size} or \
             more"
        ));
    }
    let replicas = found.replicas;
    let needed = number("min.insync.replicas");
    if let Some(needed) = needed.filter(|needed| i64::from(replicas) < *needed) {
        said.push(format!(
            "the topic `{topic}` takes no records: `min.insync.replicas` is {needed}, but its \
             replication factor is {replicas}"
        ));
    }
    if let Some(wanted) = wanted.replication.map(i32::from).filter(|wanted| *wanted != replicas) {
        said.push(format!(
            "the topic `{topic}` already exists with replication factor {replicas}, not {wanted}: \
             `kafka-reassign-partitions.sh` changes it"
        ));
    }
    let is_of_replies = matches!(purpose, Purpose::Replies | Purpose::PeerReplies);
    let lanes = wanted.reply_lanes.map(i32::from).filter(|_| is_of_replies);
    if let Some(wanted) = lanes.filter(|wanted| *wanted != found.partitions) {
        let found = found.partitions;
        let advice = if found < wanted {
            format!(
                "add partitions with `kafka-topics.sh --bootstrap-server HOST:PORT --alter --topic \
                 {topic} --partitions {wanted}`"
            )
        } else {
            format!("partitions cannot be removed, so give {found}, or leave the number out")
        };
        said.push(format!(
            "the topic `{topic}` already exists with {found} partitions, not {wanted}: {advice}"
        ));
    }
    said.into_iter().map(other).collect()
}

fn property<'a>(found: &'a TopicDescription, name: &str) -> &'a str {
    found.properties.get(name).map_or("", String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PURPOSES: [Purpose; 4] =
        [Purpose::Requests, Purpose::DeadLetters, Purpose::Replies, Purpose::PeerReplies];

    fn check(
        purposes: &[Purpose],
        properties: &[(&str, &str)],
        (partitions, replicas): (i32, i32),
        wanted: Wanted,
        lines: &[&str],
    ) {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let properties = properties.iter().map(owned).collect();
        let found = TopicDescription { partitions, replicas, properties };
        for purpose in purposes {
            let problems = problems("t", *purpose, &found, wanted, 1_000_000);
            let said: Vec<_> = problems.iter().map(ToString::to_string).collect();
            assert_eq!(said, lines, "{purpose:?} {found:?}");
        }
    }

    /// Checks the problems of a topic with 4 partitions, 1 replica and these properties.
    fn check_properties(purposes: &[Purpose], properties: &[(&str, &str)], lines: &[&str]) {
        check(purposes, properties, (4, 1), Wanted::default(), lines);
    }

    #[test]
    fn the_usual_properties_are_right_for_all() {
        check_properties(&PURPOSES, &[], &[]);
        let usual = [
            ("cleanup.policy", "delete"),
            ("retention.ms", "604800000"),
            ("retention.bytes", "-1"),
            ("compression.type", "producer"),
            ("min.insync.replicas", "1"),
            ("max.message.bytes", "1048588"),
        ];
        check_properties(&PURPOSES, &usual, &[]);
        check_properties(&PURPOSES, &[("retention.ms", "-1"), ("compression.type", "gzip")], &[]);
    }

    #[test]
    fn a_topic_that_loses_what_was_not_read_is_named() {
        let line = "the topic `t` is compacted (`cleanup.policy`), which removes records before \
                    they are read: set it to `delete`";
        for policy in ["compact", "compact,delete", "delete,compact"] {
            check_properties(&PURPOSES, &[("cleanup.policy", policy)], &[line]);
        }
        let short = |property, least| {
            format!(
                "the topic `t` has `{property}` 3599999, which may remove records before they are \
                 read: set it to {least} or more"
            )
        };
        let properties = [("retention.ms", "3599999")];
        check_properties(&PURPOSES[..3], &properties, &[&short("retention.ms", 86_400_000)]);
        check_properties(&PURPOSES[3..], &properties, &[&short("retention.ms", 3_600_000)]);
        let properties = [("retention.bytes", "3599999")];
        check_properties(&PURPOSES, &properties, &[&short("retention.bytes", 67_108_864)]);
    }

    #[test]
    fn replies_to_peers_are_compressed_as_all_of_them_can_read() {
        for compression in ["lz4", "snappy", "zstd"] {
            let line = format!(
                "the topic `t` has `compression.type` `{compression}`, which clients with KafkaJS \
                 cannot read: set `producer`, `gzip` or `uncompressed`"
            );
            let properties = [("compression.type", compression)];
            check_properties(&PURPOSES[..3], &properties, &[]);
            check_properties(&PURPOSES[3..], &properties, &[&line]);
        }
    }

    #[test]
    fn a_topic_that_takes_nothing_is_named() {
        let line = "the topic `t` takes no records: `min.insync.replicas` is 2, but its \
                    replication factor is 1";
        check_properties(&PURPOSES, &[("min.insync.replicas", "2")], &[line]);
        check(&PURPOSES, &[("min.insync.replicas", "2")], (4, 3), Wanted::default(), &[]);
    }

    #[test]
    fn a_topic_that_takes_less_than_a_batch_is_named() {
        let line = "the topic `t` takes at most 999999 bytes at once (`max.message.bytes`), but a \
                    sender may send 1000000 (`batch.size`): set `max.message.bytes` to 1000000 or \
                    more";
        check_properties(&PURPOSES, &[("max.message.bytes", "999999")], &[line]);
        check_properties(&PURPOSES, &[("max.message.bytes", "1000000")], &[]);
    }

    #[test]
    fn what_create_cannot_change_is_not_left_unsaid() {
        let partitions = "the topic `t` already exists with 4 partitions, not 8: add partitions \
                          with `kafka-topics.sh --bootstrap-server HOST:PORT --alter --topic t \
                          --partitions 8`";
        let wanted = Wanted { reply_lanes: Some(8), replication: None };
        check(&PURPOSES[..2], &[], (4, 1), wanted, &[]);
        check(&PURPOSES[2..], &[], (4, 1), wanted, &[partitions]);
        check(&PURPOSES, &[], (8, 1), wanted, &[]);
        let too_many = "the topic `t` already exists with 9 partitions, not 8: partitions cannot be \
                        removed, so give 9, or leave the number out";
        check(&PURPOSES[2..], &[], (9, 1), wanted, &[too_many]);
        let replicas = "the topic `t` already exists with replication factor 1, not 3: \
                        `kafka-reassign-partitions.sh` changes it";
        let wanted = Wanted { reply_lanes: None, replication: Some(3) };
        check(&PURPOSES, &[], (4, 1), wanted, &[replicas]);
        check(&PURPOSES, &[], (4, 3), wanted, &[]);
    }
}
