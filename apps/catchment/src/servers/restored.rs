//! The database after a backup was restored, while Kafka kept every record.

use anyhow::{Context as _, bail};
use catchment_bootstrap::service::kafka::close_lookout;
use catchment_bootstrap::service::lanes::SeenLane;
use catchment_bootstrap::service::topics;
use catchment_domain::ports::{CommitLog as _, StoreError};
use catchment_domain::{
    AnyLane, LaneProblem, NoPlace, Position, RestoreTerms, SinceBackup, UnclearLane,
    requests_since_backup,
};
use catchment_kafka::{KafkaCluster, KafkaLookout};

use crate::commands::database::AfterRestore;
use crate::stores::Stores;

/// Checks that our own topics are there and have the right number of partitions.
///
/// # Errors
///
/// When they are not, or the brokers do not answer.
pub(super) async fn check_topics(cluster: &KafkaCluster, stores: &Stores) -> anyhow::Result<()> {
    let problems = cluster.check_topics(stores.shops.lanes()).await;
    let problems = problems.context("could not look at the topics")?;
    let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
    if said.is_empty() { Ok(()) } else { bail!("{}", said.join("; ")) }
}

/// Checks that the database is not older than what the consumers have committed.
///
/// # Errors
///
/// When it is older, or the brokers or the database do not answer.
pub(super) async fn check_age(cluster: &KafkaCluster, stores: &Stores) -> anyhow::Result<()> {
    let lookout = cluster.lookout(stores.shops.lanes())?;
    let checked = topics::check_age(&lookout, &*stores.restores).await;
    close_lookout(&lookout).await;
    Ok(checked?)
}

/// Makes the ledger of a restored database true again.
///
/// # Errors
///
/// When services are at work, the topics belong to another database, the brokers or the database do
/// not answer, or it is not known now whether a lane fits its log.
pub(super) async fn restored(
    cluster: &KafkaCluster,
    stores: &Stores,
    dry_run: bool,
) -> anyhow::Result<AfterRestore> {
    check_topics(cluster, stores).await?;
    let lookout = cluster.lookout(stores.shops.lanes())?;
    let done = with_lookout((cluster, &lookout), stores, dry_run).await;
    close_lookout(&lookout).await;
    done
}

async fn with_lookout(
    (cluster, lookout): (&KafkaCluster, &KafkaLookout),
    stores: &Stores,
    dry_run: bool,
) -> anyhow::Result<AfterRestore> {
    // A consumer of the time before may still send replies that would count.
    let members = lookout.members().await.context("could not look at the consumers' group")?;
    if let Some(member) = members.first() {
        bail!(
            "stop all consumers: {member} is in the consumers' group; a consumer that was killed \
             leaves it after `kafka.session_timeout`"
        );
    }
    let committed = lookout.committed().await;
    let committed = committed.context("could not ask Kafka what the consumers have committed")?;
    // A broker that is behind can show a problem that is none.
    let (seen, _) = super::lanes::look_twice((cluster, lookout), stores).await?;
    let (mut since_backup, mut gone) =
        (SinceBackup::new(stores.restores.known().await?), Vec::new());
    let mut left_out = Vec::new();
    for SeenLane { lane, stored, comparison, .. } in &seen.requests {
        let next = match requests_since_backup(stored, comparison, lookout.identity()) {
            Ok(next) => next,
            Err(NoPlace::Differs(mismatch)) => {
                left_out.push(LaneProblem::of(*lane, mismatch));
                continue;
            }
            Err(NoPlace::Unclear(why)) => {
                bail!("{}", UnclearLane { lane: AnyLane::Requests(*lane), why })
            }
        };
        let add = |record: &_| since_backup.add(record);
        let missing = cluster.visit_requests(*lane, next, add).await;
        let missing = missing.with_context(|| format!("could not read lane {lane}"))?;
        gone.extend((0 < missing).then_some((*lane, missing)));
    }
    let requests = since_backup.requests();
    for LaneProblem { lane, .. } in &left_out {
        // Nothing says which of its requests are older than the backup. All of them show what was
        // given out, and none of them is applied again for certain.
        let AnyLane::Requests(lane) = *lane else { continue };
        let read = cluster.visit_requests(lane, Position(0), |record| since_backup.add(record));
        read.await.with_context(|| format!("could not read lane {lane}"))?;
    }
    let lost = since_backup.lost().iter().copied().collect();
    let requests_log = (lookout.identity(), committed);
    let replies = cluster.reply_ends().await.context("could not look at the reply topic")?;
    let terms = RestoreTerms { requests: requests_log, replies, since_backup, dry_run };
    let restored = match stores.restores.restored(&terms).await {
        Err(StoreError::Fenced) => bail!(
            "the database did not answer, so it is not known whether it was changed: repeat this \
             command, which does no harm"
        ),
        restored => restored?,
    };
    Ok(AfterRestore { restored, requests, lost, gone, left_out })
}
