//! Who asks, where the answer goes, and which headers say so.
//!
//! The only place that knows names and bytes of headers; it is pure, with a file for each kind of
//! peer. Peers are told apart by what they send, never by a setting:
//!
//! | peer | correlation id | reply topic | reply partition | a failure |
//! |---|---|---|---|---|
//! | Spring | `kafka_correlationId` | `kafka_replyTopic` | `kafka_replyPartition`, 4 bytes | `catchment-failure` |
//! | NestJS | `kafka_correlationId` | `kafka_replyTopic` | `kafka_replyPartition`, **decimal** | `kafka_nest-err` |
//! | SmallRye | `REPLY_CORRELATION_ID` | `REPLY_TOPIC` | `REPLY_PARTITION`, 4 bytes | `catchment-failure` |
//!
//! `catchment-failure` is this crate's own header. Spring and SmallRye ignore it, and find the
//! failure in the value.
//!
//! Names are case-sensitive, and of a repeated name the last counts.
//! Our requester writes the first and the third row at once, so any replier can answer
//! ([`RequestHeaders`]). A replier that is asked in both answers in one ([`ReplyTo`]).

mod compact;
mod dead_letter;
mod failure;
mod oddity;
mod own;
mod partition;
mod peer;
mod reply;
mod reply_to;

pub use dead_letter::{DeadLetter, Origin};
pub use failure::Failure;
pub use oddity::Oddity;
pub use own::{CorrelationForm, RequestHeaders, RequestStyle};
pub use partition::{PartitionForm, ReplyPartition};
pub use peer::Peer;
pub use reply::{Answer, ReadReply};
pub use reply_to::{IllegalTopic, ReplyDetails, ReplyTo};

use crate::record;

/// A file for each kind of peer, and the list of them all.
macro_rules! peers {
    ($($file:ident,)*) => {
        $(mod $file;)*
        static PEERS: [&Peer; [$(stringify!($file)),*].len()] = [$(&$file::PEER),*];
    };
}

// A request belongs to the first that it can be from.
peers! {
    nest,
    spring,
    smallrye,
}

/// A header: its name, and its value where it has one.
pub type Header<'a> = (&'a str, Option<&'a [u8]>);

/// A header under one of our names.
pub type OwnHeader<'a> = (&'static str, Option<&'a [u8]>);

impl From<OwnHeader<'_>> for record::Header {
    fn from((name, value): OwnHeader<'_>) -> Self {
        Self { name: name.into(), value: value.map(<[u8]>::to_vec) }
    }
}

/// Whether a header is one by which some kind of peer asks for a reply.
pub(crate) fn asks_for_reply(name: &str) -> bool {
    PEERS.iter().any(|peer| peer.names().contains(&name))
}

const TRACE_PARENT: &str = "traceparent";
const TRACE_STATE: &str = "tracestate";

/// W3C trace context, carried from a request into its reply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trace<'a> {
    /// The header `traceparent`.
    pub parent: Option<&'a [u8]>,
    /// The header `tracestate`.
    pub state: Option<&'a [u8]>,
}

impl<'a> Trace<'a> {
    /// Remembers a header, where it is one of the two.
    fn read(&mut self, (name, value): Header<'a>) {
        match name {
            TRACE_PARENT => self.parent = value.filter(|value| Self::fits(value)),
            TRACE_STATE => self.state = value.filter(|value| Self::fits(value)),
            _ => {}
        }
    }

    /// Whether a value is short enough for the compact form; the standard's own limit is 512.
    fn fits(value: &[u8]) -> bool {
        u16::try_from(value.len()).is_ok()
    }

    fn headers(self) -> impl Iterator<Item = OwnHeader<'a>> {
        let parent = self.parent.map(|parent| (TRACE_PARENT, Some(parent)));
        let state = self.state.map(|state| (TRACE_STATE, Some(state)));
        parent.into_iter().chain(state)
    }
}
