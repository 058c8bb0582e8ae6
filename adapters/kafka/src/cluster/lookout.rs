//! The logs, as those see them who neither send nor read.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use catchment_domain::ports::{
    Cluster, CommitLog, ConsumerGroup, InspectionError, LogError, LogProblem, Topics, Wanted,
};
use catchment_domain::{Behind, Committed, Lane, Lanes, LogIdentity, Position};
use catchment_request_reply::{Commit, Created, Lookout, Member, ReadError, SettingsError, Unread};
use tokio::time::sleep;

use super::KafkaCluster;
use super::lane_reader::TO_CLOSE;
use crate::error::{log_error, offset, position, read_failed};
use crate::request_log::commits;

/// A broker that lagged behind has caught up by then.
const TO_CATCH_UP: Duration = Duration::from_secs(2);

/// The logs, as those see them who neither send nor read: what they hold, how far they go, and whose
/// it is to read them.
#[derive(Clone, Debug)]
pub struct KafkaLookout {
    pub(super) cluster: KafkaCluster,
    pub(super) lanes: Lanes,
    pub(super) requests: Lookout,
    pub(super) replies: Lookout,
}

impl KafkaLookout {
    pub(super) fn new(cluster: &KafkaCluster, lanes: Lanes) -> Result<Self, SettingsError> {
        let settings = &cluster.settings;
        let requests = Lookout::new(&settings.client, &settings.requests_topic)?;
        let replies = Lookout::new(&settings.client, &settings.replies_topic)?;
        Ok(Self { cluster: cluster.clone(), lanes, requests, replies })
    }

    /// Ends the clients, and waits for that a moment.
    pub async fn close(&self) {
        tokio::join!(self.requests.close(TO_CLOSE), self.replies.close(TO_CLOSE));
    }

    async fn read_committed(&self) -> Result<BTreeMap<Lane, Committed>, ReadError> {
        let committed = self.requests.committed(0..self.lanes.count().into()).await?;
        let lane = |(partition, commit): (i32, Commit)| {
            Some((Lane(u16::try_from(partition).ok()?), commits::read(&commit)?))
        };
        Ok(committed.into_iter().filter_map(lane).collect())
    }
}

#[async_trait]
impl CommitLog for KafkaLookout {
    fn identity(&self) -> LogIdentity {
        self.cluster.requests_identity()
    }

    async fn committed(&self) -> Result<BTreeMap<Lane, Committed>, LogError> {
        self.read_committed().await.map_err(log_error)
    }
}

#[async_trait]
impl ConsumerGroup for KafkaLookout {
    async fn committed(&self) -> Result<BTreeMap<Lane, Committed>, InspectionError> {
        self.read_committed().await.map_err(read_failed)
    }

    async fn members(&self) -> Result<Vec<String>, InspectionError> {
        let members = self.requests.members().await.map_err(read_failed)?;
        Ok(members.iter().map(named).collect())
    }

    async fn holders(&self) -> Result<BTreeMap<Lane, String>, InspectionError> {
        let holders = self.requests.holders().await.map_err(read_failed)?;
        let lane =
            |(partition, member)| Some((Lane(u16::try_from(partition).ok()?), named(&member)));
        Ok(holders.into_iter().filter_map(lane).collect())
    }
}

#[async_trait]
impl Topics for KafkaLookout {
    async fn problems(&self) -> Result<Vec<LogProblem>, InspectionError> {
        self.cluster.check_topics(self.lanes).await
    }

    async fn inspect(&self, wanted: Wanted) -> Result<Vec<LogProblem>, InspectionError> {
        self.cluster.inspect_topics(self.lanes, wanted).await
    }

    async fn create(
        &self,
        reply_lanes: u16,
        replication: Option<u16>,
    ) -> Result<Vec<(String, bool)>, InspectionError> {
        let replication = replication.map(i32::from);
        let topics = self.cluster.create_topics(self.lanes, reply_lanes, replication).await?;
        Ok(topics.into_iter().map(|(topic, made)| (topic, made == Created::New)).collect())
    }
}

#[async_trait]
impl Cluster for KafkaLookout {
    async fn catch_up(&self) {
        sleep(TO_CATCH_UP).await;
    }
}

/// What stands in a partition from a position on.
pub(super) async fn behind(
    lookout: &Lookout,
    partition: u16,
    from: Position,
) -> Result<Behind, ReadError> {
    Ok(match lookout.unread(partition.into(), offset(from)).await? {
        Unread::Nothing => Behind::Nothing,
        Unread::Records => Behind::Records,
        Unread::OpenTransaction { from } => Behind::OpenTransaction { from: position(from) },
    })
}

fn named(member: &Member) -> String {
    format!("`{}` at {}", member.client, member.host)
}
