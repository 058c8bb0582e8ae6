//! The log between the processes: that of the memory adapter, with gaps between positions,
//! records that nobody can read, and replies that are lost with their lane.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use catchment_domain::ports::{
    ChannelError, LogError, ReplyChannel, ReplyLog, ReplyRecord, RequestChannel, RequestLog,
    Stretch,
};
use catchment_domain::{
    Code, Committed, Invalid, Lane, Lanes, LogIdentity, Position, Reply, ReplyLane, Request,
    RequestId, RequestRecord, ReturnAddress, ShopId,
};
use catchment_memory::MemoryLog;

use crate::simulator::dice::Dice;
use crate::simulator::params::Params;

/// How many records a lane takes: so few that it is full at times, or soon where it stands still,
/// where what was answered makes room.
const SMALL: [usize; 2] = [2, 24];

pub(crate) struct Wires {
    /// How many logs there were before.
    pub(crate) number: u64,
    identity: LogIdentity,
    gap: u64,
    forgetful: bool,
    log: Arc<MemoryLog>,
    /// For each lane a shop of another.
    strangers: Vec<Option<ShopId>>,
    /// Records that cannot be processed.
    bad: Mutex<BTreeSet<(Lane, Position)>>,
    /// What owners of request lanes committed, at positions that others see.
    committed: Mutex<BTreeMap<Lane, Committed>>,
    /// Replies below these positions are lost.
    lost_below: Mutex<Vec<Position>>,
}

/// What a record says that is not the request that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disguise {
    Unreadable,
    WrongLane,
    /// Somebody else's record.
    Foreign,
}

impl Disguise {
    /// Marks the id of a request whose record is to look like this.
    pub(crate) fn mark(self, id: u128) -> u128 {
        let tag = match self {
            Self::Unreadable => 0xdead_0001,
            Self::WrongLane => 0xdead_0002,
            Self::Foreign => 0xdead_0003,
        };
        id >> 32 << 32 | tag
    }

    /// What the record of this id looks like.
    pub(crate) fn of(id: RequestId) -> Option<Self> {
        let tag = id.0.as_u128() & 0xffff_ffff;
        let all = [Self::Unreadable, Self::WrongLane, Self::Foreign];
        all.into_iter().find(|disguise| disguise.mark(0) == tag)
    }
}

impl Wires {
    pub(crate) fn new(
        (lanes, shops): (Lanes, &[ShopId]),
        params: &Params,
        dice: &Dice,
        number: u64,
    ) -> Self {
        let stranger = |lane| shops.iter().find(|shop| lanes.lane_of(shop) != lane).cloned();
        let id = if params.passing { dice.number128() } else { 17 };
        let identity = LogIdentity { id, lasting: !params.passing };
        let capacity =
            if params.forgetful && dice.chance(5_000) { *dice.pick(&SMALL) } else { 1 << 20 };
        Self {
            number,
            identity,
            gap: params.gap,
            forgetful: params.forgetful,
            log: Arc::new(MemoryLog::new(lanes, params.reply_lanes, capacity, identity)),
            strangers: lanes.iter().map(stranger).collect(),
            bad: Mutex::default(),
            committed: Mutex::default(),
            lost_below: Mutex::new(vec![Position(0); usize::from(params.reply_lanes)]),
        }
    }

    pub(crate) const fn identity(&self) -> LogIdentity {
        self.identity
    }

    /// The position that others see of the record that is the `index`th of its lane.
    pub(crate) const fn outer(&self, index: u64) -> Position {
        Position(index * self.gap)
    }

    /// The first record at a position that others see, or behind it.
    fn inner(&self, position: Position) -> Position {
        Position(position.0.div_ceil(self.gap))
    }

    pub(crate) fn spoil(&self, lane: Lane, position: Position) {
        self.bad.lock().unwrap().insert((lane, position));
    }

    pub(crate) fn is_bad(&self, lane: Lane, position: Position) -> bool {
        self.bad.lock().unwrap().contains(&(lane, position))
    }

    pub(crate) async fn send(
        &self,
        request: Request,
        address: &ReturnAddress,
    ) -> Result<(), ChannelError> {
        RequestChannel::send(&*self.log, vec![request], address).await
    }

    pub(crate) async fn read(
        &self,
        lane: Lane,
        from: Position,
        max: usize,
    ) -> Result<Stretch, LogError> {
        let read = RequestLog::read(&*self.log, lane, self.inner(from), max).await;
        let Stretch { requests, last } = read.map_err(|error| self.outer_error(error))?;
        let requests = requests.into_iter().filter_map(|record| self.seen(lane, record)).collect();
        Ok(Stretch { requests, last: last.map(|(last, id)| (self.outer(last.0), id)) })
    }

    /// A record as its readers see it; `None` where it is no business of theirs.
    fn seen(&self, lane: Lane, record: RequestRecord) -> Option<RequestRecord> {
        let position = self.outer(record.position.0);
        let request = match Disguise::of(record.id) {
            None => record.request,
            Some(Disguise::Foreign) => return None,
            Some(Disguise::Unreadable) => {
                Err(Invalid { code: Code::Unreadable, message: "not a request".into(), shop: None })
            }
            Some(Disguise::WrongLane) => {
                let stranger = self.strangers[usize::from(lane.0)].clone();
                record.request.map(|request| Request {
                    shop: stranger.unwrap_or_else(|| request.shop.clone()),
                    ..request
                })
            }
        };
        Some(RequestRecord { position, request, ..record })
    }

    pub(crate) async fn last_before(
        &self,
        lane: Lane,
        position: Position,
    ) -> Result<Option<RequestId>, LogError> {
        let last = self.log.last_before(lane, self.inner(position)).await;
        last.map_err(|error| self.outer_error(error))
    }

    pub(crate) async fn commit(&self, lane: Lane, committed: Committed) {
        self.committed.lock().unwrap().insert(lane, committed);
        if self.forgetful {
            let next = self.inner(committed.next);
            self.log.commit(lane, Committed { next, ..committed }).await;
        }
    }

    pub(crate) fn committed(&self) -> BTreeMap<Lane, Committed> {
        self.committed.lock().unwrap().clone()
    }

    pub(crate) async fn answer(
        &self,
        replies: Vec<(ReturnAddress, Reply)>,
    ) -> Result<(), ChannelError> {
        ReplyChannel::send(&*self.log, replies).await
    }

    pub(crate) fn reply_lanes(&self) -> u16 {
        self.log.lanes()
    }

    pub(crate) fn address(&self, lane: ReplyLane) -> ReturnAddress {
        self.log.address(lane)
    }

    pub(crate) async fn reply_end(&self, lane: ReplyLane) -> Result<Position, LogError> {
        self.log.end(lane).await.map(|end| self.outer(end.0))
    }

    /// Whether there is no reply at a position that others see, or behind it.
    pub(crate) async fn is_end_of_replies(&self, lane: ReplyLane, position: Position) -> bool {
        self.log.end(lane).await.is_ok_and(|end| end <= self.inner(position))
    }

    pub(crate) async fn read_replies(
        &self,
        lane: ReplyLane,
        from: Position,
        max: usize,
    ) -> Result<Vec<ReplyRecord>, LogError> {
        let first = self.lost_below.lock().unwrap()[usize::from(lane.0)];
        if from < first {
            return Err(LogError::Truncated { from, first });
        }
        let read = ReplyLog::read(&*self.log, lane, self.inner(from), max).await;
        let records = read.map_err(|error| self.outer_error(error))?;
        let seen = |r: ReplyRecord| ReplyRecord { position: self.outer(r.position.0), ..r };
        Ok(records.into_iter().map(seen).collect())
    }

    pub(crate) async fn release_replies(&self, lane: ReplyLane, next: Position) {
        if self.forgetful {
            ReplyLog::release(&*self.log, lane, self.inner(next)).await;
        }
    }

    /// Loses the replies below a position.
    pub(crate) fn lose_replies(&self, lane: ReplyLane, below: Position) {
        let first = &mut self.lost_below.lock().unwrap()[usize::from(lane.0)];
        *first = below.max(*first);
    }

    fn outer_error(&self, error: LogError) -> LogError {
        match error {
            LogError::Truncated { from, first } => {
                LogError::Truncated { from: self.outer(from.0), first: self.outer(first.0) }
            }
            LogError::Beyond { from, end } => {
                LogError::Beyond { from: self.outer(from.0), end: self.outer(end.0) }
            }
            error @ (LogError::Unavailable(_) | LogError::Closed) => error,
        }
    }
}
