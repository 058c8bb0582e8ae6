use std::collections::BTreeMap;
use std::sync::Arc;

use thiserror::Error;

use super::{AllowedTopics, Destination};
use crate::error::{Refusal, SendError};
use crate::profile::ReplyTo;
use crate::sender::Sender;

/// The senders. The readers of a topic decide which one sends to it.
#[derive(Clone, Debug)]
pub struct Senders {
    /// A topic whose replies wait until it takes them, with its sender. Other topics are given up.
    pub own: Option<(Arc<str>, Sender)>,
    /// Sends to all other topics.
    pub to_peers: Sender,
}

impl Senders {
    /// Whether a topic is the one whose replies wait.
    #[must_use]
    pub fn is_own(&self, topic: &str) -> bool {
        self.own.as_ref().is_some_and(|(own, _)| **own == *topic)
    }

    fn of(&self, topic: &str) -> &Sender {
        match &self.own {
            Some((own, sender)) if **own == *topic => sender,
            _ => &self.to_peers,
        }
    }
}

/// Finds the topic and the partition that a reply is sent to.
#[derive(Debug)]
pub(super) struct Routes {
    pub(super) senders: Senders,
    pub(super) allowed: AllowedTopics,
}

/// Where a reply is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition; `None` lets the key choose.
    pub partition: Option<i32>,
}

/// Why a reply is sent nowhere.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Undeliverable {
    /// The list does not have the topic.
    #[error("replies may not be sent to the topic `{0}`")]
    Refused(Box<str>),
    /// No topic can have that name.
    #[error("the reply topic is no name that a topic can have")]
    Illegal,
    /// The headers that the reply would have to repeat are absurdly long.
    #[error("correlation id and trace context are longer than {} bytes", Destination::MOST)]
    Oversized,
    /// There is no such topic.
    #[error("there is no topic `{0}` for replies")]
    Missing(Box<str>),
    /// The brokers do not let us write to it.
    #[error("the brokers let nothing be sent to the topic `{0}`")]
    Denied(Box<str>),
    /// However short the reply is made, the topic does not take it.
    #[error("the reply is too large for the topic `{0}`, even without its value")]
    TooLarge(Box<str>),
}

impl Undeliverable {
    /// A topic that takes no messages.
    pub(super) fn of(topic: &str, refusal: Refusal) -> Self {
        match refusal {
            Refusal::NoTopic => Self::Missing(topic.into()),
            Refusal::NotAllowed | Refusal::TooLarge => Self::Denied(topic.into()),
        }
    }

    /// The code under which its request is dead-lettered.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Refused(_) | Self::Illegal => "reply_topic_refused",
            Self::Missing(_) => "reply_topic_missing",
            Self::Denied(_) => "reply_topic_denied",
            Self::Oversized => "reply_headers_too_long",
            Self::TooLarge(_) => "reply_too_large",
        }
    }
}

/// What was found out about topics for the messages of one outbox: how many partitions each has,
/// or why nothing can be sent there.
pub(super) type KnownTopics = BTreeMap<Box<str>, Result<(Arc<str>, i32), Refusal>>;

impl Routes {
    /// The way of a reply, `None` where none is asked for.
    pub(super) async fn find(
        &self,
        known: &mut KnownTopics,
        destination: &Destination<'_>,
    ) -> Result<Result<Option<Route>, Undeliverable>, SendError> {
        let reply_to = match destination {
            Destination::To(reply_to) => reply_to,
            Destination::Nowhere => return Ok(Ok(None)),
            Destination::Illegal => return Ok(Err(Undeliverable::Illegal)),
            Destination::Oversized => return Ok(Err(Undeliverable::Oversized)),
        };
        let name = reply_to.topic();
        if !self.allowed.allows(name) {
            return Ok(Err(Undeliverable::Refused(name.into())));
        }
        Ok(match self.look_up(known, name).await? {
            Ok((topic, count)) => Ok(Some(Route { topic, partition: usable(reply_to, count) })),
            Err(refusal) => Err(Undeliverable::of(name, refusal)),
        })
    }

    /// A topic, and how many partitions it has. Our own topic is waited for.
    pub(super) async fn look_up(
        &self,
        known: &mut KnownTopics,
        name: &str,
    ) -> Result<Result<(Arc<str>, i32), Refusal>, SendError> {
        if let Some(found) = known.get(name) {
            return Ok(found.clone());
        }
        let partitions = self.senders.of(name).partitions(name).await;
        let found = found(name, self.senders.is_own(name), partitions)?;
        known.insert(name.into(), found.clone());
        Ok(found)
    }
}

/// What was found out about a topic.
///
/// # Errors
///
/// When no broker answers, or our own topic is not there or takes nothing: its replies wait.
fn found(
    name: &str,
    is_own: bool,
    partitions: Result<Option<i32>, SendError>,
) -> Result<Result<(Arc<str>, i32), Refusal>, SendError> {
    match partitions {
        Ok(Some(count)) => Ok(Ok((name.into(), count))),
        Ok(None) if is_own => Err(SendError::Refused {
            topic: name.to_owned(),
            refusal: Refusal::NoTopic,
            cause: "there is no such topic".to_owned(),
        }),
        Ok(None) => Ok(Err(Refusal::NoTopic)),
        Err(SendError::Refused { refusal, .. }) if !is_own => Ok(Err(refusal)),
        Err(error) => Err(error),
    }
}

/// The partition that a request asks for, where its topic has it: sending to another one would
/// fail again and again.
fn usable(reply_to: &ReplyTo<'_>, count: i32) -> Option<i32> {
    reply_to.partition().number().filter(|number| (0..count).contains(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_topic_is_waited_for_and_others_are_given_up() {
        let refused = |refusal| {
            let (topic, cause) = ("t".to_owned(), "no".to_owned());
            Err(SendError::Refused { topic, refusal, cause })
        };
        for (answer, refusal) in
            [(Ok(None), Refusal::NoTopic), (refused(Refusal::NotAllowed), Refusal::NotAllowed)]
        {
            assert_eq!(found("t", false, answer.clone()), Ok(Err(refusal)));
            let own = found("t", true, answer).unwrap_err();
            assert!(matches!(&own, SendError::Refused { refusal: why, .. } if *why == refusal));
        }
        for is_own in [true, false] {
            assert_eq!(found("t", is_own, Ok(Some(3))), Ok(Ok(("t".into(), 3))));
            let unknown = SendError::Undelivered { cause: "timed out".to_owned() };
            assert_eq!(found("t", is_own, Err(unknown.clone())), Err(unknown));
        }
    }
}
