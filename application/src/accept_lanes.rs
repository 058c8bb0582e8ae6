//! Lets lanes go on that do not fit their logs, and says what is given up.

use std::collections::BTreeMap;

use catchment_domain::ports::{Acceptances, Cluster, StoreError};
use catchment_domain::{
    AcceptTerms, Accepted, AcceptedLane, AcceptedReplyLane, AnyLane, Committed, Lane, LogIdentity,
    Position, ReplyLane, RequestLaneLog, StoredLane, StoredReplyLane, Unclear, UnclearLane,
    acceptance_of,
};

use crate::check_lanes::{COMMITTED, LaneStores, check_age};
use crate::compare_lanes::{SeenLane, SeenLanes, SeenReplyLane};
use crate::error::NotFound;
use crate::lane_error::{LaneError, fail_for};

/// The lanes that are to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChosenLanes {
    /// One of requests.
    Request(Lane),
    /// One of replies.
    Reply(ReplyLane),
    /// Every lane that cannot go on.
    All,
    /// Every lane of replies that cannot go on.
    AllReplies,
}

impl ChosenLanes {
    fn has(self, lane: AnyLane) -> bool {
        match (self, lane) {
            (Self::Request(chosen), AnyLane::Requests(lane)) => chosen == lane,
            (Self::Reply(chosen), AnyLane::Replies(lane)) => chosen == lane,
            (Self::All, _) | (Self::AllReplies, AnyLane::Replies(_)) => true,
            (Self::Request(_) | Self::Reply(_) | Self::AllReplies, _) => false,
        }
    }
}

/// The lanes to accept.
#[derive(Debug)]
pub struct LanesToAccept {
    /// How each lane is accepted, and what is given up.
    pub terms: AcceptTerms,
    /// The chosen lanes of which it is not known now whether, or where, they can go on.
    pub left_out: Vec<UnclearLane>,
}

/// Returns the chosen lanes that cannot go on, and how each is taken. Changes nothing.
///
/// # Errors
///
/// When the chosen lane works, the database is older than the request log, a topic is missing, or the
/// cluster or the database do not answer.
pub async fn lanes_to_accept(
    stores: LaneStores<'_>,
    cluster: &dyn Cluster,
    (chosen, dry_run): (ChosenLanes, bool),
) -> Result<LanesToAccept, LaneError> {
    // A new epoch would hide that a backup was restored.
    check_age(cluster, stores.restores).await?;
    fail_for(cluster.problems().await)?;
    let (seen, ends) = stores.look_twice(cluster).await?;
    let (requests, mut left_out) = requests_to_accept(cluster, (&seen, &ends), chosen).await?;
    let (replies, unclear) = replies_to_accept(cluster, &seen, chosen).await?;
    left_out.extend(unclear);
    Ok(LanesToAccept { terms: AcceptTerms { requests, replies, dry_run }, left_out })
}

/// Returns the chosen rows of an embedded database that are gone or cannot be read, to be made anew.
/// Nothing else can differ: its logs are in memory and begin with each process.
///
/// # Errors
///
/// When the chosen lane works, or the database does not answer.
pub async fn embedded_lanes_to_accept(
    acceptances: &dyn Acceptances,
    (chosen, dry_run): (ChosenLanes, bool),
) -> Result<LanesToAccept, LaneError> {
    // The next process that works with a lane begins a log of its own.
    let log = RequestLaneLog {
        log: LogIdentity::NONE,
        first: Position(0),
        end: Position(0),
        before: None,
        without_receipt: None,
    };
    let request = |(lane, stored): (Lane, StoredLane)| {
        let is_lost = stored.mismatch().is_some() && chosen.has(AnyLane::Requests(lane));
        let acceptance = acceptance_of(&stored, &log, None).filter(|_| is_lost)?;
        Some(AcceptedLane { lane, stored, committed: None, acceptance, last_id: None })
    };
    let reply = |stored: StoredReplyLane| {
        let is_lost = matches!(stored.row, Some(Err(_)));
        let is_taken = is_lost && chosen.has(AnyLane::Replies(stored.lane));
        let (log, end) = (LogIdentity::NONE, Some(Position(0)));
        is_taken.then_some(AcceptedReplyLane { stored, log, end })
    };
    let requests = acceptances.request_lanes().await?;
    let (count, is_request) =
        (requests.len(), |wanted| requests.iter().any(|(lane, _)| *lane == wanted));
    let replies = acceptances.reply_lanes().await?;
    let is_reply = |wanted| replies.iter().any(|stored| stored.lane == wanted);
    match chosen {
        ChosenLanes::Request(lane) if !is_request(lane) => return Err(no_lane(lane, count)),
        ChosenLanes::Reply(lane) if !is_reply(lane) => {
            return Err(NotFound::new(AnyLane::Replies(lane).to_string()).into());
        }
        ChosenLanes::Request(_)
        | ChosenLanes::Reply(_)
        | ChosenLanes::All
        | ChosenLanes::AllReplies => {}
    }
    let requests: Vec<AcceptedLane> = requests.into_iter().filter_map(request).collect();
    let replies: Vec<AcceptedReplyLane> = replies.into_iter().filter_map(reply).collect();
    match chosen {
        ChosenLanes::Request(lane) if requests.is_empty() => {
            return Err(works(AnyLane::Requests(lane)));
        }
        ChosenLanes::Reply(lane) if replies.is_empty() => {
            return Err(works(AnyLane::Replies(lane)));
        }
        _ => {}
    }
    let terms = AcceptTerms { requests, replies, dry_run };
    Ok(LanesToAccept { terms, left_out: Vec::new() })
}

fn works(lane: AnyLane) -> LaneError {
    LaneError::Conflict(format!("{lane} works: there is nothing to accept"))
}

/// A chosen lane of requests that the database does not have.
fn no_lane(lane: Lane, count: usize) -> LaneError {
    NotFound::new(format!("lane {lane}: the database has {count}, from 0 on")).into()
}

/// Takes the lanes as they are.
///
/// # Errors
///
/// When a lane works again by now, or the database does not answer.
pub async fn accept_lanes(
    acceptances: &dyn Acceptances,
    terms: &AcceptTerms,
) -> Result<Accepted, LaneError> {
    acceptances.accept(terms).await.map_err(|source| match source {
        StoreError::Fenced => LaneError::Unknown(
            "the database did not answer, so it is not known whether the lanes were taken: see \
             `catchment lanes list`",
        ),
        source => LaneError::Database { attempt: "nothing was changed", source },
    })
}

/// The request lanes that are chosen and cannot go on, and those of which that is not known.
async fn requests_to_accept(
    cluster: &dyn Cluster,
    (seen, ends): (&SeenLanes, &BTreeMap<Lane, Position>),
    chosen: ChosenLanes,
) -> Result<(Vec<AcceptedLane>, Vec<UnclearLane>), LaneError> {
    let lanes: Vec<&SeenLane> = match chosen {
        ChosenLanes::Request(lane) => vec![find_request(seen, lane)?],
        ChosenLanes::All => {
            seen.requests.iter().filter(|seen| !seen.comparison.is_fine()).collect()
        }
        ChosenLanes::Reply(_) | ChosenLanes::AllReplies => return Ok((Vec::new(), Vec::new())),
    };
    if lanes.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    let committed = cluster.committed().await.map_err(LaneError::logs(COMMITTED))?;
    let (mut accepted, mut left_out) = (Vec::with_capacity(lanes.len()), Vec::new());
    for seen in lanes {
        let lane = seen.lane;
        let committed: Option<Committed> = committed.get(&lane).copied();
        match seen.taken(committed, ends.get(&lane).copied()) {
            Ok(Some(taken)) => accepted.push(taken),
            Ok(None) => return Err(works(AnyLane::Requests(lane))),
            Err(why) => left_out.push(UnclearLane { lane: AnyLane::Requests(lane), why }),
        }
    }
    let accepted = with_last_records(cluster, accepted, &mut left_out).await?;
    Ok((accepted, left_out))
}

/// Adds the record before the position where each lane goes on. A lane that does not show it now is
/// left out.
async fn with_last_records(
    cluster: &dyn Cluster,
    accepted: Vec<AcceptedLane>,
    left_out: &mut Vec<UnclearLane>,
) -> Result<Vec<AcceptedLane>, LaneError> {
    if accepted.is_empty() {
        return Ok(accepted);
    }
    let places = accepted.iter().map(|taken| (taken.lane, taken.acceptance.applied_next));
    let logs = cluster.request_logs(&places.collect::<Vec<_>>()).await;
    let logs = logs.map_err(LaneError::logs("could not look at the request topic"))?;
    let mut complete = Vec::with_capacity(accepted.len());
    for taken in accepted {
        let log = logs.get(&taken.lane).ok_or(Unclear::Unseen);
        match log.and_then(|log| taken.clone().behind_the_record_in(log)) {
            Ok(taken) => complete.push(taken),
            Err(why) => left_out.push(UnclearLane { lane: AnyLane::Requests(taken.lane), why }),
        }
    }
    Ok(complete)
}

fn find_request(seen: &SeenLanes, lane: Lane) -> Result<&SeenLane, LaneError> {
    let found = seen.requests.iter().find(|seen| seen.lane == lane);
    found.ok_or_else(|| no_lane(lane, seen.requests.len()))
}

/// The reply lanes that are chosen and cannot go on, and those of which that is not known.
async fn replies_to_accept(
    cluster: &dyn Cluster,
    seen: &SeenLanes,
    chosen: ChosenLanes,
) -> Result<(Vec<AcceptedReplyLane>, Vec<UnclearLane>), LaneError> {
    let lanes: Vec<&SeenReplyLane> = match chosen {
        ChosenLanes::Request(_) => return Ok((Vec::new(), Vec::new())),
        ChosenLanes::Reply(lane) => vec![find_reply(seen, lane)?],
        ChosenLanes::All | ChosenLanes::AllReplies => {
            seen.replies.iter().filter(|seen| !seen.comparison.is_fine()).collect()
        }
    };
    let unclear = |seen: &&SeenReplyLane| {
        let (lane, why) = (AnyLane::Replies(seen.stored.lane), seen.comparison.unclear()?);
        Some(UnclearLane { lane, why })
    };
    let left_out: Vec<UnclearLane> = lanes.iter().filter_map(unclear).collect();
    let lanes = lanes.into_iter().filter(|seen| seen.comparison.unclear().is_none());
    let lanes: Vec<&SeenReplyLane> = lanes.collect();
    if lanes.is_empty() {
        return Ok((Vec::new(), left_out));
    }
    let ends = cluster.reply_ends().await;
    let (log, ends) = ends.map_err(LaneError::logs("could not look at the reply topic"))?;
    let accepted = |SeenReplyLane { stored, .. }: &SeenReplyLane| {
        let end = ends.get(&stored.lane).copied();
        AcceptedReplyLane { stored: stored.clone(), log, end }
    };
    Ok((lanes.into_iter().map(accepted).collect(), left_out))
}

/// A reply lane that may be taken.
fn find_reply(seen: &SeenLanes, lane: ReplyLane) -> Result<&SeenReplyLane, LaneError> {
    let (_, count) = seen.reply_log;
    let conflict = |what: String| Err(LaneError::Conflict(what));
    match seen.replies.iter().find(|seen| seen.stored.lane == lane) {
        Some(seen) if !seen.comparison.is_fine() => Ok(seen),
        Some(_) => Err(works(AnyLane::Replies(lane))),
        None if lane.0 < count => {
            conflict(format!("nobody has read reply lane {lane} yet: there is nothing to accept"))
        }
        None => {
            let plural = if count == 1 { "" } else { "s" };
            let count = format!("the reply topic has {count} partition{plural}, from 0 on");
            Err(NotFound::new(format!("reply lane {lane}: {count}")).into())
        }
    }
}
