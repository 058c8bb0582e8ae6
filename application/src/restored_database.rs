//! Makes the ledger of a database true again that was restored from a backup, while the logs kept
//! every record.

use catchment_domain::ports::{Cluster, StoreError};
use catchment_domain::{
    AnyLane, Lane, LaneProblem, NoPlace, NotDrained, Position, RestoreTerms, Restored, Revision,
    SinceBackup, UnclearLane, requests_since_backup,
};

use crate::check_lanes::{COMMITTED, LaneStores};
use crate::compare_lanes::SeenLane;
use crate::lane_error::{LaneError, fail_for};

/// What was changed after a backup was restored.
#[derive(Debug)]
pub struct AfterRestore {
    /// In the database.
    pub restored: Restored,
    /// How many requests are behind the database's positions.
    pub requests: u64,
    /// The campaigns with requests that the database does not have.
    pub lost: Vec<Revision>,
    /// How many records were removed before they were applied again, for each lane with any.
    pub gone: Vec<(Lane, u64)>,
    /// The request lanes that have no place in the log. Their positions stay as they are.
    pub left_out: Vec<LaneProblem>,
}

impl AfterRestore {
    /// The lanes of requests and of replies whose positions stay as they are.
    pub fn left_out(&self) -> impl Iterator<Item = &LaneProblem> {
        self.left_out.iter().chain(&self.restored.left_out)
    }

    /// How many lanes do not go on by themselves.
    #[must_use]
    pub fn stopped(&self) -> usize {
        self.gone.len() + self.left_out().count()
    }
}

/// Makes the ledger of a restored database true again.
///
/// # Errors
///
/// When services are at work, the topics belong to another database, the cluster or the database do
/// not answer, or it is not known now whether a lane fits its log.
pub async fn restored_database(
    stores: LaneStores<'_>,
    cluster: &dyn Cluster,
    dry_run: bool,
) -> Result<AfterRestore, LaneError> {
    fail_for(cluster.problems().await)?;
    // A consumer of the time before may still send replies that would count.
    let members = cluster.members().await;
    let members = members.map_err(LaneError::logs("could not look at the consumers' group"))?;
    if let Some(member) = members.into_iter().next() {
        return Err(LaneError::Conflict(NotDrained::Member { member }.to_string()));
    }
    let committed = cluster.committed().await.map_err(LaneError::logs(COMMITTED))?;
    // A broker that is behind can show a problem that is none.
    let (seen, _) = stores.look_twice(cluster).await?;
    let mut since_backup = SinceBackup::new(stores.restores.known().await?);
    let (gone, left_out) = read_since_backup(cluster, &seen.requests, &mut since_backup).await?;
    let requests = since_backup.requests();
    for LaneProblem { lane, .. } in &left_out {
        // Nothing says which of its requests are older than the backup. All of them show what was
        // given out, and none of them is applied again for certain.
        let AnyLane::Requests(lane) = *lane else { continue };
        read(cluster, (lane, Position(0)), &mut since_backup).await?;
    }
    let lost = since_backup.lost().iter().copied().collect();
    let replies = cluster.reply_ends().await;
    let replies = replies.map_err(LaneError::logs("could not look at the reply topic"))?;
    let requests_log = (cluster.identity(), committed);
    let terms = RestoreTerms { requests: requests_log, replies, since_backup, dry_run };
    let restored = stores.restores.restored(&terms).await.map_err(|error| match error {
        StoreError::Fenced => LaneError::Unknown(
            "the database did not answer, so it is not known whether it was changed: repeat this \
             command, which does no harm",
        ),
        error => error.into(),
    })?;
    Ok(AfterRestore { restored, requests, lost, gone, left_out })
}

/// Reads the requests since the backup. Returns how many records are gone from each lane, and the
/// lanes that have no place in the log.
async fn read_since_backup(
    cluster: &dyn Cluster,
    seen: &[SeenLane],
    since_backup: &mut SinceBackup,
) -> Result<(Vec<(Lane, u64)>, Vec<LaneProblem>), LaneError> {
    let (mut gone, mut left_out) = (Vec::new(), Vec::new());
    for SeenLane { lane, stored, comparison, .. } in seen {
        match requests_since_backup(stored, comparison, cluster.identity()) {
            Ok(next) => {
                let missing = read(cluster, (*lane, next), since_backup).await?;
                gone.extend((0 < missing).then_some((*lane, missing)));
            }
            Err(NoPlace::Differs(mismatch)) => left_out.push(LaneProblem::of(*lane, mismatch)),
            Err(NoPlace::Unclear(why)) => {
                let unclear = UnclearLane { lane: AnyLane::Requests(*lane), why };
                return Err(LaneError::Misfit(unclear.to_string()));
            }
        }
    }
    Ok((gone, left_out))
}

async fn read(
    cluster: &dyn Cluster,
    (lane, from): (Lane, Position),
    since_backup: &mut SinceBackup,
) -> Result<u64, LaneError> {
    let read = cluster.visit_requests(lane, from, &mut |record| since_backup.add(record)).await;
    read.map_err(LaneError::logs(format!("could not read lane {lane}")))
}
