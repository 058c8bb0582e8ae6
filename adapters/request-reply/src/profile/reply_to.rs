use thiserror::Error;

use super::{
    Header, OwnHeader, Profile, ReplyPartition, TYPE_ID, Trace, kafka, nest, own,
    partition::is_decimal, smallrye,
};

/// Where a reply goes and how its peer wants it, as the request's headers say.
///
/// Borrows from the headers, so reading one allocates nothing. To keep it beyond them, turn it
/// into bytes with [`encoded`](ReplyTo::encoded).
///
/// ```
/// use catchment_request_reply::profile::{Profile, ReplyTo};
///
/// let request = [
///     ("kafka_correlationId", Some(&b"0b813"[..])),
///     ("kafka_replyTopic", Some(b"shop.reply")),
///     ("kafka_replyPartition", Some(b"7")),
/// ];
/// let reply_to = ReplyTo::read(request)?.expect("the request names a reply topic");
/// assert_eq!(reply_to.profile(), Profile::Nest);
/// assert_eq!(reply_to.topic(), "shop.reply");
/// assert_eq!(reply_to.partition().number(), Some(7));
/// # Ok::<(), catchment_request_reply::profile::IllegalTopic>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyTo<'a> {
    pub(super) profile: Profile,
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

/// What a reply says besides its value. The profile of its peer makes headers of it.
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
        let mut address = Address::default();
        for header in headers {
            address.read(header);
        }
        address.choose()
    }

    /// The address of a requester that takes its replies in one partition of its own.
    ///
    /// # Errors
    ///
    /// Where `topic` is no name that a topic can have.
    pub fn of(topic: &'a str, partition: i32) -> Result<Self, IllegalTopic> {
        Ok(Self {
            profile: Profile::Spring,
            correlation_id: None,
            topic: legal_topic(topic.as_bytes()).ok_or(IllegalTopic)?,
            partition: ReplyPartition::Number(partition),
            trace: Trace::default(),
        })
    }

    /// The kind of peer that asks.
    #[must_use]
    pub const fn profile(&self) -> Profile {
        self.profile
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
        matches!(self.profile, Profile::Nest)
    }

    /// The headers of a reply, each name once. The request's reply topic is never among them.
    pub fn headers<'h>(
        &self,
        details: &ReplyDetails<'h>,
    ) -> impl Iterator<Item = OwnHeader<'h>> + use<'h, 'a>
    where
        'a: 'h,
    {
        let correlation_id =
            self.correlation_id.map(|id| (self.profile.correlation_id(), Some(id)));
        let failure = |name| details.failure.map(|failure| (name, Some(not_empty(failure))));
        let shape: [Option<OwnHeader<'h>>; 2] = match self.profile {
            Profile::Spring => [
                details.type_id.map(|class| (TYPE_ID, Some(class.as_bytes()))),
                failure(own::FAILURE),
            ],
            Profile::Nest => [
                failure(nest::FAILURE),
                // Without it a client that waits for the last reply waits for ever.
                Some((nest::IS_DISPOSED, Some(&[0]))),
            ],
            Profile::SmallRye => [failure(own::FAILURE), None],
        };
        correlation_id.into_iter().chain(shape.into_iter().flatten()).chain(self.trace.headers())
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

/// What was found under the names of one family.
#[derive(Clone, Copy, Default)]
struct Family<'a> {
    correlation_id: Option<&'a [u8]>,
    topic: Option<&'a [u8]>,
    partition: ReplyPartition,
    is_decimal: bool,
}

impl<'a> Family<'a> {
    fn read_partition(&mut self, value: Option<&[u8]>) {
        self.partition = value.map_or(ReplyPartition::Unusable, ReplyPartition::read);
        self.is_decimal = value.is_some_and(is_decimal);
    }

    const fn has_both(&self) -> bool {
        self.topic.is_some() && self.correlation_id.is_some()
    }

    fn reply_to(
        self,
        profile: Profile,
        trace: Trace<'a>,
    ) -> Result<Option<ReplyTo<'a>>, IllegalTopic> {
        let Some(topic) = self.topic else { return Ok(None) };
        let topic = legal_topic(topic).ok_or(IllegalTopic)?;
        let Self { correlation_id, partition, .. } = self;
        Ok(Some(ReplyTo { profile, correlation_id, topic, partition, trace }))
    }
}

/// What was found under all names.
#[derive(Default)]
struct Address<'a> {
    kafka: Family<'a>,
    smallrye: Family<'a>,
    trace: Trace<'a>,
}

impl<'a> Address<'a> {
    /// Remembers a header; of a repeated name the last stays.
    fn read(&mut self, header: Header<'a>) {
        let (name, value) = header;
        match name {
            kafka::CORRELATION_ID => self.kafka.correlation_id = value,
            kafka::REPLY_TOPIC => self.kafka.topic = value,
            kafka::REPLY_PARTITION => self.kafka.read_partition(value),
            smallrye::CORRELATION_ID => self.smallrye.correlation_id = value,
            smallrye::REPLY_TOPIC => self.smallrye.topic = value,
            smallrye::REPLY_PARTITION => self.smallrye.read_partition(value),
            _ => self.trace.read(header),
        }
    }

    /// Answers in one family: the first with topic and correlation id, else the first with a topic.
    fn choose(self) -> Result<Option<ReplyTo<'a>>, IllegalTopic> {
        let is_smallrye = if self.kafka.has_both() || self.smallrye.has_both() {
            !self.kafka.has_both()
        } else {
            self.kafka.topic.is_none()
        };
        match (is_smallrye, self.kafka.is_decimal) {
            (true, _) => self.smallrye.reply_to(Profile::SmallRye, self.trace),
            (false, true) => self.kafka.reply_to(Profile::Nest, self.trace),
            (false, false) => self.kafka.reply_to(Profile::Spring, self.trace),
        }
    }
}
