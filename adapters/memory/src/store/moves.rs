//! Moving the store away from its logs, and to another number of lanes.

use async_trait::async_trait;
use catchment_domain::ports::{Moves, StoreError};
use catchment_domain::{
    Chunk, Deadline, Epoch, Lanes, MoveTerms, Moved, NotDrained, Revision, ShopList, StoredItem,
    epoch_after, relane,
};

use super::campaigns::damage;
use super::lanes::LaneRow;
use super::{MemoryStore, Tables};

#[async_trait]
impl Moves for MemoryStore {
    async fn move_away(&self, terms: &MoveTerms) -> Result<Moved, StoreError> {
        let (mut tables, now) = (self.tables(), self.clock.now());
        let replies = tables.stored_reply_lanes(now);
        let campaigns = tables.campaigns.values().map(|stored| stored.read().cloned()).collect();
        terms.check(&tables.stored_lanes(), &replies, &campaigns)?;
        let moved = Moved {
            before: tables.count,
            lanes: terms.lanes,
            shops: tables.shops.len() as u64,
            campaigns: tables.campaigns.len() as u64,
        };
        let lanes = (moved.before != moved.lanes).then_some(moved.lanes);
        let relaned = lanes.map(|lanes| tables.relaned(lanes)).transpose()?;
        if terms.dry_run {
            return Ok(moved);
        }
        tables.leave(Deadline::at(now));
        if let Some(relaned) = relaned {
            tables.divide(moved.lanes, relaned);
        }
        Ok(moved)
    }
}

/// The chunks and lists of a campaign.
type Relaned = (Revision, (Vec<Chunk>, Vec<ShopList>));

impl Tables {
    /// The chunks and lists of all campaigns, divided among so many lanes.
    fn relaned(&self, lanes: Lanes) -> Result<Vec<Relaned>, StoreError> {
        let mut relaned = Vec::with_capacity(self.campaigns.len());
        for (revision, stored) in &self.campaigns {
            if let Some(damage) = stored.damages().into_iter().next() {
                return Err(NotDrained::Damaged(damage).into());
            }
            let divided = relane(&stored.chunks, &stored.lists, lanes);
            let unreadable = |_| NotDrained::Damaged(damage(StoredItem::List(*revision, 0)));
            relaned.push((*revision, divided.map_err(unreadable)?));
        }
        Ok(relaned)
    }

    /// Divides shops and campaigns among so many lanes. No receipt is kept.
    fn divide(&mut self, lanes: Lanes, relaned: Vec<Relaned>) {
        let (epoch, mark) = (self.newest_epoch(), self.mark());
        self.count = lanes;
        let shops = std::mem::take(&mut self.shops).into_iter();
        self.shops = shops.map(|(key, row)| (self.key(&key.id), row)).collect();
        for (revision, (chunks, lists)) in relaned {
            if let Some(stored) = self.campaigns.get_mut(&revision) {
                (stored.chunks, stored.lists) = (chunks, lists);
            }
        }
        let new = |lane| {
            let mut row = LaneRow::new();
            row.begin_anew(epoch, mark);
            (lane, row)
        };
        self.lanes = lanes.iter().map(new).collect();
    }

    /// Lets every lane begin anew in whatever log comes next, and every campaign be answered by
    /// whatever reply lane comes next.
    fn leave(&mut self, now: Deadline) {
        let logs = self.lanes.values().filter_map(|lane| lane.log.filter(|log| log.lasting));
        let mut left: Vec<_> = self.left.iter().copied().chain(logs).collect();
        left.sort_unstable_by_key(|log| log.id);
        left.dedup();
        self.left = left;
        let mark = self.mark().max(now);
        let epoch = epoch_after(self.newest_epoch(), None);
        self.lanes.values_mut().for_each(|lane| lane.begin_anew(epoch, mark));
        self.reply_lanes.clear();
        self.campaigns.values_mut().for_each(|stored| stored.campaign.reply_lane = None);
    }

    fn newest_epoch(&self) -> Epoch {
        self.lanes.values().map(|lane| lane.epoch).max().unwrap_or_default()
    }
}
