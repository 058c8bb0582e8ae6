//! Checks that requests and replies can be sent, and that no reader misses any.

use catchment_domain::ports::{Cluster, Wanted};

use crate::check_lanes::{LaneStores, check_lanes};
use crate::lane_error::{LaneError, fail_for};

/// Checks that the topics have the right properties and hold what the database has read.
///
/// # Errors
///
/// When a topic is missing or cannot be used, a lane does not fit its log, or the cluster or the
/// database do not answer.
pub async fn check_topics(stores: LaneStores<'_>, cluster: &dyn Cluster) -> Result<(), LaneError> {
    fail_for(cluster.inspect(Wanted::default()).await)?;
    check_lanes(stores, cluster).await
}
