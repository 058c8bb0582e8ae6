//! The lanes in database and Kafka: whether they fit each other, and taking them as they are.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, bail};
use catchment_bootstrap::service::lanes::{SeenLane, SeenLanes, SeenReplyLane};
use catchment_domain::ports::{CommitLog as _, StoreError};
use catchment_domain::{
    AcceptTerms, AcceptedLane, AcceptedReplyLane, AnyLane, Lane, Position, acceptance_of,
};
use catchment_kafka::{ClusterError, KafkaCluster, KafkaLookout, TopicProblem};
use tokio::time::sleep;

use crate::commands::lanes::{AcceptOrder, AcceptedLanes, Chosen, LanesInKafka, LanesMisfit};
use crate::stores::Stores;

/// How long an idle client may take to end.
const TO_CLOSE: Duration = Duration::from_millis(500);

/// How long to wait between two looks at lanes that are to be taken as they are. By then a broker
/// that was behind has caught up.
const BETWEEN_LOOKS: Duration = Duration::from_secs(2);

/// Checks that the database is not older than the request log, and that every lane can go on. A topic
/// that is missing holds nothing that could differ.
pub(super) async fn check(cluster: &KafkaCluster, stores: &Stores) -> anyhow::Result<()> {
    super::restored::check_age(cluster, stores).await?;
    let problems = cluster.check_topics(stores.shops.lanes()).await;
    let problems = problems.context("could not look at the topics")?;
    let is_missing = |problem: &TopicProblem| matches!(problem, TopicProblem::Missing { .. });
    if problems.iter().any(|problem| !is_missing(problem)) {
        let said = problems.iter().filter(|problem| !is_missing(problem)).map(ToString::to_string);
        return Err(LanesMisfit(said.collect::<Vec<_>>().join("; ")).into());
    }
    if !problems.is_empty() {
        return Ok(());
    }
    let seen = seen(cluster, stores).await?;
    let said: Vec<String> = seen.problems().map(|problem| problem.to_string()).collect();
    if said.is_empty() { Ok(()) } else { Err(LanesMisfit(said.join("; ")).into()) }
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
    let (_, ends) = cluster.reply_ends().await.context("could not look at the reply topic")?;
    let lookout = cluster.lookout(stores.shops.lanes())?;
    // That the group cannot be looked at is no reason to say nothing of the lanes.
    let holders = lookout.holders().await.unwrap_or_default();
    lookout.close(TO_CLOSE).await;
    let older = super::restored::check_age(cluster, stores).await.err();
    let request_ends = seen.requests.iter();
    let request_ends =
        request_ends.filter_map(|seen| Some((AnyLane::Requests(seen.lane), seen.log?.end)));
    let reply_ends = ends.into_iter().map(|(lane, end)| (AnyLane::Replies(lane), end));
    let holders = holders.into_iter().map(|(lane, holder)| (AnyLane::Requests(lane), holder));
    Ok(LanesInKafka {
        topics: older.map(|error| format!("{error:#}")).into_iter().collect(),
        ends: request_ends.chain(reply_ends).collect(),
        owners: holders.collect(),
        problems: seen.problems().map(|problem| (problem.lane, problem.mismatch)).collect(),
    })
}

/// Takes lanes as they are.
pub(super) async fn accept(
    cluster: &KafkaCluster,
    stores: &Stores,
    order: AcceptOrder,
) -> anyhow::Result<AcceptedLanes> {
    // A new epoch would hide that a backup was restored.
    super::restored::check_age(cluster, stores).await?;
    let problems = cluster.check_topics(stores.shops.lanes()).await;
    let problems = problems.context("could not look at the topics")?;
    if let Some(problem) = problems.first() {
        bail!("{problem}");
    }
    let lookout = cluster.lookout(stores.shops.lanes())?;
    let terms = terms_of((cluster, &lookout), stores, order).await;
    lookout.close(TO_CLOSE).await;
    let terms = terms?;
    if terms.requests.is_empty() && terms.replies.is_empty() {
        return Ok(AcceptedLanes::default());
    }
    // Should this be killed before the transaction is committed, nothing was changed.
    let accepted = match stores.acceptances.accept(&terms).await {
        Err(StoreError::Fenced) => bail!(
            "the database did not answer, so it is not known whether the lanes were taken: see \
             `catchment lanes list`"
        ),
        accepted => accepted?,
    };
    Ok(AcceptedLanes { requests: terms.requests, replies: terms.replies, accepted })
}

/// Looks twice at the lanes, and says how those go on that are chosen and that cannot go on by both
/// looks.
async fn terms_of(
    (cluster, lookout): (&KafkaCluster, &KafkaLookout),
    stores: &Stores,
    AcceptOrder { chosen, dry_run }: AcceptOrder,
) -> anyhow::Result<AcceptTerms> {
    let before = seen(cluster, stores).await?;
    if before.problems().next().is_some() {
        sleep(BETWEEN_LOOKS).await;
    }
    // Asked for before the second look: if what may be read ends earlier even then, a transaction
    // is open.
    let ends = lookout.ends(stores.shops.lanes()).await;
    let ends: BTreeMap<Lane, Position> =
        ends.context("could not look at the request topic")?.into_iter().collect();
    let seen = seen(cluster, stores).await?.confirmed_by(&before);
    let requests = requests_to_accept(&seen, (lookout, &ends), chosen).await?;
    let replies = replies_to_accept(cluster, &seen, chosen).await?;
    Ok(AcceptTerms { requests, replies, dry_run })
}

/// The request lanes that are chosen, and where each goes on.
async fn requests_to_accept(
    seen: &SeenLanes,
    (lookout, ends): (&KafkaLookout, &BTreeMap<Lane, Position>),
    chosen: Chosen,
) -> anyhow::Result<Vec<AcceptedLane>> {
    let lanes: Vec<&SeenLane> = match chosen {
        Chosen::Request(lane) => vec![find_request(seen, lane)?],
        Chosen::All => seen.requests.iter().filter(|seen| differs(seen)).collect(),
        Chosen::Reply(_) | Chosen::AllReplies => return Ok(Vec::new()),
    };
    if lanes.is_empty() {
        return Ok(Vec::new());
    }
    let committed = lookout.committed().await;
    let committed = committed.context("could not ask Kafka what the consumers have committed")?;
    let mut accepted = Vec::with_capacity(lanes.len());
    for seen in lanes {
        let SeenLane { lane, stored, log, .. } = seen;
        let Some(log) = log else { bail!("the partition of lane {lane} has no leader now") };
        let committed = committed.get(lane).copied();
        let acceptance = acceptance_of(stored, log, committed).filter(|_| differs(seen));
        let Some(acceptance) = acceptance else {
            bail!(
                "lane {lane} works: its partition holds what was applied, and everything that was \
                 applied can be answered"
            );
        };
        if ends.get(lane).is_some_and(|end| log.end < *end) {
            // Its records would be applied, and nobody would have been told.
            return Err(ClusterError::OpenTransaction { lane: *lane, from: log.end }.into());
        }
        let (lane, stored, last_id) = (*lane, stored.clone(), None);
        accepted.push(AcceptedLane { lane, stored, committed, acceptance, last_id });
    }
    Ok(accepted)
}

fn differs(seen: &SeenLane) -> bool {
    seen.comparison.mismatch().is_some()
}

fn find_request(seen: &SeenLanes, lane: Lane) -> anyhow::Result<&SeenLane> {
    let count = seen.requests.len();
    let found = seen.requests.iter().find(|seen| seen.lane == lane);
    found.with_context(|| format!("there is no lane {lane}: the database has {count}, from 0 on"))
}

/// The reply lanes that are chosen, and where each goes on.
async fn replies_to_accept(
    cluster: &KafkaCluster,
    seen: &SeenLanes,
    chosen: Chosen,
) -> anyhow::Result<Vec<AcceptedReplyLane>> {
    let mut lanes = seen.replies.iter().filter(|seen| seen.comparison.mismatch().is_some());
    let lanes: Vec<&SeenReplyLane> = match chosen {
        Chosen::Request(_) => return Ok(Vec::new()),
        Chosen::All | Chosen::AllReplies => lanes.collect(),
        Chosen::Reply(lane) => {
            let found = lanes.find(|seen| seen.stored.lane == lane);
            vec![found.with_context(|| {
                format!("reply lane {lane} works, or nobody has read it yet: it needs nothing")
            })?]
        }
    };
    if lanes.is_empty() {
        return Ok(Vec::new());
    }
    let (log, ends) = cluster.reply_ends().await.context("could not look at the reply topic")?;
    let accepted = |SeenReplyLane { stored, .. }: &SeenReplyLane| {
        let end = ends.get(&stored.lane).copied();
        AcceptedReplyLane { stored: stored.clone(), log, end }
    };
    Ok(lanes.into_iter().map(accepted).collect())
}
