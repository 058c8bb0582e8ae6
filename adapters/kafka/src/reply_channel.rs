//! Where replies are sent, and what cannot be replied to.

pub(crate) mod message;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use catchment_domain::ports::{ChannelError, Clock, ReplyChannel};
use catchment_domain::{Code, Outcome, Reply, ReturnAddress};
use catchment_request_reply::OwnedRecord;
use catchment_request_reply::reply::{
    self, Destination, LogThrottle, Outbox, Place, ReplyError, ReplyEvent, ReplyEvents, ReplyPath,
    Undeliverable,
};

use crate::counts::{Counter, Counters};
use crate::error::channel_error;
use crate::request_log::Entry;
use crate::wire::{self, NamedType};
use message::Messages;

/// Where replies are sent: to whoever asked, in the headers of that kind of peer.
///
/// A request that is none, or whose reply cannot be sent where it asks for, goes to the
/// dead-letter topic as it is, in the same call: [`ReplyChannel::send`] returns once both are
/// stored. An address holds no more than the request's place in the log.
pub struct KafkaReplyChannel {
    senders: reply::Senders,
    path: ReplyPath<Entry>,
    type_id: Option<String>,
    clock: Arc<dyn Clock>,
    counters: Arc<Counters>,
    misplaced: LogThrottle,
}

/// The messages of one call, by sender.
struct Outboxes {
    own: Outbox,
    to_peers: Outbox,
}

impl KafkaReplyChannel {
    pub(crate) fn new(
        senders: reply::Senders,
        path: ReplyPath<Entry>,
        type_id: Option<String>,
        clock: Arc<dyn Clock>,
        counters: Arc<Counters>,
    ) -> Self {
        Self { senders, path, type_id, clock, counters, misplaced: LogThrottle::default() }
    }

    /// Puts the messages for one outcome into the outboxes: a reply, a dead letter, both or nothing.
    async fn put(
        &self,
        Outboxes { own, to_peers }: &mut Outboxes,
        messages: &mut Messages<'_>,
        address: &ReturnAddress,
        reply: &Reply,
    ) -> Result<(), ChannelError> {
        let Some(address) = reply::ReturnAddress::decode(&address.0) else {
            self.counters.undeliverable_replies.count();
            return Ok(());
        };
        if reply.outcome.code == Some(Code::WrongLane) {
            self.note_wrong_partition(&address, reply);
        }
        let route = self.path.route(to_peers, &address.destination).await.map_err(channel_error)?;
        let refused = route.as_ref().err().map(|why| (why.code(), why.to_string()));
        let refused = refused.as_ref().map(|(code, message)| (*code, &**message));
        let why = reason(&reply.outcome).or(refused);
        let original = self.dead_letter(to_peers, address.place, why).await?;
        match address.destination {
            Destination::To(reply_to) => {
                if reply_to.correlation_id().is_none() {
                    self.counters.uncorrelated_replies.count();
                }
                if let Ok(Some(route)) = route {
                    let is_own = self.senders.is_own(&route.topic);
                    let (named_type, way) = (NamedType::named(address.note), (reply_to, route));
                    let message = messages.message(reply, &named_type, way, original.as_deref());
                    let undelivered = address.place.filter(|_| why.is_none());
                    let outbox = if is_own { own } else { to_peers };
                    outbox.push_reply(message, undelivered, None);
                }
            }
            Destination::Nowhere => self.counters.unaddressed_requests.count(),
            Destination::Illegal | Destination::Oversized => {}
        }
        Ok(())
    }

    /// Puts the original of a request into the outbox, where there is a reason; returns it.
    async fn dead_letter(
        &self,
        outbox: &mut Outbox,
        place: Option<Place>,
        reason: Option<(&str, &str)>,
    ) -> Result<Option<Arc<OwnedRecord>>, ChannelError> {
        let (Some(place), Some(reason)) = (place, reason) else { return Ok(None) };
        self.path.dead_letter(outbox, place, reason).await.map_err(reply_error)
    }

    /// Counts a request in a wrong partition. Now and then logs its reply topic, because a record
    /// does not name its client.
    fn note_wrong_partition(&self, address: &reply::ReturnAddress<'_>, reply: &Reply) {
        self.counters.wrong_partitions.count();
        if self.misplaced.is_time() {
            let request = reply.id.0;
            let offset = address.place.map(|place| place.offset);
            let reply_topic = match &address.destination {
                Destination::To(reply_to) => Some(reply_to.topic()),
                Destination::Nowhere | Destination::Illegal | Destination::Oversized => None,
            };
            let why = reply.outcome.message();
            tracing::warn!(%request, offset, reply_topic, why, "a client does not partition by murmur2");
        }
    }

    /// Sends the messages in the outboxes.
    async fn deliver(&self, Outboxes { own, to_peers }: &mut Outboxes) -> Result<(), ChannelError> {
        let peers = &self.senders.to_peers;
        let sender = self.senders.own.as_ref().map_or(peers, |(_, sender)| sender);
        let own = self.path.deliver(sender, own);
        let to_peers = self.path.deliver(peers, to_peers);
        let (own, to_peers) = tokio::join!(own, to_peers);
        own.and(to_peers).map_err(reply_error)
    }
}

#[async_trait]
impl ReplyChannel for KafkaReplyChannel {
    async fn send(&self, replies: Vec<(ReturnAddress, Reply)>) -> Result<(), ChannelError> {
        let replied_at = wire::written_instant(self.clock.now());
        let type_id = self.type_id.as_deref();
        let mut messages = Messages { replied_at, type_id, json: Vec::new() };
        let own = Outbox::with_capacity(replies.len());
        let mut outboxes = Outboxes { own, to_peers: Outbox::default() };
        for (address, reply) in &replies {
            self.put(&mut outboxes, &mut messages, address, reply).await?;
            if outboxes.own.is_full() || outboxes.to_peers.is_full() {
                self.deliver(&mut outboxes).await?;
            }
        }
        self.deliver(&mut outboxes).await
    }
}

impl fmt::Debug for KafkaReplyChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaReplyChannel").field("path", &self.path).finish_non_exhaustive()
    }
}

impl ReplyEvents for Counters {
    fn count(&self, event: ReplyEvent<'_>, times: usize) {
        let counter: &Counter = match event {
            ReplyEvent::Misdirected => &self.unusable_partitions,
            ReplyEvent::Undeliverable(why) => match why {
                Undeliverable::Refused(_) | Undeliverable::Illegal => &self.refused_reply_topics,
                Undeliverable::Missing(_) => &self.missing_reply_topics,
                Undeliverable::Denied(_) => &self.denied_reply_topics,
                Undeliverable::Oversized => &self.oversized_replies,
                // It was counted when it was shortened.
                Undeliverable::TooLarge(_) => return,
            },
            ReplyEvent::Shortened => &self.oversized_replies,
            ReplyEvent::DeadLettered => &self.dead_letters,
            ReplyEvent::DeadLetterLost => &self.lost_dead_letters,
        };
        counter.add(times.try_into().unwrap_or(u64::MAX));
    }

    fn shorter(&self, value: &[u8]) -> Option<Vec<u8>> {
        wire::shorter_reply(value)
    }
}

fn reply_error(error: ReplyError) -> ChannelError {
    match error {
        ReplyError::Send(error) => channel_error(error),
        ReplyError::Read(error) => ChannelError::Unknown(error.into()),
    }
}

/// Why a request that was answered is dead-lettered: what it says could not be dealt with.
fn reason(outcome: &Outcome) -> Option<(&'static str, &str)> {
    let code = outcome.code?;
    match code {
        Code::Unreadable | Code::UnknownType | Code::BadData => {
            Some((code.as_str(), outcome.message().unwrap_or_default()))
        }
        Code::UnknownShop
        | Code::UnknownKind
        | Code::WrongLane
        | Code::UnknownCampaign
        | Code::CampaignDiffers
        | Code::ReservedId
        | Code::UnknownRevision
        | Code::TooManyCauses
        | Code::CampaignEnded
        | Code::CampaignReplaced
        | Code::NewerBase
        | Code::DeadlinePassed
        | Code::GivenUp => None,
    }
}
