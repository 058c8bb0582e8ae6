//! Where requests are sent.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use catchment_domain::ports::{ChannelError, Clock, RequestChannel};
use catchment_domain::{Request, RequestId, ReturnAddress};
use catchment_request_reply::profile::{ReplyTo, RequestHeaders, RequestStyle, Trace};
use catchment_request_reply::reply::{self, Destination};
use catchment_request_reply::{Header, Message, Sender};

use crate::error::channel_error;
use crate::wire;

/// How many requests are messages at once: a campaign's share is tens of thousands, and each
/// takes about a kilobyte with its headers. Enough that waiting for the last of them costs next
/// to nothing.
const PIECE: usize = 4_000;

/// Where requests are sent: each to the partition that murmur2 of its shop chooses.
///
/// They ask for their replies in the headers of every kind of peer, and in the partition that
/// the return address names.
pub struct KafkaRequestChannel {
    sender: Sender,
    topic: Arc<str>,
    clock: Arc<dyn Clock>,
}

impl KafkaRequestChannel {
    pub(crate) fn new(sender: Sender, topic: &str, clock: Arc<dyn Clock>) -> Self {
        Self { sender, topic: topic.into(), clock }
    }

    fn messages(&self, requests: &[Request], lane: (&str, i32)) -> Vec<Message> {
        let requested_at = wire::written_instant(self.clock.now());
        let mut json = Vec::new();
        let message = |request: &Request| {
            json.clear();
            wire::write_request(request, &requested_at, &mut json);
            Message {
                topic: Arc::clone(&self.topic),
                partition: None,
                key: Some(request.shop.as_str().as_bytes().to_vec()),
                value: Some(json.as_slice().to_vec()),
                headers: headers(request.id, lane),
            }
        };
        requests.iter().map(message).collect()
    }
}

impl fmt::Debug for KafkaRequestChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaRequestChannel").field("topic", &self.topic).finish_non_exhaustive()
    }
}

#[async_trait]
impl RequestChannel for KafkaRequestChannel {
    async fn send(
        &self,
        requests: Vec<Request>,
        address: &ReturnAddress,
    ) -> Result<(), ChannelError> {
        let lane = lane_of(address).ok_or_else(|| {
            ChannelError::Unknown("the return address names no reply lane".into())
        })?;
        for piece in requests.chunks(PIECE) {
            let messages = self.messages(piece, lane);
            self.sender.send(&messages).await.map_err(channel_error)?;
        }
        Ok(())
    }
}

/// Topic and partition of a reply lane's address.
fn lane_of(address: &ReturnAddress) -> Option<(&str, i32)> {
    match reply::ReturnAddress::decode(&address.0)?.destination {
        Destination::To(reply_to) => named(reply_to),
        Destination::Nowhere | Destination::Illegal | Destination::Oversized => None,
    }
}

fn named(reply_to: ReplyTo<'_>) -> Option<(&str, i32)> {
    Some((reply_to.topic(), reply_to.partition().number()?))
}

/// The headers of a request whose reply is to go to this topic and partition.
pub(crate) fn headers(id: RequestId, lane: (&str, i32)) -> Vec<Header> {
    let headers = RequestHeaders::new(RequestStyle::OWN, lane, id.0, Trace::default());
    headers.iter().map(Header::from).collect()
}
