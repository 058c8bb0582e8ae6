//! Moves the database away from its topics, and to another number of lanes.

use std::ops::Range;

use catchment_domain::ports::{
    CampaignRepository, Cluster, LogInspection, LogProblemKind, Moves, StoreError,
};
use catchment_domain::service::CampaignPages;
use catchment_domain::{
    AnyLane, BeforeMove, Behind, Lane, LaneBeforeMove, Lanes, Mismatch, MoveTerms, Moved,
    NotDrained, Position, ReplyLaneBeforeMove, StoredLane, Unclear, UnclearLane,
};
use thiserror::Error;

use crate::check_lanes::{LaneStores, check_age};
use crate::compare_lanes::{SeenLane, SeenReplyLane};
use crate::lane_error::{LaneError, join};

/// The database that is moved.
#[derive(Clone, Copy)]
pub struct MoveStores<'a> {
    /// The lanes.
    pub lanes: LaneStores<'a>,
    /// The campaigns.
    pub campaigns: &'a dyn CampaignRepository,
    /// The move itself.
    pub moves: &'a dyn Moves,
}

impl std::fmt::Debug for MoveStores<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MoveStores").finish_non_exhaustive()
    }
}

/// Why the database was not moved.
#[derive(Debug, Error)]
pub enum MoveError {
    /// Wait, or do what each line says.
    #[error("the database is not drained")]
    NotDrained(Vec<NotDrained>),
    /// The lanes could not be looked at, or the database could not be changed.
    #[error(transparent)]
    Lanes(#[from] LaneError),
}

impl From<StoreError> for MoveError {
    fn from(error: StoreError) -> Self {
        Self::Lanes(error.into())
    }
}

/// Leaves the topics if everything is drained. An embedded database has no cluster: its logs end with
/// their process.
///
/// # Errors
///
/// When something is not drained, a topic is missing, the request topic has fewer lanes than the
/// database and was not left, the database is older than the request log, the cluster does not say
/// whether a lane fits its log, or the cluster or the database do not answer.
pub async fn move_topics(
    stores: MoveStores<'_>,
    cluster: Option<&dyn Cluster>,
    (lanes, dry_run): (Lanes, bool),
) -> Result<Moved, MoveError> {
    let before = match cluster {
        Some(cluster) => look(cluster, stores).await?,
        None => look_embedded(stores).await?,
    };
    let not_drained = before.not_drained();
    if !not_drained.is_empty() {
        return Err(MoveError::NotDrained(not_drained));
    }
    let moved = stores.moves.move_away(&MoveTerms::new(lanes, before, dry_run)).await;
    moved.map_err(|error| match error {
        StoreError::Fenced => MoveError::Lanes(LaneError::Unknown(
            "the database did not answer, so it is not known whether it was moved: repeat this \
             command, which does no harm; if it then names another number of lanes, the move is \
             done",
        )),
        error => error.into(),
    })
}

/// Looks at what must be drained in an embedded database.
async fn look_embedded(stores: MoveStores<'_>) -> Result<BeforeMove, LaneError> {
    let requests = stores.lanes.acceptances.request_lanes().await?.into_iter();
    let requests = requests.map(|(lane, stored)| {
        let mismatch = stored.mismatch();
        LaneBeforeMove { lane, stored, mismatch, behind: Behind::Nothing }
    });
    let replies = stores.lanes.acceptances.reply_lanes().await?.into_iter();
    let replies = replies.map(|stored| ReplyLaneBeforeMove {
        stored,
        mismatch: None,
        behind: Behind::Nothing,
    });
    Ok(BeforeMove {
        members: Vec::new(),
        requests: requests.collect(),
        beyond: Vec::new(),
        replies: replies.collect(),
        campaigns: CampaignPages::new(stores.campaigns).all().await?,
    })
}

/// Whether the request log must be drained.
enum RequestLog {
    /// Nothing: the database has left it, in these lanes.
    Left(Vec<(Lane, StoredLane)>),
    /// All of it: a lane for each of the database, and these beyond them.
    Read {
        /// The lanes that the database does not have.
        beyond: Range<u16>,
    },
}

async fn look(cluster: &dyn Cluster, stores: MoveStores<'_>) -> Result<BeforeMove, LaneError> {
    let log = request_log(cluster, stores.lanes).await?;
    // What was read since the backup would be lost with the log.
    check_age(cluster, stores.lanes.restores).await?;
    // Asks for the members first. Without members, no position moves.
    let members = cluster.members().await;
    let members = members.map_err(LaneError::logs("could not look at the consumers' group"))?;
    let campaigns = CampaignPages::new(stores.campaigns).all().await?;
    let (requests, beyond, seen_replies) = match log {
        // The cluster is not asked: the log may not even have a lane for each of the database.
        RequestLog::Left(known) => {
            let left = |(lane, stored)| {
                let (mismatch, behind) = (Some(Mismatch::LeftLog), Behind::Nothing);
                LaneBeforeMove { lane, stored, mismatch, behind }
            };
            let requests: Vec<_> = known.into_iter().map(left).collect();
            (requests, Vec::new(), see_replies(cluster, stores.lanes).await?)
        }
        RequestLog::Read { beyond } => {
            let seen = stores.lanes.look(cluster).await?;
            join(seen.unclear().map(|unclear| unclear.to_string()))?;
            let beyond = records_beyond(cluster, beyond).await?;
            (requests(cluster, seen.requests).await?, beyond, seen.replies)
        }
    };
    let replies = replies(cluster, seen_replies).await?;
    Ok(BeforeMove { members, requests, beyond, replies, campaigns })
}

/// Checks that the logs are there. Checks that the request log has a lane for each of the database,
/// unless the database has left it in every lane: then nothing in it is ever read.
async fn request_log(
    cluster: &dyn Cluster,
    stores: LaneStores<'_>,
) -> Result<RequestLog, LaneError> {
    let problems = cluster.problems().await;
    let problems = problems.map_err(LaneError::logs("could not look at the topics"))?;
    let known = stores.acceptances.request_lanes().await?;
    let lanes = u16::try_from(known.len()).unwrap_or(u16::MAX);
    let (mut beyond, mut too_few) = (lanes..lanes, None);
    for problem in problems {
        match problem.kind {
            LogProblemKind::OtherLanes { found } if lanes < found => beyond = lanes..found,
            LogProblemKind::OtherLanes { .. } => too_few = Some(problem),
            // The database leaves the log of dead letters, too.
            LogProblemKind::FewerDeadLetterLanes => {}
            LogProblemKind::Other => return Err(LaneError::Misfit(problem.line)),
        }
    }
    let log = cluster.identity();
    if known.iter().all(|(_, lane)| matches!(lane.place_in(log), Err(Mismatch::LeftLog))) {
        return Ok(RequestLog::Left(known));
    }
    match too_few {
        Some(problem) => Err(LaneError::Misfit(problem.line)),
        None => Ok(RequestLog::Read { beyond }),
    }
}

/// Looks at the reply lanes alone.
async fn see_replies(
    logs: &dyn LogInspection,
    stores: LaneStores<'_>,
) -> Result<Vec<SeenReplyLane>, LaneError> {
    let replies = stores.acceptances.reply_lanes().await?;
    let log = logs.reply_log().await.map_err(LaneError::logs(REPLIES))?;
    Ok(replies.into_iter().map(|stored| SeenReplyLane::new(stored, log)).collect())
}

const REQUESTS: &str = "could not look at the request topic";
const REPLIES: &str = "could not look at the reply topic";

/// The lanes among these that hold records, and the first record of each.
async fn records_beyond(
    logs: &dyn LogInspection,
    lanes: Range<u16>,
) -> Result<Vec<(Lane, Position)>, LaneError> {
    if lanes.is_empty() {
        return Ok(Vec::new());
    }
    let from_start: Vec<_> = lanes.map(|number| (Lane(number), Position(0))).collect();
    let found = logs.request_logs(&from_start).await.map_err(LaneError::logs(REQUESTS))?;
    let mut records = Vec::new();
    for (lane, _) in from_start {
        let any_lane = AnyLane::Requests(lane);
        let Some(log) = found.get(&lane) else {
            let unclear = UnclearLane { lane: any_lane, why: Unclear::Unseen };
            return Err(LaneError::Misfit(unclear.to_string()));
        };
        let behind = logs.behind(any_lane, log.first).await;
        let attempt = format!("could not look at partition {lane}");
        match behind.map_err(LaneError::logs(attempt))? {
            Behind::Nothing => {}
            Behind::Records => records.push((lane, log.first)),
            Behind::OpenTransaction { from } => records.push((lane, from)),
        }
    }
    Ok(records)
}

/// The request lanes, each with what stands behind the last request that was applied.
async fn requests(
    logs: &dyn LogInspection,
    seen: Vec<SeenLane>,
) -> Result<Vec<LaneBeforeMove>, LaneError> {
    let ends = logs.request_ends().await.map_err(LaneError::logs(REQUESTS))?;
    let mut requests = Vec::with_capacity(seen.len());
    for SeenLane { lane, stored, comparison, .. } in seen {
        let behind = match stored.place_in(logs.identity()) {
            // Nothing stands there, not even in an open transaction.
            Ok((_, applied)) if ends.get(&lane) == Some(&applied) => Behind::Nothing,
            Ok((_, applied)) => {
                let behind = logs.behind(AnyLane::Requests(lane), applied).await;
                behind.map_err(LaneError::logs(format!("could not look at lane {lane}")))?
            }
            Err(_) => Behind::Nothing,
        };
        let mismatch = comparison.mismatch().cloned();
        requests.push(LaneBeforeMove { lane, stored, mismatch, behind });
    }
    Ok(requests)
}

/// The reply lanes, each with what stands behind the last reply that was recorded.
async fn replies(
    logs: &dyn LogInspection,
    seen: Vec<SeenReplyLane>,
) -> Result<Vec<ReplyLaneBeforeMove>, LaneError> {
    let (_, ends) = logs.reply_ends().await.map_err(LaneError::logs(REPLIES))?;
    let mut replies = Vec::with_capacity(seen.len());
    for SeenReplyLane { stored, comparison } in seen {
        let mismatch = comparison.mismatch().cloned();
        let recorded = stored.row.as_ref().and_then(|row| row.as_ref().ok());
        let behind = match recorded.map(|row| row.position) {
            Some(next) if mismatch.is_none() && ends.get(&stored.lane) != Some(&next) => {
                let behind = logs.behind(AnyLane::Replies(stored.lane), next).await;
                behind.map_err(LaneError::logs(REPLIES))?
            }
            _ => Behind::Nothing,
        };
        replies.push(ReplyLaneBeforeMove { stored, mismatch, behind });
    }
    Ok(replies)
}
