//! Which topic and partition a reply is sent to, where it may be sent at all.

use std::collections::BTreeMap;
use std::sync::Arc;

use catchment_request_reply::profile::{ReplyPartition, ReplyTo};
use catchment_request_reply::{SendError, Sender};
use thiserror::Error;

use crate::allowed::AllowedTopics;
use crate::counts::Counters;
use crate::now_and_then::NowAndThen;

/// Finds the way of replies.
#[derive(Debug)]
pub(crate) struct Routes {
    sender: Sender,
    allowed: AllowedTopics,
    counters: Arc<Counters>,
    warnings: NowAndThen,
}

/// Where a reply is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) topic: Arc<str>,
    /// `None` lets the key choose.
    pub(crate) partition: Option<i32>,
}

/// Why a reply is sent nowhere.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum Undeliverable {
    /// The list does not have the topic.
    #[error("replies may not be sent to the topic `{0}`")]
    Refused(Box<str>),
    /// No topic can have that name.
    #[error("the reply topic is no name that a topic can have")]
    Illegal,
    /// The headers that the reply would have to repeat are absurdly long.
    #[error("correlation id and trace context are longer than 4096 bytes")]
    Oversized,
    /// There is no such topic.
    #[error("there is no topic `{0}` for replies")]
    Missing(Box<str>),
}

impl Undeliverable {
    /// The code under which its request is dead-lettered.
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::Refused(_) | Self::Illegal => "reply_topic_refused",
            Self::Missing(_) => "reply_topic_missing",
            Self::Oversized => "reply_headers_too_long",
        }
    }
}

/// Allowed topics that the replies of one call go to, and how many partitions each has.
pub(crate) type KnownTopics = BTreeMap<Box<str>, Option<(Arc<str>, i32)>>;

impl Routes {
    pub(crate) fn new(sender: Sender, allowed: AllowedTopics, counters: Arc<Counters>) -> Self {
        Self { sender, allowed, counters, warnings: NowAndThen::default() }
    }

    /// The way of a reply; `known` is what was found for others of the same call.
    ///
    /// A partition that the topic does not have is noticed here, for sending there would fail
    /// again and again.
    pub(crate) async fn find(
        &self,
        known: &mut KnownTopics,
        reply_to: &ReplyTo<'_>,
    ) -> Result<Result<Route, Undeliverable>, SendError> {
        let name = reply_to.topic();
        if !self.allowed.has(name) {
            return Ok(Err(self.refuse(Undeliverable::Refused(name.into()))));
        }
        let found = match known.get(name) {
            Some(found) => found.clone(),
            None => self.look_up(known, name).await?,
        };
        Ok(match found {
            Some((topic, count)) => {
                Ok(Route { topic, partition: self.partition(reply_to.partition(), count) })
            }
            None => Err(self.refuse(Undeliverable::Missing(name.into()))),
        })
    }

    async fn look_up(
        &self,
        known: &mut KnownTopics,
        name: &str,
    ) -> Result<Option<(Arc<str>, i32)>, SendError> {
        let partitions = self.sender.partitions(name).await?;
        let found = partitions.map(|count| (Arc::from(name), count));
        known.insert(name.into(), found.clone());
        Ok(found)
    }

    fn partition(&self, asked: ReplyPartition, count: i32) -> Option<i32> {
        let usable = usable(asked, count);
        if usable.is_none() && asked != ReplyPartition::Any {
            self.counters.unusable_partitions.count();
        }
        usable
    }

    /// Counts a reply that is sent nowhere.
    pub(crate) fn refuse(&self, why: Undeliverable) -> Undeliverable {
        match why {
            Undeliverable::Refused(_) | Undeliverable::Illegal => {
                self.counters.refused_reply_topics.count();
            }
            Undeliverable::Missing(_) => self.counters.missing_reply_topics.count(),
            Undeliverable::Oversized => self.counters.oversized_replies.count(),
        }
        if self.warnings.is_time() {
            tracing::warn!(reason = %why, "replies are not sent; their requests are dead-lettered");
        }
        why
    }
}

/// The partition that a request asks for, where its topic has it.
pub(crate) fn usable(asked: ReplyPartition, count: i32) -> Option<i32> {
    asked.number().filter(|number| (0..count).contains(number))
}
