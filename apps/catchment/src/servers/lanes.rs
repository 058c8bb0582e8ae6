//! The lanes in database and Kafka: whether they fit each other, and taking them as they are.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, bail};
use catchment_bootstrap::service::kafka::close_lookout;
use catchment_bootstrap::service::lanes::{SeenLane, SeenLanes, SeenReplyLane};
use catchment_domain::ports::CommitLog as _;
use catchment_domain::{
    AcceptTerms, AcceptedLane, AcceptedReplyLane, AnyLane, Lane, Position, ReplyLane, Unclear,
    UnclearLane,
};
use catchment_kafka::{KafkaCluster, KafkaLookout};
use tokio::time::sleep;

use crate::commands::lanes::{AcceptOrder, Chosen, LanesInKafka, LanesToAccept};
use crate::number::counted;
use crate::stores::Stores;

/// How long to wait between two looks at lanes to accept. A broker that lagged behind has caught up
/// by then.
const BETWEEN_LOOKS: Duration = Duration::from_secs(2);

/// How often to look until two looks in a row found the same. By then a requester that was sending
/// into a lane has sent what it may, and a partition without a leader may have one again.
const LOOKS: u32 = 5;

/// Checks that the topics are there, that the database is not older than the request log, and that
/// every lane can go on.
pub(super) async fn check(cluster: &KafkaCluster, stores: &Stores) -> anyhow::Result<()> {
    super::restored::check_topics(cluster, stores).await?;
    super::restored::check_age(cluster, stores).await?;
    let seen = seen(cluster, stores).await?;
    let problems = seen.problems().map(|problem| problem.to_string());
    let said: Vec<String> =
        problems.chain(seen.unclear().map(|unclear| unclear.to_string())).collect();
    if said.is_empty() { Ok(()) } else { bail!("{}", said.join("; ")) }
}

async fn seen(cluster: &KafkaCluster, stores: &Stores) -> anyhow::Result<SeenLanes> {
    let seen = SeenLanes::look(cluster, &*stores.acceptances, Some(&*stores.ledger)).await;
    seen.context("could not look at the lanes")
}

/// What Kafka says of the lanes.
pub(super) async fn look(cluster: &KafkaCluster, stores: &Stores) -> anyhow::Result<LanesInKafka> {
    let problems = cluster.check_topics(stores.shops.lanes()).await;
    let problems = problems.context("could not look at the topics")?;
    if !problems.is_empty() {
        let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
        return Ok(LanesInKafka { topics: said, ..LanesInKafka::default() });
    }
    let seen = seen(cluster, stores).await?;
    // That a part cannot be looked at is no reason to say nothing of the rest.
    let (ends, unseen) = match cluster.reply_ends().await {
        Ok((_, ends)) => (ends, None),
        Err(error) => {
            (BTreeMap::new(), Some(format!("could not look at the reply topic: {error}")))
        }
    };
    let lookout = cluster.lookout(stores.shops.lanes())?;
    let holders = lookout.holders().await.unwrap_or_default();
    close_lookout(&lookout).await;
    let older = super::restored::check_age(cluster, stores).await.err();
    let request_ends = seen.requests.iter();
    let request_ends =
        request_ends.filter_map(|seen| Some((AnyLane::Requests(seen.lane), seen.log?.end)));
    let reply_ends = ends.into_iter().map(|(lane, end)| (AnyLane::Replies(lane), end));
    let holders = holders.into_iter().map(|(lane, holder)| (AnyLane::Requests(lane), holder));
    Ok(LanesInKafka {
        topics: older.map(|error| format!("{error:#}")).into_iter().chain(unseen).collect(),
        ends: request_ends.chain(reply_ends).collect(),
        owners: holders.collect(),
        problems: seen.problems().map(|problem| (problem.lane, problem.mismatch)).collect(),
        unclear: seen.unclear().map(|unclear| (unclear.lane, unclear.why)).collect(),
    })
}

/// The lanes that are chosen and cannot go on, and how each is taken.
pub(super) async fn to_accept(
    cluster: &KafkaCluster,
    stores: &Stores,
    order: AcceptOrder,
) -> anyhow::Result<LanesToAccept> {
    // A new epoch would hide that a backup was restored.
    super::restored::check_age(cluster, stores).await?;
    super::restored::check_topics(cluster, stores).await?;
    let lookout = cluster.lookout(stores.shops.lanes())?;
    let lanes = with_lookout((cluster, &lookout), stores, order).await;
    close_lookout(&lookout).await;
    lanes
}

async fn with_lookout(
    (cluster, lookout): (&KafkaCluster, &KafkaLookout),
    stores: &Stores,
    AcceptOrder { chosen, dry_run }: AcceptOrder,
) -> anyhow::Result<LanesToAccept> {
    let (seen, ends) = look_twice((cluster, lookout), stores).await?;
    let (requests, mut left_out) =
        requests_to_accept((cluster, lookout), (&seen, &ends), chosen).await?;
    let (replies, unclear) = replies_to_accept(cluster, &seen, chosen).await?;
    left_out.extend(unclear);
    Ok(LanesToAccept { terms: AcceptTerms { requests, replies, dry_run }, left_out })
}

/// Returns what two looks in a row found, and where each request lane ended before the second look.
/// Looks again if the two looks found different problems.
pub(super) async fn look_twice(
    (cluster, lookout): (&KafkaCluster, &KafkaLookout),
    stores: &Stores,
) -> anyhow::Result<(SeenLanes, BTreeMap<Lane, Position>)> {
    let mut before = seen(cluster, stores).await?;
    let mut look = 2;
    loop {
        if before.problems().next().is_some() || before.unclear().next().is_some() {
            sleep(BETWEEN_LOOKS).await;
        }
        // Asked for before the look: if what may be read ends earlier even then, a transaction is
        // open.
        let ends = lookout.ends(stores.shops.lanes()).await;
        let ends = ends.context("could not look at the request topic")?.into_iter().collect();
        let now = seen(cluster, stores).await?;
        let confirmed = now.clone().confirmed_by(&before);
        if look == LOOKS || confirmed.unclear().next().is_none() {
            return Ok((confirmed, ends));
        }
        (before, look) = (now, look + 1);
    }
}

/// The request lanes that are chosen and cannot go on, and those of which that is not known.
async fn requests_to_accept(
    (cluster, lookout): (&KafkaCluster, &KafkaLookout),
    (seen, ends): (&SeenLanes, &BTreeMap<Lane, Position>),
    chosen: Chosen,
) -> anyhow::Result<(Vec<AcceptedLane>, Vec<UnclearLane>)> {
    let lanes: Vec<&SeenLane> = match chosen {
        Chosen::Request(lane) => vec![find_request(seen, lane)?],
        Chosen::All => seen.requests.iter().filter(|seen| !seen.comparison.is_fine()).collect(),
        Chosen::Reply(_) | Chosen::AllReplies => return Ok((Vec::new(), Vec::new())),
    };
    if lanes.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    let committed = lookout.committed().await;
    let committed = committed.context("could not ask Kafka what the consumers have committed")?;
    let (mut accepted, mut left_out) = (Vec::with_capacity(lanes.len()), Vec::new());
    for seen in lanes {
        let lane = seen.lane;
        match seen.taken(committed.get(&lane).copied(), ends.get(&lane).copied()) {
            Ok(Some(taken)) => accepted.push(taken),
            Ok(None) => bail!(
                "lane {lane} works: its partition holds what was applied, and everything that was \
                 applied can be answered"
            ),
            Err(why) => left_out.push(UnclearLane { lane: AnyLane::Requests(lane), why }),
        }
    }
    let accepted = with_last_records(cluster, accepted, &mut left_out).await?;
    Ok((accepted, left_out))
}

/// Adds the record before the position where each lane goes on. A lane that does not show it now is
/// left out.
async fn with_last_records(
    cluster: &KafkaCluster,
    accepted: Vec<AcceptedLane>,
    left_out: &mut Vec<UnclearLane>,
) -> anyhow::Result<Vec<AcceptedLane>> {
    if accepted.is_empty() {
        return Ok(accepted);
    }
    let places = accepted.iter().map(|taken| (taken.lane, taken.acceptance.applied_next));
    let logs = cluster.request_logs(&places.collect::<Vec<_>>()).await;
    let logs = logs.context("could not look at the request topic")?;
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

fn find_request(seen: &SeenLanes, lane: Lane) -> anyhow::Result<&SeenLane> {
    let count = seen.requests.len();
    let found = seen.requests.iter().find(|seen| seen.lane == lane);
    found.with_context(|| format!("there is no lane {lane}: the database has {count}, from 0 on"))
}

/// The reply lanes that are chosen and cannot go on, and those of which that is not known.
async fn replies_to_accept(
    cluster: &KafkaCluster,
    seen: &SeenLanes,
    chosen: Chosen,
) -> anyhow::Result<(Vec<AcceptedReplyLane>, Vec<UnclearLane>)> {
    let lanes: Vec<&SeenReplyLane> = match chosen {
        Chosen::Request(_) => return Ok((Vec::new(), Vec::new())),
        Chosen::Reply(lane) => vec![find_reply(seen, lane)?],
        Chosen::All | Chosen::AllReplies => {
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
    let (log, ends) = cluster.reply_ends().await.context("could not look at the reply topic")?;
    let accepted = |SeenReplyLane { stored, .. }: &SeenReplyLane| {
        let end = ends.get(&stored.lane).copied();
        AcceptedReplyLane { stored: stored.clone(), log, end }
    };
    Ok((lanes.into_iter().map(accepted).collect(), left_out))
}

/// A reply lane that may be taken.
fn find_reply(seen: &SeenLanes, lane: ReplyLane) -> anyhow::Result<&SeenReplyLane> {
    let (_, partitions) = seen.reply_log;
    match seen.replies.iter().find(|seen| seen.stored.lane == lane) {
        Some(seen) if !seen.comparison.is_fine() => Ok(seen),
        Some(_) => bail!("reply lane {lane} works: there is nothing to accept"),
        None if lane.0 < partitions => {
            bail!("nobody has read reply lane {lane} yet: there is nothing to accept")
        }
        None => bail!(
            "there is no reply lane {lane}: the reply topic has {}, from 0 on",
            counted(partitions.into(), "partition")
        ),
    }
}
