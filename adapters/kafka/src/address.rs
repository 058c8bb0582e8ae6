//! Return addresses as this adapter writes and reads them: compact bytes.
//!
//! A reply lane's address says where replies go. That of a request that was read says more:
//! where the request stands, so that it can be dead-lettered, and its type, which the reply
//! repeats.

use catchment_domain::ReturnAddress;
use catchment_request_reply::profile::{self, IllegalTopic, ReplyTo};

use crate::wire::{NamedType, RequestType};

/// The first byte of a lane's address.
const OF_LANE: u8 = 0xa0;
/// The first byte of a request's address.
const OF_REQUEST: u8 = 0xa1;
/// Length of what stands before a request's type: first byte, partition, offset, destination.
const HEAD: usize = 14;

// The type that a request names: none, one of ours, or text with its length before it.
const NO_TYPE: u8 = 0;
const OTHER_TYPE: u8 = u8::MAX;

/// What a return address says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address<'a> {
    /// Where the request stands; `None` in a lane's own address.
    pub(crate) origin: Option<Origin>,
    /// The type that the request names.
    pub(crate) named_type: NamedType,
    /// Where its reply goes.
    pub(crate) destination: Destination<'a>,
}

/// Where a request stands in its topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Origin {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
}

/// Where a reply goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Destination<'a> {
    /// To whoever asked, where that is allowed.
    To(ReplyTo<'a>),
    /// Nowhere: nobody asked for one.
    Nowhere,
    /// Nowhere: the topic is no name that a topic can have.
    Illegal,
    /// Nowhere: what the reply would have to repeat is absurdly long.
    Oversized,
}

impl<'a> Destination<'a> {
    /// The most bytes of correlation id and trace context. Addresses are held by the thousand.
    const MOST: usize = 4_096;

    /// Where the reply goes that these headers ask for.
    pub(crate) fn read(headers: impl IntoIterator<Item = profile::Header<'a>>) -> Self {
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
}

/// How many bytes a reply repeats of its request's headers.
fn repeated(reply_to: &ReplyTo<'_>) -> usize {
    let trace = reply_to.trace();
    let parts = [reply_to.correlation_id(), trace.parent, trace.state];
    parts.into_iter().flatten().map(<[u8]>::len).sum()
}

/// The address that makes replies arrive in a lane.
pub(crate) fn of_lane(reply_to: &ReplyTo<'_>) -> ReturnAddress {
    ReturnAddress([OF_LANE].into_iter().chain(reply_to.encoded()).collect())
}

/// The address of a request that was read.
pub(crate) fn of_request(
    Origin { partition, offset }: Origin,
    named_type: &NamedType,
    destination: &Destination<'_>,
) -> ReturnAddress {
    let [p0, p1, p2, p3] = partition.to_be_bytes();
    let [o0, o1, o2, o3, o4, o5, o6, o7] = offset.to_be_bytes();
    let head: [u8; HEAD] =
        [OF_REQUEST, p0, p1, p2, p3, o0, o1, o2, o3, o4, o5, o6, o7, destination.tag()];
    let (tag, length, text) = type_bytes(named_type);
    let named = head.into_iter().chain([tag]).chain(length).chain(text.bytes());
    ReturnAddress(match destination {
        Destination::To(reply_to) => named.chain(reply_to.encoded()).collect(),
        Destination::Nowhere | Destination::Illegal | Destination::Oversized => named.collect(),
    })
}

/// A type as bytes: which, and the length and text of one that is not ours.
fn type_bytes(named_type: &NamedType) -> (u8, Option<u8>, &str) {
    match named_type {
        NamedType::None => (NO_TYPE, None, ""),
        NamedType::Known(known) => {
            let place = RequestType::ALL.iter().position(|other| other == known);
            let number = place.and_then(|place| u8::try_from(place + 1).ok());
            (number.unwrap_or(NO_TYPE), None, "")
        }
        NamedType::Other(text) => match u8::try_from(text.len()) {
            Ok(length) => (OTHER_TYPE, Some(length), text),
            Err(_) => (NO_TYPE, None, ""),
        },
    }
}

impl<'a> Address<'a> {
    /// Reads an address; `None` for bytes that this adapter did not write.
    pub(crate) fn decode(bytes: &'a [u8]) -> Option<Self> {
        match bytes.split_first()? {
            (&OF_LANE, reply_to) => Some(Self {
                origin: None,
                named_type: NamedType::None,
                destination: Destination::To(ReplyTo::decode(reply_to)?),
            }),
            (&OF_REQUEST, rest) => Self::decode_request(rest),
            _ => None,
        }
    }

    fn decode_request(bytes: &'a [u8]) -> Option<Self> {
        let (partition, rest) = bytes.split_first_chunk()?;
        let (offset, rest) = rest.split_first_chunk()?;
        let (tag, rest) = rest.split_first()?;
        let (named_type, rest) = decode_type(rest)?;
        let destination = match (tag, rest) {
            (0, reply_to) => Destination::To(ReplyTo::decode(reply_to)?),
            (1, []) => Destination::Nowhere,
            (2, []) => Destination::Illegal,
            (3, []) => Destination::Oversized,
            _ => return None,
        };
        let origin = Origin {
            partition: i32::from_be_bytes(*partition),
            offset: i64::from_be_bytes(*offset),
        };
        Some(Self { origin: Some(origin), named_type, destination })
    }
}

fn decode_type(bytes: &[u8]) -> Option<(NamedType, &[u8])> {
    let (tag, rest) = bytes.split_first()?;
    match *tag {
        NO_TYPE => Some((NamedType::None, rest)),
        OTHER_TYPE => {
            let (length, rest) = rest.split_first()?;
            let (text, rest) = rest.split_at_checked(usize::from(*length))?;
            Some((NamedType::Other(str::from_utf8(text).ok()?.into()), rest))
        }
        number => {
            let known = RequestType::ALL.get(usize::from(number) - 1)?;
            Some((NamedType::Known(*known), rest))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn named_type() -> impl Strategy<Value = NamedType> {
        prop_oneof![
            Just(NamedType::None),
            proptest::sample::select(RequestType::ALL.to_vec()).prop_map(NamedType::Known),
            "\\PC{0,16}".prop_map(|text| NamedType::Other(text.into())),
        ]
    }

    fn check(address: &ReturnAddress, expected: &Address<'_>) {
        assert_eq!(Address::decode(&address.0).as_ref(), Some(expected));
        for cut in 0..address.0.len() {
            assert_eq!(Address::decode(&address.0[..cut]), None, "cut at {cut}");
        }
        let longer: Vec<u8> = address.0.iter().copied().chain([0]).collect();
        assert_eq!(Address::decode(&longer), None);
    }

    #[test]
    fn a_lanes_address_says_topic_and_partition() {
        let reply_to = ReplyTo::of("replies", 7).unwrap();
        let destination = Destination::To(reply_to);
        let expected = Address { origin: None, named_type: NamedType::None, destination };
        check(&of_lane(&reply_to), &expected);
    }

    proptest! {
        #[test]
        fn prop_a_requests_address_is_read_as_written(
            (partition, offset) in any::<(i32, i64)>(),
            named_type in named_type(),
            destination in 0..4,
            correlation_id in any::<Option<Vec<u8>>>(),
        ) {
            let headers = [
                ("kafka_replyTopic", Some(&b"replies"[..])),
                ("kafka_correlationId", correlation_id.as_deref()),
                ("kafka_replyPartition", Some(b"3")),
            ];
            let destination = match destination {
                0 => Destination::To(ReplyTo::read(headers).unwrap().unwrap()),
                1 => Destination::Nowhere,
                2 => Destination::Illegal,
                _ => Destination::Oversized,
            };
            let origin = Origin { partition, offset };
            let address = of_request(origin, &named_type, &destination);
            check(&address, &Address { origin: Some(origin), named_type, destination });
        }

        #[test]
        fn prop_any_bytes_are_an_address_or_none(
            first in prop_oneof![any::<u8>(), Just(OF_LANE), Just(OF_REQUEST)],
            rest in any::<Vec<u8>>(),
        ) {
            let bytes = [&[first], &*rest].concat();
            if let Some(Address { origin: Some(origin), named_type, destination }) = Address::decode(&bytes) {
                prop_assert_eq!(&*of_request(origin, &named_type, &destination).0, &*bytes);
            }
        }
    }
}
