//! Checks that database and logs fit each other.

use std::collections::BTreeMap;

use catchment_domain::ports::{Acceptances, Cluster, Restores, ShopLedger};
use catchment_domain::{
    Lane, LaneProblem, Mismatch, Position, check_lanes as check_committed_lanes,
};

use crate::compare_lanes::SeenLanes;
use crate::lane_error::{LaneError, fail_for, join};

/// The lanes in the database, and what is compared with their logs.
#[derive(Clone, Copy)]
pub struct LaneStores<'a> {
    /// How each lane stands.
    pub acceptances: &'a dyn Acceptances,
    /// The receipts.
    pub ledger: &'a dyn ShopLedger,
    /// What a restored backup shows.
    pub restores: &'a dyn Restores,
}

impl std::fmt::Debug for LaneStores<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LaneStores").finish_non_exhaustive()
    }
}

impl LaneStores<'_> {
    pub(crate) async fn look(self, cluster: &dyn Cluster) -> Result<SeenLanes, LaneError> {
        SeenLanes::look(cluster, self.acceptances, Some(self.ledger)).await
    }

    /// Returns what two looks in a row found: see [`SeenLanes::look_twice`].
    pub(crate) async fn look_twice(
        self,
        cluster: &dyn Cluster,
    ) -> Result<(SeenLanes, BTreeMap<Lane, Position>), LaneError> {
        SeenLanes::look_twice(cluster, self.acceptances, self.ledger).await
    }
}

/// Checks that the database is not older than what the consumers have committed.
///
/// # Errors
///
/// When it is older, or the cluster or the database do not answer.
pub async fn check_age(cluster: &dyn Cluster, restores: &dyn Restores) -> Result<(), LaneError> {
    // Reads the commits first. A consumer stores before it commits, so the database has at least
    // these positions.
    let committed = cluster.committed().await.map_err(LaneError::logs(COMMITTED))?;
    let unread = |source| LaneError::Database { attempt: "could not read the database", source };
    let lanes = restores.lanes().await.map_err(unread)?;
    Ok(check_committed_lanes(&lanes, (cluster.identity(), &committed))?)
}

/// The attempt to read what the consumers have committed.
pub(crate) const COMMITTED: &str =
    "could not ask Kafka what the consumers have committed: the log is unavailable";

/// Checks that the logs are there, that the database is not older than what the consumers have
/// committed, and that every lane can go on.
///
/// # Errors
///
/// When something does not fit, or the cluster or the database do not answer.
pub async fn check_lanes(stores: LaneStores<'_>, cluster: &dyn Cluster) -> Result<(), LaneError> {
    fail_for(cluster.problems().await)?;
    check_age(cluster, stores.restores).await?;
    stores.look(cluster).await?.check()
}

/// Checks a database as services do when they start. If only the cluster does not answer, the
/// database can be used all the same, unless it alone shows that a lane cannot go on. Returns why it
/// was not compared with the logs.
///
/// # Errors
///
/// When something does not fit, or the database does not answer.
pub async fn check_database(
    stores: LaneStores<'_>,
    cluster: Result<&dyn Cluster, LaneError>,
) -> Result<Option<LaneError>, LaneError> {
    let checked = match cluster {
        Ok(cluster) => check_lanes(stores, cluster).await,
        Err(error) => Err(error),
    };
    match checked {
        Err(error) if error.is_unavailable() => {
            check_rows(stores.acceptances).await?;
            Ok(Some(error))
        }
        checked => checked.map(|()| None),
    }
}

/// Checks that the row of every lane is there and can be read.
async fn check_rows(acceptances: &dyn Acceptances) -> Result<(), LaneError> {
    let requests = acceptances.request_lanes().await?;
    let requests = requests
        .iter()
        .filter_map(|(lane, stored)| Some(LaneProblem::of(*lane, stored.mismatch()?)));
    let replies = acceptances.reply_lanes().await?;
    let replies = replies.into_iter().filter_map(|stored| {
        let what = stored.row?.err()?;
        Some(LaneProblem::of_replies(stored.lane, Mismatch::UnreadableRow { what }))
    });
    join(requests.chain(replies).map(|problem| problem.to_string()))
}
