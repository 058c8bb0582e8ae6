//! Leases of reply lanes.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use catchment_domain::ports::{Holder, Lease, ReplyLanes, StoreError};
use catchment_domain::{
    CampaignState, Epoch, LaneProblem, LogChange, LogIdentity, Mismatch, Position, ReplyLane,
    ReplyLaneRow as Told, Timestamp, lease_left,
};

use super::{MemoryStore, Tables};

/// A reply lane.
#[derive(Clone)]
pub(super) struct ReplyLaneRow {
    log: LogIdentity,
    epoch: Epoch,
    /// The holder, or `None` after the lease was given back.
    holder: Option<Holder>,
    until: Timestamp,
    pub(super) position: Position,
}

impl ReplyLaneRow {
    /// Makes a lane that was never leased.
    const fn new(log: LogIdentity, end: Position) -> Self {
        let (epoch, until) = (Epoch(0), Timestamp::MIN);
        Self { log, epoch, holder: None, until, position: end }
    }

    /// Returns how long the lease still lasts, or `None` if there is none.
    pub(super) fn leased_for(&self, now: Timestamp) -> Option<Duration> {
        self.holder.and_then(|_| lease_left(self.until, now))
    }

    /// Fences the holder.
    pub(super) const fn fence(&mut self) {
        self.epoch = Epoch(self.epoch.0 + 1);
        (self.holder, self.until) = (None, Timestamp::MIN);
    }

    /// Lets the next holder begin at the end of a log.
    pub(super) const fn move_to(&mut self, log: LogIdentity, end: Position) {
        (self.log, self.position) = (log, end);
    }

    /// Returns the lane as the port shows it.
    pub(super) fn stored(&self, now: Timestamp) -> Told {
        let holder = self.holder(now).map(|holder| holder.0.to_string());
        Told { log: self.log, epoch: self.epoch, position: self.position, holder }
    }

    /// Returns the current holder, or `None` if the lease has run out.
    fn holder(&self, now: Timestamp) -> Option<Holder> {
        self.holder.filter(|_| lease_left(self.until, now).is_some())
    }

    /// Switches to this log. If the log has changed, the lane begins at `end`.
    fn follow(
        &mut self,
        lane: ReplyLane,
        (log, end): (LogIdentity, Position),
    ) -> Result<(), StoreError> {
        match LogChange::between(Some(self.log), log) {
            LogChange::Same => {}
            LogChange::Anew => self.move_to(log, end),
            LogChange::Other => {
                return Err(LaneProblem::of_replies(lane, Mismatch::OtherLog).into());
            }
        }
        Ok(())
    }
}

impl Tables {
    /// Returns the row of a lane if this is its newest lease and was not given back.
    pub(super) fn leased(&mut self, lease: &Lease) -> Result<&mut ReplyLaneRow, StoreError> {
        let newest = (lease.epoch, Some(lease.holder));
        let row = self.reply_lanes.get_mut(&lease.lane);
        row.filter(|row| (row.epoch, row.holder) == newest).ok_or(StoreError::Fenced)
    }

    /// Lets a lane begin at the end of a log, and fences whoever has it.
    pub(super) fn begin_at(&mut self, lane: ReplyLane, log: LogIdentity, end: Position) {
        let row = self.reply_lanes.entry(lane).or_insert_with(|| ReplyLaneRow::new(log, end));
        row.fence();
        row.move_to(log, end);
    }

    pub(super) fn is_leased(&self, lane: ReplyLane, now: Timestamp) -> bool {
        self.reply_lanes.get(&lane).is_some_and(|row| row.holder(now).is_some())
    }
}

#[async_trait]
impl ReplyLanes for MemoryStore {
    async fn lease(
        &self,
        lane: ReplyLane,
        holder: Holder,
        (log, end): (LogIdentity, Position),
        duration: Duration,
    ) -> Result<Option<Lease>, StoreError> {
        let mut tables = self.tables();
        let now = self.clock.now();
        let new = || ReplyLaneRow::new(log, end);
        let row = tables.reply_lanes.entry(lane).or_insert_with(new);
        if row.holder(now).is_some_and(|present| present != holder) {
            return Ok(None);
        }
        row.follow(lane, (log, end))?;
        row.epoch = Epoch(row.epoch.0 + 1);
        row.holder = Some(holder);
        row.until = now.saturating_add(duration);
        Ok(Some(Lease { lane, holder, epoch: row.epoch, position: row.position }))
    }

    async fn renew(&self, lease: &Lease, duration: Duration) -> Result<(), StoreError> {
        let mut tables = self.tables();
        tables.leased(lease)?.until = self.clock.now().saturating_add(duration);
        Ok(())
    }

    async fn go_back(&self, lease: &Lease, end: Position) -> Result<(), StoreError> {
        self.tables().leased(lease)?.position = end;
        Ok(())
    }

    async fn surrender(&self, lease: &Lease) -> Result<(), StoreError> {
        self.tables().leased(lease)?.holder = None;
        Ok(())
    }

    async fn orphans(&self) -> Result<Vec<ReplyLane>, StoreError> {
        let tables = self.tables();
        let now = self.clock.now();
        let unfinished = tables.campaigns.values().filter(|stored| {
            let campaign = &stored.campaign;
            let is_damaged = stored.is_spoiled && campaign.state != CampaignState::Ended;
            is_damaged || 0 < campaign.state.open() || tables.is_to_be_ended(campaign, now)
        });
        let lanes = unfinished.filter_map(|stored| stored.campaign.reply_lane);
        let lanes: BTreeSet<ReplyLane> = lanes.collect();
        Ok(lanes.into_iter().filter(|lane| !tables.is_leased(*lane, now)).collect())
    }
}
