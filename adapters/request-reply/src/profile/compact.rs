use super::reply_to::legal_topic;
use super::{PEERS, ReplyPartition, ReplyTo, Trace};

/// Length of what stands before the four texts: peer, tag, partition, their lengths.
const HEAD: usize = 15;

// Bits of the tag above the two of the partition.
const HAS_CORRELATION_ID: u8 = 1 << 4;
const HAS_PARENT: u8 = 1 << 5;
const HAS_STATE: u8 = 1 << 6;

impl<'a> ReplyTo<'a> {
    /// The address as bytes, to be kept until the reply is sent.
    ///
    /// Collecting them allocates once, into an `Arc<[u8]>` too, for their number is known.
    ///
    /// ```
    /// use catchment_request_reply::profile::ReplyTo;
    /// use std::sync::Arc;
    ///
    /// let reply_to = ReplyTo::of("shop-replies", 3)?;
    /// let kept: Arc<[u8]> = reply_to.encoded().collect();
    /// assert_eq!(ReplyTo::decode(&kept), Some(reply_to));
    /// # Ok::<(), catchment_request_reply::profile::IllegalTopic>(())
    /// ```
    pub fn encoded(&self) -> impl Iterator<Item = u8> + use<'a> {
        let correlation_id = self.correlation_id.unwrap_or_default();
        let parent = self.trace.parent.unwrap_or_default();
        let state = self.trace.state.unwrap_or_default();
        self.head(correlation_id, parent, state)
            .into_iter()
            .chain(correlation_id.iter().copied())
            .chain(self.topic.bytes())
            .chain(parent.iter().copied())
            .chain(state.iter().copied())
    }

    fn head(&self, correlation_id: &[u8], parent: &[u8], state: &[u8]) -> [u8; HEAD] {
        let [p0, p1, p2, p3] = self.partition.number().unwrap_or_default().to_be_bytes();
        let [c0, c1, c2, c3] =
            u32::try_from(correlation_id.len()).unwrap_or(u32::MAX).to_be_bytes();
        let topic = u8::try_from(self.topic.len()).unwrap_or(u8::MAX);
        let [t0, t1] = u16::try_from(parent.len()).unwrap_or(u16::MAX).to_be_bytes();
        let [s0, s1] = u16::try_from(state.len()).unwrap_or(u16::MAX).to_be_bytes();
        let peer = u8::try_from(self.peer.index()).unwrap_or(u8::MAX);
        [peer, self.tag(), p0, p1, p2, p3, c0, c1, c2, c3, topic, t0, t1, s0, s1]
    }

    fn tag(&self) -> u8 {
        let partition = match self.partition {
            ReplyPartition::Any => 0,
            ReplyPartition::Number(_) => 1,
            ReplyPartition::Unusable => 2,
        };
        let flag = |is_there: bool, bit: u8| if is_there { bit } else { 0 };
        partition
            | flag(self.correlation_id.is_some(), HAS_CORRELATION_ID)
            | flag(self.trace.parent.is_some(), HAS_PARENT)
            | flag(self.trace.state.is_some(), HAS_STATE)
    }

    /// Reads what [`encoded`](ReplyTo::encoded) wrote; `None` for any other bytes.
    #[must_use]
    pub fn decode(bytes: &'a [u8]) -> Option<Self> {
        let (head, texts) = bytes.split_first_chunk::<HEAD>()?;
        let [peer, tag, p0, p1, p2, p3, c0, c1, c2, c3, topic, t0, t1, s0, s1] = *head;
        let correlation_id = usize::try_from(u32::from_be_bytes([c0, c1, c2, c3])).ok()?;
        let (correlation_id, texts) = texts.split_at_checked(correlation_id)?;
        let (topic, texts) = texts.split_at_checked(usize::from(topic))?;
        let (parent, texts) = texts.split_at_checked(u16::from_be_bytes([t0, t1]).into())?;
        let (state, rest) = texts.split_at_checked(u16::from_be_bytes([s0, s1]).into())?;
        let there = |bit: u8, text: &'a [u8]| (tag & bit != 0).then_some(text);
        let reply_to = Self {
            peer: PEERS.get(usize::from(peer))?,
            correlation_id: there(HAS_CORRELATION_ID, correlation_id),
            topic: legal_topic(topic)?,
            partition: decode_partition(tag, i32::from_be_bytes([p0, p1, p2, p3]))?,
            trace: Trace { parent: there(HAS_PARENT, parent), state: there(HAS_STATE, state) },
        };
        rest.is_empty().then_some(reply_to)
    }
}

const fn decode_partition(tag: u8, number: i32) -> Option<ReplyPartition> {
    match tag & 0b11 {
        0 => Some(ReplyPartition::Any),
        1 => Some(ReplyPartition::Number(number)),
        2 => Some(ReplyPartition::Unusable),
        _ => None,
    }
}
