//! Methods that no port has: they let audits read everything, and tests damage stored data.

use catchment_domain::{
    Chunk, Deadline, Epoch, ImportNumber, Lane, LogIdentity, Position, Receipt, ReplyLane,
    RequestId, Revision, Shop, ShopId,
};

use super::MemoryStore;
use super::campaigns::StoredCampaign;

/// The state of a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneState {
    /// The log of the lane's positions.
    pub log: LogIdentity,
    /// The epoch of the newest owner.
    pub epoch: Epoch,
    /// The next position to apply.
    pub applied_next: Position,
    /// The next position to answer.
    pub replied_next: Position,
    /// The record that was applied last.
    pub last_id: Option<RequestId>,
    /// The highest deadline that the lane treated as passed.
    pub expired_up_to: Deadline,
}

impl MemoryStore {
    /// Returns the state of a lane, for audits, or `None` if it was never claimed.
    #[must_use]
    pub fn lane_state(&self, lane: Lane) -> Option<LaneState> {
        let tables = self.tables();
        let row = tables.lanes.get(&lane)?;
        Some(LaneState {
            log: row.log?,
            epoch: row.epoch,
            applied_next: row.applied_next,
            replied_next: row.replied_next,
            last_id: row.last_id,
            expired_up_to: row.expired_up_to,
        })
    }

    /// Returns every stored receipt of a lane with its log, in the order of storing, for audits.
    #[must_use]
    pub fn kept_receipts(&self, lane: Lane) -> Vec<(LogIdentity, Receipt)> {
        let tables = self.tables();
        let receipts = tables.lanes.get(&lane).map(|row| &row.receipts);
        receipts.into_iter().flatten().map(|row| (row.log, row.receipt.clone())).collect()
    }

    /// Returns every shop that can be read, in the order of lane and id, for audits.
    #[must_use]
    pub fn shops(&self) -> Vec<Shop> {
        let tables = self.tables();
        tables.shops.iter().filter_map(|(key, row)| row.shop(&key.id).ok()).collect()
    }

    /// Returns the ledger of a campaign, for audits. It is empty if the campaign does not exist.
    #[must_use]
    pub fn ledger(&self, revision: Revision) -> Vec<Chunk> {
        let tables = self.tables();
        tables.campaigns.get(&revision).map(|stored| stored.chunks.clone()).unwrap_or_default()
    }

    /// Returns whether a lease of a reply lane is in force, for audits.
    #[must_use]
    pub fn is_leased(&self, lane: ReplyLane) -> bool {
        self.tables().is_leased(lane, self.clock.now())
    }

    /// Makes a campaign unreadable, except its chunks.
    pub fn spoil_campaign(&self, revision: Revision) {
        if let Some(stored) = self.tables().campaigns.get_mut(&revision) {
            stored.is_spoiled = true;
        }
    }

    /// Loses a lane but for its receipts, as a row that is deleted by hand.
    pub fn lose_lane(&self, lane: Lane) {
        if let Some(row) = self.tables().lanes.get_mut(&lane) {
            row.lose();
        }
    }

    /// Changes the epoch of a lane, as a row that is edited by hand.
    pub fn set_epoch(&self, lane: Lane, epoch: Epoch) {
        if let Some(row) = self.tables().lanes.get_mut(&lane) {
            row.epoch = epoch;
        }
    }

    /// Makes a campaign readable again, as restoring a backup does.
    pub fn unspoil_campaign(&self, revision: Revision) {
        if let Some(stored) = self.tables().campaigns.get_mut(&revision) {
            stored.is_spoiled = false;
        }
    }

    /// Makes the counts of a campaign differ from its chunks: sets the open count to zero, or to
    /// five if it is zero.
    pub fn spoil_counts(&self, revision: Revision) {
        if let Some(StoredCampaign { campaign, .. }) = self.tables().campaigns.get_mut(&revision) {
            let open = if campaign.state.open() == 0 { 5 } else { 0 };
            campaign.state = campaign.state.with_open(open);
        }
    }

    /// Makes the outcomes of a chunk unreadable.
    pub fn spoil_outcomes(&self, revision: Revision, number: u32) {
        if let Some(stored) = self.tables().campaigns.get_mut(&revision) {
            stored.spoiled.insert(number);
            stored.lost.remove(&number);
        }
    }

    /// Removes the outcomes of a chunk, so that not even their number can be read.
    pub fn lose_outcomes(&self, revision: Revision, number: u32) {
        if let Some(stored) = self.tables().campaigns.get_mut(&revision) {
            stored.spoiled.insert(number);
            stored.lost.insert(number);
            if let Some(chunk) = stored.chunks.get_mut(number as usize) {
                // The lost row could have said that the chunk was not sent.
                chunk.sent = Some(stored.campaign.attempt);
            }
        }
    }

    /// Makes the shops of a chunk unreadable.
    pub fn spoil_list(&self, revision: Revision, number: u32) {
        if let Some(stored) = self.tables().campaigns.get_mut(&revision) {
            stored.spoiled_lists.insert(number);
        }
    }

    /// Makes the shops of a chunk readable again, as restoring a backup does.
    pub fn unspoil_list(&self, revision: Revision, number: u32) {
        if let Some(stored) = self.tables().campaigns.get_mut(&revision) {
            stored.spoiled_lists.remove(&number);
        }
    }

    /// Makes the receipt of the batch that begins at a position unreadable.
    pub fn spoil_receipt(&self, lane: Lane, from: Position) {
        if let Ok(row) = self.tables().lane(lane) {
            let mut receipts = row.receipts.iter_mut();
            if let Some(row) = receipts.find(|row| row.receipt.from == from) {
                row.is_spoiled = true;
            }
        }
    }

    /// Makes the receipt of an import unreadable.
    pub fn spoil_import(&self, lane: Lane, number: ImportNumber) {
        if let Ok(row) = self.tables().lane(lane) {
            row.spoiled_imports.insert(number);
        }
    }

    /// Makes the profile of a shop unreadable until it is imported again.
    pub fn spoil_profile(&self, id: &ShopId) {
        let mut tables = self.tables();
        let key = tables.key(id);
        if let Some(row) = tables.shops.get_mut(&key) {
            row.is_profile_spoiled = true;
        }
    }

    /// Makes the state of a shop unreadable, as a damaged disk would. Every call that needs the
    /// state then returns [`StoreError::BadData`](catchment_domain::ports::StoreError).
    pub fn spoil(&self, id: &ShopId) {
        let mut tables = self.tables();
        let key = tables.key(id);
        if let Some(row) = tables.shops.get_mut(&key) {
            row.spoiled = true;
        }
    }
}
