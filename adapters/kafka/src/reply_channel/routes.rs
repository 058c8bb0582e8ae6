//! Which topic and partition a reply is sent to, where it may be sent at all.

use std::collections::BTreeMap;
use std::sync::Arc;

use catchment_request_reply::profile::{ReplyPartition, ReplyTo};
use catchment_request_reply::{Refusal, SendError};
use thiserror::Error;

use super::Senders;
use crate::allowed::AllowedTopics;
use crate::counts::Counters;
use crate::now_and_then::NowAndThen;

/// Finds the way of replies.
#[derive(Debug)]
pub(crate) struct Routes {
    senders: Senders,
    /// The reply topic that is ours.
    own: Box<str>,
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
    /// The brokers do not let us write to it.
    #[error("the brokers let nothing be sent to the topic `{0}`")]
    Denied(Box<str>),
}

impl Undeliverable {
    /// What a topic is that takes no messages.
    fn of(topic: &str, refusal: Refusal) -> Self {
        match refusal {
            Refusal::NoTopic => Self::Missing(topic.into()),
            Refusal::NotAllowed | Refusal::TooLarge => Self::Denied(topic.into()),
        }
    }

    /// The code under which its request is dead-lettered.
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::Refused(_) | Self::Illegal => "reply_topic_refused",
            Self::Missing(_) => "reply_topic_missing",
            Self::Denied(_) => "reply_topic_denied",
            Self::Oversized => "reply_headers_too_long",
        }
    }
}

/// Allowed topics that the replies of one call go to, and how many partitions each has, or why
/// nothing can be sent there.
pub(crate) type KnownTopics = BTreeMap<Box<str>, Result<(Arc<str>, i32), Refusal>>;

impl Routes {
    pub(crate) fn new(
        senders: Senders,
        own: &str,
        allowed: AllowedTopics,
        counters: Arc<Counters>,
    ) -> Self {
        Self { senders, own: own.into(), allowed, counters, warnings: NowAndThen::default() }
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
            Ok((topic, count)) => {
                Ok(Route { topic, partition: self.partition(reply_to.partition(), count) })
            }
            Err(refusal) => Err(self.refuse(Undeliverable::of(name, refusal))),
        })
    }

    /// Gives up a topic that takes nothing: from then on nothing of this call is sent there. Not
    /// our own, for which somebody must look: its replies wait.
    pub(crate) fn give_up(
        &self,
        known: &mut KnownTopics,
        topic: &str,
        refusal: Refusal,
    ) -> Option<Undeliverable> {
        if self.is_own(topic) {
            return None;
        }
        known.insert(topic.into(), Err(refusal));
        Some(Undeliverable::of(topic, refusal))
    }

    /// Whether a topic is our own reply topic.
    pub(crate) fn is_own(&self, topic: &str) -> bool {
        topic == &*self.own
    }

    async fn look_up(
        &self,
        known: &mut KnownTopics,
        name: &str,
    ) -> Result<Result<(Arc<str>, i32), Refusal>, SendError> {
        let Senders { own, to_peers } = &self.senders;
        let sender = if self.is_own(name) { own } else { to_peers };
        let found = match sender.partitions(name).await {
            Ok(partitions) => {
                partitions.map(|count| (Arc::from(name), count)).ok_or(Refusal::NoTopic)
            }
            Err(SendError::Refused { refusal, .. }) if !self.is_own(name) => Err(refusal),
            Err(error) => return Err(error),
        };
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
            Undeliverable::Denied(_) => self.counters.denied_reply_topics.count(),
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
