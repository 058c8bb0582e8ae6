//! Makes the topics that are missing.

use catchment_domain::ports::{Topics, Wanted};

use crate::lane_error::{LaneError, fail_for};

/// How many lanes new topics of replies have, if the operator names no number: one for each requester
/// that runs at a time.
const REPLY_LANES: u16 = 4;

/// The topics after they were made.
#[derive(Debug)]
pub struct CreatedTopics {
    /// The name of each topic, and whether it is new.
    pub topics: Vec<(String, bool)>,
    /// An error if a topic cannot be used, or differs from what the operator wants.
    pub checked: Result<(), LaneError>,
}

/// Makes the missing topics, and checks all of them.
///
/// # Errors
///
/// When the cluster does not answer, or refuses.
pub async fn create_topics(
    cluster: &dyn Topics,
    wanted: Wanted,
) -> Result<CreatedTopics, LaneError> {
    let reply_lanes = wanted.reply_lanes.unwrap_or(REPLY_LANES);
    let topics = cluster.create(reply_lanes, wanted.replication).await;
    let topics = topics.map_err(LaneError::logs("could not make the topics"))?;
    Ok(CreatedTopics { topics, checked: fail_for(cluster.inspect(wanted).await) })
}
