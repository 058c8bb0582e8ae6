use async_trait::async_trait;
use thiserror::Error;

use crate::outcome::Reply;
use crate::ports::BoxError;
use crate::request::{Request, ReturnAddress};

/// Why messages may not have been sent.
#[derive(Debug, Error)]
pub enum ChannelError {
    /// Send the same again: whether any of it arrived is not known.
    #[error("the messages may not have been sent")]
    Unknown(#[source] BoxError),
    /// The channel is closed for good.
    #[error("the channel is closed")]
    Closed,
}

/// Where requests are sent.
///
/// # Promises
///
/// - `requests_keep_their_order`: those of one shop are read in the order in which they were
///   sent, in the lane that murmur2 of its id chooses.
/// - `requests_are_read_as_sent`: id, shop, change and return address.
/// - `full_channel_waits`: a channel without room takes more once there is room.
/// - `full_lane_holds_up_no_other`: while a call waits for room in its lane, calls for other lanes
///   go through.
#[async_trait]
pub trait RequestChannel: Send + Sync + 'static {
    /// Sends requests whose replies go to `address`, and returns once they are in their lanes: so
    /// a call for several lanes waits for the slowest of them.
    ///
    /// A call that is dropped on its way leaves any part of its requests in their lanes.
    async fn send(
        &self,
        requests: Vec<Request>,
        address: &ReturnAddress,
    ) -> Result<(), ChannelError>;
}

/// Where replies are sent.
///
/// # Promises
///
/// - `replies_reach_their_address`: each is read in the lane that its address names, in order.
/// - `replies_to_nowhere_are_dropped`: an address that names no lane harms nobody.
#[async_trait]
pub trait ReplyChannel: Send + Sync + 'static {
    /// Sends replies, and returns once they are where they are read.
    async fn send(&self, replies: Vec<(ReturnAddress, Reply)>) -> Result<(), ChannelError>;
}
