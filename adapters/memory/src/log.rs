//! The log in memory: request lanes and reply lanes of one process.

mod track;

use std::collections::BTreeMap;
use std::future;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use catchment_domain::ports::{
    ChannelError, CommitLog, LogError, ReplyChannel, ReplyLog, ReplyRecord, RequestChannel,
    RequestLog, Stretch,
};
use catchment_domain::{
    Committed, Lane, Lanes, LogIdentity, Position, Reply, ReplyLane, Request, RequestId,
    RequestRecord, ReturnAddress,
};

use track::Track;

use crate::lock;

/// Request lanes and reply lanes in memory: channel and log, in both directions.
///
/// A request lane has a fixed capacity. [`RequestChannel::send`] waits while a lane is full, and
/// goes on when the consumer releases records. Calls for other lanes do not wait. A waiting call
/// cannot deadlock: the consumer only needs room in the reply lanes, which have no limit. Reply
/// lanes stay small all the same, because a requester has a bounded number of requests under way,
/// and each has one reply. If a waiting `send` is dropped, the first part of its requests stays in
/// the lanes, as with a broker.
///
/// Only this process writes to the lanes, so they hold only its own requests and replies.
///
/// A return address is the number of a reply lane, in two bytes, the higher first.
#[derive(Debug)]
pub struct MemoryLog {
    identity: LogIdentity,
    lanes: Lanes,
    capacity: usize,
    requests: Vec<Track<RequestRecord>>,
    replies: Vec<Track<ReplyRecord>>,
    committed: Mutex<BTreeMap<Lane, Committed>>,
    undeliverable: AtomicU64,
}

impl MemoryLog {
    /// Makes a log without records. `capacity` is the most records that a request lane holds, at
    /// least 1.
    #[must_use]
    pub fn new(lanes: Lanes, reply_lanes: u16, capacity: usize, identity: LogIdentity) -> Self {
        Self {
            identity,
            lanes,
            capacity: capacity.max(1),
            requests: lanes.iter().map(|_| Track::new()).collect(),
            replies: (0..reply_lanes).map(|_| Track::new()).collect(),
            committed: Mutex::default(),
            undeliverable: AtomicU64::new(0),
        }
    }

    /// Returns how many replies were dropped because their address names no lane.
    #[must_use]
    pub fn undeliverable(&self) -> u64 {
        self.undeliverable.load(Ordering::Relaxed)
    }

    fn requests(&self, lane: Lane) -> Result<&Track<RequestRecord>, LogError> {
        self.requests.get(usize::from(lane.0)).ok_or_else(|| no_lane(lane.0))
    }

    fn replies(&self, lane: ReplyLane) -> Result<&Track<ReplyRecord>, LogError> {
        self.replies.get(usize::from(lane.0)).ok_or_else(|| no_lane(lane.0))
    }

    /// Returns the lane of an address, if there is one.
    fn reply_lane(&self, address: &ReturnAddress) -> Option<ReplyLane> {
        let bytes = <[u8; 2]>::try_from(&*address.0).ok()?;
        let lane = ReplyLane(u16::from_be_bytes(bytes));
        (usize::from(lane.0) < self.replies.len()).then_some(lane)
    }
}

fn no_lane(lane: u16) -> LogError {
    LogError::Unavailable(format!("this log has no lane {lane}").into())
}

#[async_trait]
impl RequestChannel for MemoryLog {
    async fn send(
        &self,
        requests: Vec<Request>,
        address: &ReturnAddress,
    ) -> Result<(), ChannelError> {
        let mut by_lane: BTreeMap<Lane, Vec<Request>> = BTreeMap::new();
        for request in requests {
            by_lane.entry(self.lanes.lane_of(&request.shop)).or_default().push(request);
        }
        for (lane, requests) in by_lane {
            let track = self.requests(lane).map_err(|error| ChannelError::Unknown(error.into()))?;
            let mut requests = requests.into_iter().peekable();
            let record = |position, request: Request| RequestRecord {
                position,
                id: request.id,
                return_address: address.clone(),
                request: Ok(request),
            };
            while !track.append(&mut requests, self.capacity, record) {
                track.room(self.capacity).await;
            }
        }
        Ok(())
    }
}

#[async_trait]
impl RequestLog for MemoryLog {
    fn identity(&self) -> LogIdentity {
        self.identity
    }

    async fn read(&self, lane: Lane, from: Position, max: usize) -> Result<Stretch, LogError> {
        self.requests(lane)?.read(from, max).map(Stretch::of)
    }

    async fn last_before(
        &self,
        lane: Lane,
        position: Position,
    ) -> Result<Option<RequestId>, LogError> {
        Ok(self.requests(lane)?.before(position)?.map(|record| record.id))
    }

    async fn wait(&self, lane: Lane, from: Position) {
        match self.requests(lane) {
            Ok(track) => track.wait(from).await,
            Err(_) => future::pending().await,
        }
    }

    async fn commit(&self, lane: Lane, committed: Committed) {
        if let Ok(track) = self.requests(lane) {
            lock(&self.committed).insert(lane, committed);
            track.release(committed.next);
        }
    }

    async fn committed(&self, lane: Lane) -> Result<Option<Committed>, LogError> {
        Ok(lock(&self.committed).get(&lane).copied())
    }
}

#[async_trait]
impl CommitLog for MemoryLog {
    fn identity(&self) -> LogIdentity {
        self.identity
    }

    async fn committed(&self) -> Result<BTreeMap<Lane, Committed>, LogError> {
        Ok(lock(&self.committed).clone())
    }
}

#[async_trait]
impl ReplyChannel for MemoryLog {
    async fn send(&self, replies: Vec<(ReturnAddress, Reply)>) -> Result<(), ChannelError> {
        let mut by_lane: BTreeMap<ReplyLane, Vec<Reply>> = BTreeMap::new();
        for (address, reply) in replies {
            match self.reply_lane(&address) {
                Some(lane) => by_lane.entry(lane).or_default().push(reply),
                None => {
                    self.undeliverable.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
        for (lane, replies) in by_lane {
            let track = self.replies(lane).map_err(|error| ChannelError::Unknown(error.into()))?;
            let mut replies = replies.into_iter().peekable();
            track.append(&mut replies, usize::MAX, |position, reply| ReplyRecord {
                position,
                reply: Some(reply),
            });
        }
        Ok(())
    }
}

#[async_trait]
impl ReplyLog for MemoryLog {
    fn identity(&self) -> LogIdentity {
        self.identity
    }

    fn lanes(&self) -> u16 {
        // INVARIANT: `new` made as many tracks as a 16-bit number said.
        u16::try_from(self.replies.len()).unwrap_or(u16::MAX)
    }

    fn address(&self, lane: ReplyLane) -> ReturnAddress {
        ReturnAddress(lane.0.to_be_bytes().as_slice().into())
    }

    async fn end(&self, lane: ReplyLane) -> Result<Position, LogError> {
        Ok(self.replies(lane)?.end())
    }

    async fn read(
        &self,
        lane: ReplyLane,
        from: Position,
        max: usize,
    ) -> Result<Vec<ReplyRecord>, LogError> {
        self.replies(lane)?.read(from, max)
    }

    async fn wait(&self, lane: ReplyLane, from: Position) {
        match self.replies(lane) {
            Ok(track) => track.wait(from).await,
            Err(_) => future::pending().await,
        }
    }

    async fn release(&self, lane: ReplyLane, next: Position) {
        if let Ok(track) = self.replies(lane) {
            track.release(next);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU16;

    use catchment_domain::{Code, Outcome};
    use uuid::Uuid;

    use super::*;

    fn log() -> MemoryLog {
        let lanes = Lanes(NonZeroU16::new(2).unwrap());
        MemoryLog::new(lanes, 1, 10, LogIdentity { id: 1, lasting: false })
    }

    #[tokio::test]
    async fn replies_without_a_lane_are_counted() {
        let log = log();
        let outcome = Outcome::rejected(Code::Unreadable, None);
        let reply =
            Reply { id: RequestId(Uuid::nil()), shop: None, outcome, request_position: None };
        let addresses = [vec![], vec![0], vec![0, 0], vec![0, 1], vec![0, 0, 0]];
        let replies = addresses.map(|bytes| (ReturnAddress(bytes.into()), reply.clone()));
        ReplyChannel::send(&log, replies.into()).await.unwrap();
        assert_eq!(log.undeliverable(), 4);
        assert_eq!(log.end(ReplyLane(0)).await.unwrap(), Position(1));
    }

    #[tokio::test]
    async fn a_lane_that_is_not_there_cannot_be_read() {
        let log = log();
        let requests = RequestLog::read(&log, Lane(2), Position(0), 1).await;
        assert!(matches!(requests, Err(LogError::Unavailable(_))), "{requests:?}");
        let replies = ReplyLog::read(&log, ReplyLane(1), Position(0), 1).await;
        assert!(matches!(replies, Err(LogError::Unavailable(_))), "{replies:?}");
    }
}
