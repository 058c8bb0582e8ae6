//! After a backup of the database was put back, while Kafka kept everything.

use std::time::Duration;

use anyhow::{Context as _, bail};
use catchment_bootstrap::service::topics::{self, AgeError};
use catchment_domain::ports::CommitLog as _;
use catchment_domain::{LaneProgress, Lanes, LostTime, RestoreTerms};
use catchment_kafka::{KafkaCluster, KafkaLookout};

use crate::commands::database::AfterRestore;
use crate::stores::Stores;

/// How long a client may take to end that has nothing under way.
const TO_CLOSE: Duration = Duration::from_millis(500);

/// Checks that the database is not older than what the consumers have committed.
///
/// # Errors
///
/// When it is, or the brokers or the database do not answer.
pub(super) async fn check_age(cluster: &KafkaCluster, stores: &Stores) -> anyhow::Result<()> {
    let lookout = cluster.lookout(stores.shops.lanes())?;
    let checked = topics::check_age(&lookout, &*stores.restores).await;
    lookout.close(TO_CLOSE).await;
    checked.map_err(|error| match error {
        AgeError::Older(older) => older.into(),
        error => error.into(),
    })
}

/// Makes the database true again.
///
/// # Errors
///
/// When services are at work, or the brokers or the database do not answer.
pub(super) async fn restored(
    cluster: &KafkaCluster,
    stores: &Stores,
    dry_run: bool,
) -> anyhow::Result<AfterRestore> {
    let lookout = cluster.lookout(stores.shops.lanes())?;
    let done = with_lookout((cluster, &lookout), stores, dry_run).await;
    lookout.close(TO_CLOSE).await;
    done
}

async fn with_lookout(
    (cluster, lookout): (&KafkaCluster, &KafkaLookout),
    stores: &Stores,
    dry_run: bool,
) -> anyhow::Result<AfterRestore> {
    let members = lookout.members().await.context("could not look at the consumers' group")?;
    // Replies that one of them has sent and that are under way would count.
    if let Some(member) = members.first() {
        bail!(
            "a consumer is at work ({member}): stop all consumers; one that was killed leaves the \
             group after `kafka.session_timeout`"
        );
    }
    let committed = lookout.committed().await.context("could not ask what was committed")?;
    let lanes = stores.restores.lanes().await?;
    let known = stores.restores.newest().await?;
    check_lanes(&lanes, stores.shops.lanes(), lookout)?;
    let (mut lost, mut gone) = (LostTime::since(known), Vec::new());
    for lane in &lanes {
        let visited = cluster.visit_requests(lane.lane, lane.applied_next, |r| lost.add(r)).await;
        let missing = visited.with_context(|| format!("could not read lane {}", lane.lane))?;
        gone.extend((0 < missing).then_some((lane.lane, missing)));
    }
    // Behind the requests: whatever was answered until now is not read again.
    let replies = cluster.reply_ends().await.context("could not look at the replies")?;
    let requests = lost.requests();
    let terms = RestoreTerms { requests: (lookout.identity(), committed), replies, lost, dry_run };
    let restored = stores.restores.restored(&terms).await?;
    Ok(AfterRestore { restored, requests, gone })
}

/// Every lane can be read, and its positions belong to these topics.
fn check_lanes(
    lanes: &[LaneProgress],
    expected: Lanes,
    lookout: &KafkaLookout,
) -> anyhow::Result<()> {
    if lanes.len() != usize::from(expected.count()) {
        bail!("a lane's row cannot be read: see `catchment audit`");
    }
    for LaneProgress { lane, log, .. } in lanes {
        if log.is_some_and(|log| log.id != lookout.identity().id) {
            bail!(
                "lane {lane} was read in another topic or cluster: use the one that it belongs to"
            );
        }
    }
    Ok(())
}
