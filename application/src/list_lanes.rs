//! Lists the lanes: how each stands in the database and in its log.

use std::collections::BTreeMap;

use catchment_domain::ports::{Acceptances, Cluster, StoreError};
use catchment_domain::{
    AnyLane, Epoch, Lane, LaneProblem, Mismatch, Position, StoredLane, StoredReplyLane, Unclear,
    UnclearLane,
};

use crate::check_lanes::{LaneStores, check_age};
use crate::lane_error::LaneError;

/// A lane as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedLane {
    /// The lane.
    pub lane: AnyLane,
    /// Who has it, as far as is known.
    pub owner: Option<String>,
    /// Its newest owner's number.
    pub epoch: Option<Epoch>,
    /// The next position to apply, or the next reply to record.
    pub next: Option<Position>,
    /// The next position to answer.
    pub answered: Option<Position>,
    /// One past the last record of its log.
    pub end: Option<Position>,
    /// Why it cannot go on.
    pub mismatch: Option<Mismatch>,
    /// Why it is not known whether it can.
    pub unclear: Option<Unclear>,
}

impl ListedLane {
    const fn new(lane: AnyLane) -> Self {
        let (owner, epoch, next, answered, end) = (None, None, None, None, None);
        Self { lane, owner, epoch, next, answered, end, mismatch: None, unclear: None }
    }

    fn of_requests((lane, stored): (Lane, StoredLane)) -> Self {
        let listed = Self { mismatch: stored.mismatch(), ..Self::new(AnyLane::Requests(lane)) };
        let StoredLane::Known { progress, .. } = stored else { return listed };
        Self {
            epoch: Some(progress.epoch),
            next: Some(progress.applied_next),
            answered: Some(progress.replied_next),
            ..listed
        }
    }

    fn of_replies(stored: StoredReplyLane) -> Self {
        let listed = Self::new(AnyLane::Replies(stored.lane));
        match stored.row {
            None => listed,
            Some(Err(what)) => Self { mismatch: Some(Mismatch::UnreadableRow { what }), ..listed },
            Some(Ok(row)) => Self {
                owner: row.holder,
                epoch: Some(row.epoch),
                next: Some(row.position),
                ..listed
            },
        }
    }

    /// What is wrong with the lane, or why that is not known. One line that says what to do.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        let lane = self.lane;
        let problem = self.mismatch.clone().map(|mismatch| LaneProblem { lane, mismatch });
        let unclear = self.unclear.map(|why| UnclearLane { lane, why }.to_string());
        problem.map(|problem| problem.to_string()).or(unclear)
    }

    /// How many positions lie between where the lane stands and its end, if both are of one log.
    #[must_use]
    pub fn lag(&self) -> Option<u64> {
        let is_other = matches!(
            self.mismatch,
            Some(
                Mismatch::OtherLog
                    | Mismatch::LeftLog
                    | Mismatch::EndsEarly { .. }
                    | Mismatch::OtherRecord { .. }
            )
        );
        if is_other { None } else { Some(self.end?.0.saturating_sub(self.next?.0)) }
    }
}

/// All lanes.
#[derive(Debug)]
pub struct LaneList {
    /// Each lane, those of requests first.
    pub lanes: Vec<ListedLane>,
    /// What is wrong beside single lanes.
    pub problems: Vec<LaneError>,
    /// Why the list shows only what the database has.
    pub without_logs: Option<LaneError>,
}

impl LaneList {
    /// Whether every lane can go on, by all that is known.
    #[must_use]
    pub fn is_fine(&self) -> bool {
        let is_fine = |lane: &ListedLane| lane.mismatch.is_none() && lane.unclear.is_none();
        self.problems.is_empty() && self.without_logs.is_none() && self.lanes.iter().all(is_fine)
    }
}

type Listed = BTreeMap<AnyLane, ListedLane>;

/// Lists the lanes. The logs of an embedded database are in memory, so it has no cluster. Instead of
/// a cluster that could not be reached, the caller gives the reason.
///
/// # Errors
///
/// When the database does not answer.
pub async fn list_lanes(
    stores: LaneStores<'_>,
    cluster: Option<Result<&dyn Cluster, LaneError>>,
) -> Result<LaneList, LaneError> {
    let mut lanes = list_stored(stores.acceptances).await?;
    let compared = match cluster {
        None => Ok(Vec::new()),
        Some(Err(error)) => Err(error),
        Some(Ok(cluster)) => add_logs(&mut lanes, stores, cluster).await,
    };
    let (problems, without_logs) = match compared {
        Ok(problems) => (problems, None),
        Err(error) => (Vec::new(), Some(error)),
    };
    Ok(LaneList { lanes: lanes.into_values().collect(), problems, without_logs })
}

async fn list_stored(acceptances: &dyn Acceptances) -> Result<Listed, StoreError> {
    let requests = acceptances.request_lanes().await?.into_iter().map(ListedLane::of_requests);
    let replies = acceptances.reply_lanes().await?.into_iter().map(ListedLane::of_replies);
    Ok(requests.chain(replies).map(|listed| (listed.lane, listed)).collect())
}

/// Adds what the logs say, also lanes that the database does not know yet. Returns what is wrong
/// beside single lanes.
async fn add_logs(
    lanes: &mut Listed,
    stores: LaneStores<'_>,
    cluster: &dyn Cluster,
) -> Result<Vec<LaneError>, LaneError> {
    let problems = cluster.problems().await;
    let problems = problems.map_err(LaneError::logs("could not look at the topics"))?;
    if !problems.is_empty() {
        return Ok(problems.into_iter().map(|problem| LaneError::Misfit(problem.line)).collect());
    }
    let seen = stores.look(cluster).await?;
    // If one part of the cluster does not answer, the rest is still shown.
    let reply_ends = cluster.reply_ends().await;
    let holders = cluster.holders().await;
    let mut problems: Vec<LaneError> = Vec::new();
    let holders = holders.unwrap_or_else(|error| {
        problems.push(LaneError::logs("could not look at the consumers' group")(error));
        BTreeMap::new()
    });
    problems.extend(check_age(cluster, stores.restores).await.err());
    let mut entry = |lane, change: &dyn Fn(&mut ListedLane)| {
        change(lanes.entry(lane).or_insert_with(|| ListedLane::new(lane)));
    };
    for seen in &seen.requests {
        entry(AnyLane::Requests(seen.lane), &|listed| {
            listed.end = seen.log.map(|log| log.end);
            listed.owner = holders.get(&seen.lane).cloned();
        });
    }
    match reply_ends {
        Ok((_, ends)) => {
            for (lane, end) in ends {
                entry(AnyLane::Replies(lane), &|listed| listed.end = Some(end));
            }
        }
        Err(error) => problems.push(LaneError::logs("could not look at the reply topic")(error)),
    }
    for LaneProblem { lane, mismatch } in seen.problems() {
        entry(lane, &|listed| listed.mismatch = Some(mismatch.clone()));
    }
    for UnclearLane { lane, why } in seen.unclear() {
        entry(lane, &|listed| listed.unclear = Some(why));
    }
    Ok(problems)
}
