//! Which log a topic is.

use catchment_domain::LogIdentity;
use uuid::Uuid;

/// The name space of topics.
const TOPICS: Uuid = Uuid::from_u128(0x9c1d_03b5_6e7f_4a20_b8d4_52f0_7a36_1ce8);

/// The log that a topic of a cluster is: a `UUIDv5` of the cluster's id and the topic's name.
///
/// A topic that is made again keeps its name: that is noticed by its positions and by the
/// record before them.
pub(crate) fn identity(cluster: &str, topic: &str) -> LogIdentity {
    let name = format!("{cluster}/{topic}");
    LogIdentity { id: Uuid::new_v5(&TOPICS, name.as_bytes()).as_u128(), lasting: true }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_of_a_cluster_is_one_lasting_log() {
        let one = identity("cluster", "topic");
        assert!(one.lasting);
        assert_eq!(one, identity("cluster", "topic"));
        assert_ne!(one, identity("cluster", "other"));
        assert_ne!(one, identity("other", "topic"));
        // Written down in databases: must never change.
        assert_eq!(one.id, 0xaaaf_3ff1_df17_5856_ac80_7518_18db_7e51);
    }
}
