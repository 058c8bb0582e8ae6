use crate::profile::{Header, IllegalTopic, ReplyTo};

/// Where a request stands in its topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
}

/// Where a request asks for its reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination<'a> {
    /// There, if that is allowed.
    To(ReplyTo<'a>),
    /// Nowhere: it asks for no reply.
    Nowhere,
    /// In a topic whose name no topic can have.
    Illegal,
    /// Its reply would have to repeat headers that are absurdly long.
    Oversized,
}

impl<'a> Destination<'a> {
    /// The most bytes of correlation id and trace context. Addresses are held by the thousand.
    pub(super) const MOST: usize = 4_096;

    /// Reads a request's headers.
    pub fn read(headers: impl IntoIterator<Item = Header<'a>>) -> Self {
        match ReplyTo::read(headers) {
            Ok(Some(reply_to)) if Self::MOST < repeated(&reply_to) => Self::Oversized,
            Ok(Some(reply_to)) => Self::To(reply_to),
            Ok(None) => Self::Nowhere,
            Err(IllegalTopic) => Self::Illegal,
        }
    }

    const fn tag(&self) -> u8 {
        match self {
            Self::To(_) => 0,
            Self::Nowhere => 1,
            Self::Illegal => 2,
            Self::Oversized => 3,
        }
    }

    fn decode(tag: u8, bytes: &'a [u8]) -> Option<Self> {
        match (tag, bytes) {
            (0, reply_to) => ReplyTo::decode(reply_to).map(Self::To),
            (1, []) => Some(Self::Nowhere),
            (2, []) => Some(Self::Illegal),
            (3, []) => Some(Self::Oversized),
            _ => None,
        }
    }
}

/// How many bytes a reply repeats of its request's headers.
fn repeated(reply_to: &ReplyTo<'_>) -> usize {
    let trace = reply_to.trace();
    let parts = [reply_to.correlation_id(), trace.parent, trace.state];
    parts.into_iter().flatten().map(<[u8]>::len).sum()
}

/// What is kept of a request until its reply is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReturnAddress<'a> {
    /// Where the request stands; `None` in an address that no request has yet.
    pub place: Option<Place>,
    /// What its reply repeats; at most 255 bytes.
    pub note: &'a str,
    /// Where its reply goes.
    pub destination: Destination<'a>,
}

/// Length of what stands before the note: tag, partition, offset, the note's length.
const HEAD: usize = 14;

/// Bit of the tag above the two of the destination.
const HAS_PLACE: u8 = 1 << 2;

impl<'a> ReturnAddress<'a> {
    /// The address as bytes, in one allocation. A note that is too long is left out.
    #[must_use]
    pub fn encode<B: FromIterator<u8>>(&self) -> B {
        let Place { partition, offset } = self.place.unwrap_or(Place { partition: 0, offset: 0 });
        let has_place = if self.place.is_some() { HAS_PLACE } else { 0 };
        let (length, note) = match u8::try_from(self.note.len()) {
            Ok(length) => (length, self.note),
            Err(_) => (0, ""),
        };
        let [p0, p1, p2, p3] = partition.to_be_bytes();
        let [o0, o1, o2, o3, o4, o5, o6, o7] = offset.to_be_bytes();
        let tag = self.destination.tag() | has_place;
        let head: [u8; HEAD] = [tag, p0, p1, p2, p3, o0, o1, o2, o3, o4, o5, o6, o7, length];
        let noted = head.into_iter().chain(note.bytes());
        match self.destination {
            Destination::To(reply_to) => noted.chain(reply_to.encoded()).collect(),
            Destination::Nowhere | Destination::Illegal | Destination::Oversized => noted.collect(),
        }
    }

    /// Reads what [`encode`](ReturnAddress::encode) wrote; `None` for any other bytes.
    #[must_use]
    pub fn decode(bytes: &'a [u8]) -> Option<Self> {
        let (head, rest) = bytes.split_first_chunk::<HEAD>()?;
        let [tag, p0, p1, p2, p3, o0, o1, o2, o3, o4, o5, o6, o7, length] = *head;
        let (note, rest) = rest.split_at_checked(length.into())?;
        let place = Place {
            partition: i32::from_be_bytes([p0, p1, p2, p3]),
            offset: i64::from_be_bytes([o0, o1, o2, o3, o4, o5, o6, o7]),
        };
        Some(Self {
            place: (tag & HAS_PLACE != 0).then_some(place),
            note: str::from_utf8(note).ok()?,
            destination: Destination::decode(tag & !HAS_PLACE, rest)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_address_is_read_as_written(
            place in any::<Option<(i32, i64)>>(),
            note in "\\PC{0,16}",
            destination in 0..4,
            correlation_id in any::<Option<Vec<u8>>>(),
        ) {
            let headers = [
                ("kafka_replyTopic", Some(&b"replies"[..])),
                ("kafka_correlationId", correlation_id.as_deref()),
                ("kafka_replyPartition", Some(b"3")),
            ];
            let destination = match destination {
                0 => Destination::read(headers),
                1 => Destination::Nowhere,
                2 => Destination::Illegal,
                _ => Destination::Oversized,
            };
            let place = place.map(|(partition, offset)| Place { partition, offset });
            let address = ReturnAddress { place, note: &note, destination };
            let mut bytes: Vec<u8> = address.encode();
            prop_assert_eq!(ReturnAddress::decode(&bytes), Some(address));
            for cut in 0..bytes.len() {
                prop_assert_eq!(ReturnAddress::decode(&bytes[..cut]), None, "cut at {}", cut);
            }
            bytes.push(0);
            prop_assert_eq!(ReturnAddress::decode(&bytes), None);
        }

        #[test]
        fn any_bytes_are_an_address_or_none(tag in 0_u8..16, rest in any::<Vec<u8>>()) {
            let bytes = [&[tag], &*rest].concat();
            if let Some(address) = ReturnAddress::decode(&bytes) {
                let again: Vec<u8> = address.encode();
                prop_assert_eq!(ReturnAddress::decode(&again), Some(address));
            }
        }
    }

    #[test]
    fn an_address_is_kept_in_one_allocation() {
        let headers = [("kafka_replyTopic", Some(&b"t"[..])), ("kafka_correlationId", Some(b"id"))];
        let keep = || {
            let destination = Destination::read(headers);
            let address = ReturnAddress { place: None, note: "radius.activate", destination };
            let kept: std::sync::Arc<[u8]> = address.encode();
            assert_eq!(ReturnAddress::decode(&kept), Some(address));
        };
        assert_eq!(allocation_counter::measure(keep).count_total, 1);
    }

    #[test]
    fn what_a_reply_repeats_is_bounded() {
        for (length, is_oversized) in [(Destination::MOST, false), (Destination::MOST + 1, true)] {
            let id = vec![b'x'; length];
            let headers =
                [("kafka_replyTopic", Some(&b"t"[..])), ("kafka_correlationId", Some(&*id))];
            assert_eq!(Destination::read(headers) == Destination::Oversized, is_oversized);
        }
    }
}
