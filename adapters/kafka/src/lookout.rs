//! The request lanes, as those see them who do not read them.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use catchment_domain::ports::{CommitLog, LogError};
use catchment_domain::{Behind, Committed, Lane, Lanes, LogIdentity, Position};
use catchment_request_reply::{Commit, Lookout, Member, Unread};

use crate::cluster::ClusterError;
use crate::error::{log_error, offset, position};
use crate::request_log::commits;

/// The request lanes, as those see them who do not read them: how far they go, and whose it is
/// to read them.
#[derive(Clone, Debug)]
pub struct KafkaLookout {
    identity: LogIdentity,
    lanes: Lanes,
    lookout: Lookout,
}

/// What stands in a lane and was not applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// Records; and the member of the group who has the lane, as far as the brokers tell.
    Records {
        /// Its `client.id` and its address.
        holder: Option<String>,
    },
    /// Nothing that may be read yet, because a transaction is open.
    OpenTransaction {
        /// Where it begins.
        from: Position,
    },
    /// Nothing but the marks of transactions.
    Nothing,
}

impl KafkaLookout {
    pub(crate) const fn new(identity: LogIdentity, lanes: Lanes, lookout: Lookout) -> Self {
        Self { identity, lanes, lookout }
    }

    /// Which log this is.
    #[must_use]
    pub const fn identity(&self) -> LogIdentity {
        self.identity
    }

    /// One past the last record of each lane; a lane that nobody can tell of is left out.
    ///
    /// # Errors
    ///
    /// When no broker answers.
    pub async fn ends(&self, lanes: Lanes) -> Result<Vec<(Lane, Position)>, ClusterError> {
        let ends = self.lookout.ends(0..lanes.count().into()).await?;
        let lane = |(partition, end)| Some((Lane(u16::try_from(partition).ok()?), position(end)));
        Ok(ends.into_iter().filter_map(lane).collect())
    }

    /// The members of the consumers' group, each by its `client.id` and its address.
    ///
    /// # Errors
    ///
    /// When no broker answers.
    pub async fn members(&self) -> Result<Vec<String>, ClusterError> {
        Ok(self.lookout.members().await?.iter().map(named).collect())
    }

    /// The member of the consumers' group who has each lane, by `client.id` and address, as far as
    /// the brokers tell.
    ///
    /// # Errors
    ///
    /// When no broker answers.
    pub async fn holders(&self) -> Result<BTreeMap<Lane, String>, ClusterError> {
        let holders = self.lookout.holders().await?;
        let lane =
            |(partition, member)| Some((Lane(u16::try_from(partition).ok()?), named(&member)));
        Ok(holders.into_iter().filter_map(lane).collect())
    }

    /// What stands in a lane from a position on.
    ///
    /// # Errors
    ///
    /// When no broker answers.
    pub async fn behind(&self, lane: Lane, from: Position) -> Result<Behind, ClusterError> {
        Ok(behind(self.lookout.unread(lane.0.into(), offset(from)).await?))
    }

    /// What waits in a lane from a position on, and for whom.
    ///
    /// # Errors
    ///
    /// When no broker answers.
    pub async fn waiting(&self, lane: Lane, from: Position) -> Result<Waiting, ClusterError> {
        Ok(match self.behind(lane, from).await? {
            Behind::Records => {
                // That they do not say it is no reason to say nothing.
                let holder = self.lookout.holder(lane.0.into()).await.ok().flatten();
                let holder = holder.as_ref().map(named);
                Waiting::Records { holder }
            }
            Behind::OpenTransaction { from } => Waiting::OpenTransaction { from },
            Behind::Nothing => Waiting::Nothing,
        })
    }

    /// Ends the clients, and waits for that no longer than it is told.
    pub async fn close(&self, within: Duration) {
        self.lookout.close(within).await;
    }
}

#[async_trait]
impl CommitLog for KafkaLookout {
    fn identity(&self) -> LogIdentity {
        self.identity
    }

    async fn committed(&self) -> Result<BTreeMap<Lane, Committed>, LogError> {
        let committed = self.lookout.committed(0..self.lanes.count().into()).await;
        let committed = committed.map_err(log_error)?.into_iter();
        let lane = |(partition, commit): (i32, Commit)| {
            Some((Lane(u16::try_from(partition).ok()?), commits::read(&commit)?))
        };
        Ok(committed.filter_map(lane).collect())
    }
}

/// What was found in a partition, in the words of the domain.
pub(crate) fn behind(unread: Unread) -> Behind {
    match unread {
        Unread::Nothing => Behind::Nothing,
        Unread::Records => Behind::Records,
        Unread::OpenTransaction { from } => Behind::OpenTransaction { from: position(from) },
    }
}

fn named(member: &Member) -> String {
    format!("`{}` at {}", member.client, member.host)
}
