//! Where replies are sent, and what cannot be replied to.

mod dead_letters;
pub(crate) mod outbox;
pub(crate) mod routes;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use catchment_domain::ports::{ChannelError, Clock, ReplyChannel};
use catchment_domain::{Code, Outcome, Reply, ReturnAddress};
use catchment_request_reply::profile::ReplyTo;
use catchment_request_reply::{Message, OwnedRecord, Refusal, SendError, Sender};

use crate::address::{Address, Destination, Origin};
use crate::counts::Counters;
use crate::error::channel_error;
use crate::now_and_then::NowAndThen;
use crate::wire;
pub(crate) use dead_letters::DeadLetters;
use outbox::{Kind, LeftOut, Outbox};
pub(crate) use routes::Routes;
use routes::{Route, Undeliverable};

/// Where replies are sent: to whoever asked, in the headers of that kind of peer.
///
/// A request that is none, or whose reply cannot be sent where it asks for, goes to the
/// dead-letter topic as it is, in the same call: [`ReplyChannel::send`] returns once both are
/// stored. An address holds no more than the request's place in the log.
pub struct KafkaReplyChannel {
    senders: Senders,
    routes: Routes,
    dead_letters: DeadLetters,
    type_id: Option<String>,
    clock: Arc<dyn Clock>,
    counters: Arc<Counters>,
    warnings: NowAndThen,
    misplaced: NowAndThen,
}

/// The senders. The readers of a topic decide which one sends to it.
#[derive(Clone, Debug)]
pub(crate) struct Senders {
    /// Sends to our own reply topic.
    pub(crate) own: Sender,
    /// Sends to all other topics.
    pub(crate) to_peers: Sender,
}

/// The messages of one call, by sender.
struct Outboxes<'a> {
    own: Outbox<'a>,
    to_peers: Outbox<'a>,
}

/// Why a request is sent to the dead-letter topic.
struct Reason {
    code: &'static str,
    message: String,
}

impl KafkaReplyChannel {
    pub(crate) fn new(
        senders: Senders,
        (routes, dead_letters): (Routes, DeadLetters),
        type_id: Option<String>,
        clock: Arc<dyn Clock>,
        counters: Arc<Counters>,
    ) -> Self {
        let (warnings, misplaced) = (NowAndThen::default(), NowAndThen::default());
        Self { senders, routes, dead_letters, type_id, clock, counters, warnings, misplaced }
    }

    /// Puts the messages for one outcome into the outboxes: a reply, a dead letter, both or nothing.
    async fn put(
        &self,
        Outboxes { own, to_peers }: &mut Outboxes<'_>,
        address: &ReturnAddress,
        reply: &Reply,
    ) -> Result<(), ChannelError> {
        let Some(address) = Address::decode(&address.0) else {
            self.counters.undeliverable_replies.count();
            return Ok(());
        };
        if reply.outcome.code == Some(Code::WrongLane) {
            self.note_wrong_partition(&address, reply);
        }
        let route = match &address.destination {
            Destination::To(reply_to) => self.route(to_peers, reply_to).await?,
            Destination::Illegal => Err(self.routes.refuse(Undeliverable::Illegal)),
            Destination::Oversized => Err(self.routes.refuse(Undeliverable::Oversized)),
            Destination::Nowhere => {
                self.counters.unaddressed_requests.count();
                return self
                    .put_dead_letter(to_peers, address.origin, reason(&reply.outcome))
                    .await
                    .map(drop);
            }
        };
        let why = reason(&reply.outcome).or_else(|| route.as_ref().err().map(Reason::of));
        let origin = address.origin.filter(|_| why.is_none());
        let original = self.put_dead_letter(to_peers, address.origin, why).await?;
        if let (Ok(route), Destination::To(reply_to)) = (route, address.destination) {
            let outbox = if self.routes.is_own(&route.topic) { own } else { to_peers };
            let way = (reply_to, route);
            outbox.put_reply(reply, &address.named_type, way, origin, original.as_deref());
        }
        Ok(())
    }

    /// Counts a request in a wrong partition. Now and then logs its reply topic, because a record
    /// does not name its client.
    fn note_wrong_partition(&self, address: &Address<'_>, reply: &Reply) {
        self.counters.wrong_partitions.count();
        if self.misplaced.is_time() {
            let request = reply.id.0;
            let offset = address.origin.map(|origin| origin.offset);
            let reply_topic = match &address.destination {
                Destination::To(reply_to) => Some(reply_to.topic()),
                Destination::Nowhere | Destination::Illegal | Destination::Oversized => None,
            };
            let why = reply.outcome.message();
            tracing::warn!(%request, offset, reply_topic, why, "a client does not partition by murmur2");
        }
    }

    async fn route(
        &self,
        outbox: &mut Outbox<'_>,
        reply_to: &ReplyTo<'_>,
    ) -> Result<Result<Route, Undeliverable>, ChannelError> {
        if reply_to.correlation_id().is_none() {
            self.counters.uncorrelated_replies.count();
        }
        self.routes.find(&mut outbox.topics, reply_to).await.map_err(channel_error)
    }

    /// Puts the original of a request into the outbox, where there is a reason; returns it.
    async fn put_dead_letter(
        &self,
        outbox: &mut Outbox<'_>,
        origin: Option<Origin>,
        reason: Option<Reason>,
    ) -> Result<Option<Arc<OwnedRecord>>, ChannelError> {
        let (Some(origin), Some(reason)) = (origin, reason) else { return Ok(None) };
        let original = self.original(origin).await?;
        let (Origin { partition, offset }, code) = (origin, reason.code);
        if let Some(original) = &original {
            if self.warnings.is_time() {
                tracing::warn!(partition, offset, code, "a request goes to the dead-letter topic");
            }
            let letter = self.dead_letters.letter(original, reason.code, &reason.message);
            outbox.put_letter(letter, origin);
        } else {
            self.counters.lost_dead_letters.count();
            tracing::error!(partition, offset, code, "a request to be dead-lettered is gone");
        }
        Ok(original)
    }

    async fn original(&self, origin: Origin) -> Result<Option<Arc<OwnedRecord>>, ChannelError> {
        let fetched = self.dead_letters.original(origin).await;
        fetched.map_err(|error| ChannelError::Unknown(error.into()))
    }

    /// Sends the messages in the outboxes.
    async fn deliver_all(&self, outboxes: &mut Outboxes<'_>) -> Result<(), ChannelError> {
        let Senders { own, to_peers } = &self.senders;
        let own = self.deliver(own, &mut outboxes.own);
        let to_peers = self.deliver(to_peers, &mut outboxes.to_peers);
        let (own, to_peers) = tokio::join!(own, to_peers);
        own.and(to_peers)
    }

    /// Sends the messages in an outbox. A message that Kafka does not take is left out or
    /// dead-lettered. Otherwise it would hold up all messages behind it for ever.
    async fn deliver(&self, sender: &Sender, outbox: &mut Outbox<'_>) -> Result<(), ChannelError> {
        while !outbox.messages.is_empty() {
            let mut sent = sender.send(&outbox.messages).await;
            if let Err(SendError::Refused { refusal: Refusal::TooLarge, .. }) = sent {
                sent = self.send_singly(sender, outbox).await;
            }
            match sent {
                Ok(()) => self.counters.dead_letters.add(outbox.clear()),
                Err(error) => self.overcome(outbox, error).await?,
            }
        }
        Ok(())
    }

    /// Sends one message after the other, up to the first that fails: which one is larger than
    /// its topic takes can only be known so. What was sent before may come twice.
    async fn send_singly(&self, sender: &Sender, outbox: &mut Outbox<'_>) -> Result<(), SendError> {
        let (mut count, mut sent) = (0, Ok(()));
        for message in &outbox.messages {
            sent = sender.send(std::slice::from_ref(message)).await;
            if sent.is_err() {
                break;
            }
            count += 1;
        }
        self.counters.dead_letters.add(outbox.clear_first(count));
        sent
    }

    /// Takes out of the outbox what failed for good.
    async fn overcome(
        &self,
        outbox: &mut Outbox<'_>,
        error: SendError,
    ) -> Result<(), ChannelError> {
        match &error {
            SendError::TooLarge { index, .. } => self.leave_out(outbox, *index),
            // Sent singly, it is the first that is left.
            SendError::Refused { refusal: Refusal::TooLarge, .. } => self.leave_out(outbox, 0),
            SendError::Refused { topic, refusal, .. } => {
                if !self.give_up(outbox, topic, *refusal).await? {
                    return Err(channel_error(error));
                }
            }
            SendError::Undelivered { .. } | SendError::Closed | SendError::Fatal { .. } => {
                return Err(channel_error(error));
            }
        }
        Ok(())
    }

    fn leave_out(&self, outbox: &mut Outbox<'_>, index: usize) {
        let bytes = outbox.messages.get(index).map(Message::size);
        match outbox.leave_out(index) {
            None | Some(LeftOut::Value(Kind::Letter(_))) => {}
            Some(LeftOut::Value(Kind::Reply(_))) => {
                self.counters.oversized_replies.count();
                tracing::error!(bytes, "a reply is too large for Kafka: its value is left out");
            }
            Some(LeftOut::Message(Kind::Reply(_))) => {
                tracing::error!(bytes, "a reply is too large for Kafka even without its value");
            }
            Some(LeftOut::Message(Kind::Letter(origin))) => {
                let Origin { partition, offset } = origin;
                self.counters.lost_dead_letters.count();
                let what = "a dead letter is too large for Kafka: it is lost";
                tracing::error!(partition, offset, bytes, "{what}");
            }
        }
    }

    /// Gives up what was to be sent to a topic that takes nothing. Says whether it may.
    async fn give_up(
        &self,
        outbox: &mut Outbox<'_>,
        topic: &str,
        refusal: Refusal,
    ) -> Result<bool, ChannelError> {
        if self.dead_letters.are_in(topic) {
            self.lose_letters(outbox, topic);
            return Ok(true);
        }
        let Some(why) = self.routes.give_up(&mut outbox.topics, topic, refusal) else {
            return Ok(false);
        };
        for kind in outbox.take_out(topic) {
            let why = Reason::of(&self.routes.refuse(why.clone()));
            if let Kind::Reply(origin) = kind {
                self.put_dead_letter(outbox, origin, Some(why)).await?;
            }
        }
        Ok(true)
    }

    /// Goes on without dead letters that cannot be written.
    fn lose_letters(&self, outbox: &mut Outbox<'_>, topic: &str) {
        let lost = outbox.take_out(topic);
        for _ in &lost {
            self.counters.lost_dead_letters.count();
        }
        let letters = lost.len();
        tracing::error!(topic, letters, "the topic of dead letters takes none: they are lost");
    }
}

#[async_trait]
impl ReplyChannel for KafkaReplyChannel {
    async fn send(&self, replies: Vec<(ReturnAddress, Reply)>) -> Result<(), ChannelError> {
        let replied_at = wire::written_instant(self.clock.now());
        let outbox = |capacity| Outbox::new(&replied_at, self.type_id.as_deref(), capacity);
        let mut outboxes = Outboxes { own: outbox(replies.len()), to_peers: outbox(0) };
        for (address, reply) in &replies {
            self.put(&mut outboxes, address, reply).await?;
            if outboxes.own.is_full() || outboxes.to_peers.is_full() {
                self.deliver_all(&mut outboxes).await?;
            }
        }
        self.deliver_all(&mut outboxes).await
    }
}

impl fmt::Debug for KafkaReplyChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaReplyChannel").field("routes", &self.routes).finish_non_exhaustive()
    }
}

impl Reason {
    fn of(undeliverable: &Undeliverable) -> Self {
        Self { code: undeliverable.code(), message: undeliverable.to_string() }
    }
}

/// Why a request that was answered is dead-lettered: what it says could not be dealt with.
fn reason(outcome: &Outcome) -> Option<Reason> {
    let code = outcome.code?;
    let message = || outcome.message().unwrap_or_default().to_owned();
    match code {
        Code::Unreadable | Code::UnknownType | Code::BadData => {
            Some(Reason { code: code.as_str(), message: message() })
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
