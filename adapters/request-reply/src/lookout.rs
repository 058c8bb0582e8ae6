//! Looks from outside at a topic that others read: where it ends, what of it is unread, and which
//! member of their group should read it.

mod assignment;
mod coordinator;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaResult;
use rdkafka::groups::{GroupInfo, GroupMemberInfo};

use crate::commit::Commit;
use crate::error::{ReadError, SettingsError};
use crate::point_reader::{First, Isolation, PointReader};
use crate::rights;
use crate::settings::Settings;
use assignment::partitions;

/// What stands in a partition from a position on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    /// Records.
    Records,
    /// Nothing that may be read yet: a transaction is open.
    OpenTransaction {
        /// Where it begins, or a later one.
        from: i64,
    },
    /// Nothing but the marks that transactions have left.
    Nothing,
}

/// A member of a group, as it shows itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its `client.id`.
    pub client: String,
    /// Where it is.
    pub host: String,
}

/// Looks at a topic that others read. Clones share its clients, which are made when they are
/// needed first.
#[derive(Clone)]
pub struct Lookout(Arc<Shared>);

struct Shared {
    topic: String,
    group: String,
    committed: PointReader,
    all: PointReader,
    within: Duration,
    coordinator_timeout: Duration,
}

impl Lookout {
    /// Looks at a topic that the settings' group reads.
    ///
    /// # Errors
    ///
    /// When the client refuses a setting.
    pub fn new(settings: &Settings, topic: &str) -> Result<Self, SettingsError> {
        settings.check()?;
        let config = settings.consumer_config()?;
        Ok(Self(Arc::new(Shared {
            topic: topic.to_owned(),
            group: settings.group_id.clone(),
            committed: PointReader::new(config.clone(), Isolation::Committed),
            all: PointReader::new(config, Isolation::Uncommitted),
            within: settings.request_timeout,
            coordinator_timeout: settings.coordinator_timeout,
        })))
    }

    /// One past the last record of each of these partitions, be it one that may be read yet or
    /// not; those without a leader are left out.
    ///
    /// # Errors
    ///
    /// When no broker answers.
    pub async fn ends(&self, partitions: Range<i32>) -> Result<Vec<(i32, i64)>, ReadError> {
        if partitions.is_empty() {
            return Ok(Vec::new());
        }
        self.ask(move |shared| shared.all.ends(&shared.topic, partitions, shared.within)).await
    }

    /// What stands in a partition from an offset on.
    ///
    /// # Errors
    ///
    /// When no broker answers.
    pub async fn unread(&self, partition: i32, from: i64) -> Result<Unread, ReadError> {
        self.ask(move |shared| shared.unread(partition, from)).await
    }

    /// Returns what the group has committed for these partitions. A partition without a commit is
    /// left out. While the group has no coordinator, this asks again.
    ///
    /// # Errors
    ///
    /// When no broker answers, the group has no coordinator for long, or this user may not know.
    pub async fn committed(&self, partitions: Range<i32>) -> Result<Vec<(i32, Commit)>, ReadError> {
        if partitions.is_empty() {
            return Ok(Vec::new());
        }
        let ask = || {
            let partitions = partitions.clone();
            self.answer(move |shared| {
                shared.all.committed(&shared.topic, partitions, shared.within)
            })
        };
        self.told(coordinator::ask(self.0.coordinator_timeout, ask).await)
    }

    /// The members of the group.
    ///
    /// # Errors
    ///
    /// When no broker answers.
    pub async fn members(&self) -> Result<Vec<Member>, ReadError> {
        self.ask(Shared::members).await
    }

    /// The members of the group that partitions are assigned to, as far as the brokers tell.
    ///
    /// # Errors
    ///
    /// When no broker answers.
    pub async fn holders(&self) -> Result<BTreeMap<i32, Member>, ReadError> {
        self.ask(Shared::holders).await
    }

    /// Ends the clients, and waits for that no longer than it is told: they end with the process,
    /// too.
    pub async fn close(&self, within: Duration) {
        let shared = Arc::clone(&self.0);
        let closed = tokio::task::spawn_blocking(move || {
            shared.committed.close();
            shared.all.close();
        });
        let _ = tokio::time::timeout(within, closed).await;
    }

    async fn ask<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Shared) -> KafkaResult<T> + Send + 'static,
    ) -> Result<T, ReadError> {
        self.told(self.answer(ask).await)
    }

    /// The client answers questions only while its caller waits, which a task must not. `None` if
    /// the runtime ends meanwhile.
    async fn answer<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Shared) -> KafkaResult<T> + Send + 'static,
    ) -> Option<KafkaResult<T>> {
        let shared = Arc::clone(&self.0);
        tokio::task::spawn_blocking(move || ask(&shared)).await.ok()
    }

    fn told<T>(&self, answer: Option<KafkaResult<T>>) -> Result<T, ReadError> {
        let answer = answer.ok_or(ReadError::Closed)?;
        answer.map_err(|error| rights::read_error(&self.0.topic, &error))
    }
}

impl std::fmt::Debug for Lookout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lookout").field("topic", &self.0.topic).finish_non_exhaustive()
    }
}

impl Shared {
    /// Where everything ends is asked for first: where what may be read ends before it even
    /// afterwards, a transaction is open.
    fn unread(&self, partition: i32, from: i64) -> KafkaResult<Unread> {
        let Self { topic, committed, all, within, .. } = self;
        let end = all.end(topic, partition, *within)?;
        match committed.first(topic, (partition, from), *within)? {
            // What is gone was not read either.
            First::Record(_) | First::Gone => return Ok(Unread::Records),
            First::End => {}
        }
        let stable = committed.end(topic, partition, *within)?;
        if stable < end {
            return Ok(Unread::OpenTransaction { from: stable });
        }
        Ok(Unread::Nothing)
    }

    fn holders(&self) -> KafkaResult<BTreeMap<i32, Member>> {
        let groups = self.all.consumer()?.fetch_group_list(Some(&self.group), self.within)?;
        let mut holders = BTreeMap::new();
        for member in groups.groups().iter().flat_map(GroupInfo::members) {
            let assigned = member.assignment().and_then(|bytes| partitions(bytes, &self.topic));
            for partition in assigned.unwrap_or_default() {
                holders.entry(partition).or_insert_with(|| shown(member));
            }
        }
        Ok(holders)
    }

    fn members(&self) -> KafkaResult<Vec<Member>> {
        let groups = self.all.consumer()?.fetch_group_list(Some(&self.group), self.within)?;
        Ok(groups.groups().iter().flat_map(GroupInfo::members).map(shown).collect())
    }
}

fn shown(member: &GroupMemberInfo) -> Member {
    Member {
        client: member.client_id().to_owned(),
        // The brokers write the address behind a slash.
        host: member.client_host().trim_start_matches('/').to_owned(),
    }
}
