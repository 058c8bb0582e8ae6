use thiserror::Error;

use super::{Header, OwnHeader, PEERS, Peer, ReplyPartition, Trace, own, spring};

/// Where a reply goes and how its peer wants it, as the request's headers say.
///
/// Borrows from the headers, so reading one allocates nothing. To keep it beyond them, turn it
/// into bytes with [`encoded`](ReplyTo::encoded).
///
/// ```
/// use catchment_request_reply::profile::ReplyTo;
///
/// let request = [
///     ("kafka_correlationId", Some(&b"0b813"[..])),
///     ("kafka_replyTopic", Some(b"shop.reply")),
///     ("kafka_replyPartition", Some(b"7")),
/// ];
/// let reply_to = ReplyTo::read(request)?.expect("the request names a reply topic");
/// assert_eq!(reply_to.peer().name(), "NestJS");
/// assert_eq!(reply_to.topic(), "shop.reply");
/// assert_eq!(reply_to.partition().number(), Some(7));
/// # Ok::<(), catchment_request_reply::profile::IllegalTopic>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyTo<'a> {
    pub(super) peer: &'static Peer,
    pub(super) correlation_id: Option<&'a [u8]>,
    // INVARIANT: a name that a topic can have.
    pub(super) topic: &'a str,
    pub(super) partition: ReplyPartition,
    pub(super) trace: Trace<'a>,
}

/// A request that asks for its reply in a topic that cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the reply topic is no name that a topic can have")]
pub struct IllegalTopic;

/// What a reply says besides its value. The kind of peer makes headers of it.
///
/// Every reply has a value, even a failure: a client of another kind may send its partition as
/// NestJS does, and may not know the header for failures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReplyDetails<'a> {
    /// What failed, as a JSON object: see [`Failure`](super::Failure).
    /// A peer's own header for failures has it ([`ReplyTo::reports_failures`]), and else
    /// `catchment-failure`, which only this crate's requester reads.
    pub failure: Option<&'a str>,
    /// The Java class that Spring's `JsonDeserializer` reads the value as, where it has no default.
    pub type_id: Option<&'a str>,
}

impl<'a> ReplyTo<'a> {
    /// Reads a request's headers; `None` where it asks for no reply.
    ///
    /// # Errors
    ///
    /// Where the reply topic is no name that a topic can have.
    pub fn read(
        headers: impl IntoIterator<Item = Header<'a>>,
    ) -> Result<Option<Self>, IllegalTopic> {
        let (mut found, mut trace) = ([Found::default(); PEERS.len()], Trace::default());
        for header in headers {
            let mut is_known = false;
            for (peer, found) in PEERS.iter().zip(&mut found) {
                is_known |= found.read(peer, header);
            }
            if !is_known {
                trace.read(header);
            }
        }
        // The first with topic and correlation id, else the first with a topic.
        let mut asking = PEERS.iter().zip(&found).filter(|(peer, found)| found.is_from(peer));
        let first = asking.clone().next();
        match asking.find(|(_, found)| found.correlation_id.is_some()).or(first) {
            Some((peer, found)) => found.reply_to(peer, trace).map(Some),
            None => Ok(None),
        }
    }

    /// The address of a requester that takes its replies in one partition of its own.
    ///
    /// # Errors
    ///
    /// Where `topic` is no name that a topic can have.
    pub fn of(topic: &'a str, partition: i32) -> Result<Self, IllegalTopic> {
        Ok(Self {
            peer: &spring::PEER,
            correlation_id: None,
            topic: legal_topic(topic.as_bytes()).ok_or(IllegalTopic)?,
            partition: ReplyPartition::Number(partition),
            trace: Trace::default(),
        })
    }

    /// The kind of peer that asks.
    #[must_use]
    pub const fn peer(&self) -> &'static Peer {
        self.peer
    }

    /// The correlation id, byte for byte, where there is one.
    #[must_use]
    pub const fn correlation_id(&self) -> Option<&'a [u8]> {
        self.correlation_id
    }

    /// The topic of the reply. It still has to be an allowed one.
    #[must_use]
    pub const fn topic(&self) -> &'a str {
        self.topic
    }

    /// The partition of the reply. It may be one that the topic does not have.
    #[must_use]
    pub const fn partition(&self) -> ReplyPartition {
        self.partition
    }

    /// The request's trace context.
    #[must_use]
    pub const fn trace(&self) -> Trace<'a> {
        self.trace
    }

    /// Whether the peer has a header for failures, and ignores the value where it is there.
    #[must_use]
    pub const fn reports_failures(&self) -> bool {
        self.peer.failure.is_some()
    }

    /// The header that says a failure to this peer.
    #[must_use]
    pub fn failure_header(&self) -> &'static str {
        self.peer.failure.unwrap_or(own::FAILURE)
    }

    /// The headers of a reply, each name once. The request's reply topic is never among them.
    pub fn headers<'h>(
        &self,
        details: &ReplyDetails<'h>,
    ) -> impl Iterator<Item = OwnHeader<'h>> + use<'h, 'a>
    where
        'a: 'h,
    {
        let Peer { correlation_id, type_id, every_reply, .. } = *self.peer;
        let id = self.correlation_id.map(|id| (correlation_id, Some(id)));
        let class = type_id.zip(details.type_id);
        let failed = details.failure.map(|json| (self.failure_header(), json));
        let own = [
            id,
            class.map(|(name, class)| (name, Some(class.as_bytes()))),
            failed.map(|(name, json)| (name, Some(not_empty(json)))),
            every_reply,
        ];
        own.into_iter().flatten().chain(self.trace.headers())
    }
}

/// An empty failure would read as a success with a null value.
fn not_empty(failure: &str) -> &[u8] {
    if failure.is_empty() { b"{}" } else { failure.as_bytes() }
}

/// The name of a topic, where it is one that a topic can have.
///
/// Anybody may write anything into a header, and a name with a 0 byte, for example, must not get
/// as far as the client library.
pub(super) fn legal_topic(name: &[u8]) -> Option<&str> {
    let legal_byte = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
    let legal = (1..=249).contains(&name.len())
        && name.iter().all(legal_byte)
        && name != b"."
        && name != b"..";
    if legal { str::from_utf8(name).ok() } else { None }
}

/// What was found under the names of one kind of peer.
#[derive(Clone, Copy, Default)]
struct Found<'a> {
    correlation_id: Option<&'a [u8]>,
    topic: Option<&'a [u8]>,
    /// Empty where the header has no value.
    partition: Option<&'a [u8]>,
}

impl<'a> Found<'a> {
    /// Remembers a header; of a repeated name the last stays. Returns whether it is one of the
    /// peer's.
    fn read(&mut self, peer: &Peer, (name, value): Header<'a>) -> bool {
        if name == peer.correlation_id {
            self.correlation_id = value;
        } else if name == peer.reply_topic {
            self.topic = value;
        } else if name == peer.reply_partition {
            self.partition = Some(value.unwrap_or_default());
        } else {
            return false;
        }
        true
    }

    fn is_from(&self, peer: &Peer) -> bool {
        self.topic.is_some() && (peer.is_sender)(self.partition)
    }

    fn reply_to(self, peer: &'static Peer, trace: Trace<'a>) -> Result<ReplyTo<'a>, IllegalTopic> {
        let topic = self.topic.and_then(legal_topic).ok_or(IllegalTopic)?;
        let partition = self.partition.map_or(ReplyPartition::Any, peer.read_partition);
        Ok(ReplyTo { peer, correlation_id: self.correlation_id, topic, partition, trace })
    }
}
