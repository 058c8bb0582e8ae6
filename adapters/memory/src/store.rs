//! The store in memory: the data of a database, in plain maps behind one lock.
//!
//! A call that fails changes nothing: everything that can fail is checked, or done on a copy,
//! before the first change.

mod acceptances;
mod audit;
mod campaign_ledger;
mod campaign_repository;
mod campaigns;
mod deletions;
mod lanes;
mod moves;
mod repairs;
mod reply_lanes;
mod restores;
mod shop_ledger;
mod shop_repository;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use catchment_domain::ports::{Clock, StoreError};
use catchment_domain::{
    Campaign, CampaignRef, Damage, Lane, LaneProblem, Lanes, LoadedCampaign, LoadedShop,
    LogIdentity, Mismatch, Profile, ReplyLane, Revision, Shop, ShopCursor, ShopId, ShopState,
    StoredItem,
};

pub use audit::LaneState;

use campaigns::{StoredCampaign, damage};
use lanes::LaneRow;
use reply_lanes::ReplyLaneRow;

/// Shops, campaigns and lanes in memory: every storage port of the domain.
///
/// The data are lost when the process ends. Callers in one process may share the store like a
/// database: each call is one transaction, and they run one after another.
pub struct MemoryStore {
    clock: Arc<dyn Clock>,
    receipts_kept: Duration,
    tables: Mutex<Tables>,
}

impl MemoryStore {
    /// Makes an empty store for these lanes. `clock` is the database's clock. Answered receipts are
    /// kept for `receipts_kept`.
    #[must_use]
    pub fn new(lanes: Lanes, clock: Arc<dyn Clock>, receipts_kept: Duration) -> Self {
        let tables = Mutex::new(Tables {
            shops: BTreeMap::new(),
            count: lanes,
            lanes: lanes.iter().map(|lane| (lane, LaneRow::new())).collect(),
            left: Vec::new(),
            reply_lanes: BTreeMap::new(),
            campaigns: BTreeMap::new(),
            revision: Revision::NONE,
        });
        Self { clock, receipts_kept, tables }
    }

    /// A copy of everything at this moment, as a backup is. It has the same clock.
    #[must_use]
    pub fn copied(&self) -> Self {
        let tables = Mutex::new(self.tables().clone());
        let (clock, receipts_kept) = (Arc::clone(&self.clock), self.receipts_kept);
        Self { clock, receipts_kept, tables }
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        crate::lock(&self.tables)
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").finish_non_exhaustive()
    }
}

/// What is stored.
#[derive(Clone)]
struct Tables {
    /// Shops in the order of lane and id.
    shops: BTreeMap<ShopCursor, ShopRow>,
    /// How many lanes there are.
    count: Lanes,
    /// All lanes.
    lanes: BTreeMap<Lane, LaneRow>,
    /// The lasting logs that the store has left.
    left: Vec<LogIdentity>,
    reply_lanes: BTreeMap<ReplyLane, ReplyLaneRow>,
    campaigns: BTreeMap<Revision, StoredCampaign>,
    /// The newest revision that was given out.
    revision: Revision,
}

impl Tables {
    fn key(&self, id: &ShopId) -> ShopCursor {
        ShopCursor::behind(id, self.count)
    }

    fn take_revision(&mut self) -> Revision {
        self.revision = Revision(self.revision.0 + 1);
        self.revision
    }

    /// Returns a campaign with its terms, or `None` if there is no campaign of this name.
    fn load_campaign(&self, name: CampaignRef) -> Option<LoadedCampaign> {
        let stored = self.campaigns.get(&name.revision)?;
        let stored = Some(stored).filter(|stored| stored.campaign.name == name)?;
        let terms = stored.read().map(Campaign::terms).map_err(|damage| damage.what.into());
        Some(LoadedCampaign { name, terms })
    }

    fn lane(&mut self, lane: Lane) -> Result<&mut LaneRow, StoreError> {
        let row = self.lanes.get_mut(&lane).ok_or_else(|| no_lane(lane))?;
        if row.is_lost {
            return Err(LaneProblem::of(lane, Mismatch::NoRow).into());
        }
        Ok(row)
    }

    fn load(&self, key: &ShopCursor) -> Result<LoadedShop, StoreError> {
        let row = self.shops.get(key);
        let state = row.map(|row| row.state(&key.id).cloned()).transpose();
        Ok(LoadedShop::new(state?))
    }
}

fn no_lane(lane: Lane) -> StoreError {
    StoreError::Refused { what: format!("there is no lane {lane}") }
}

/// A shop as it is stored.
#[derive(Clone)]
struct ShopRow {
    profile: Profile,
    state: ShopState,
    /// Whether the state cannot be read. In memory, nothing decays: see `MemoryStore::spoil`.
    spoiled: bool,
    /// Whether the profile cannot be read.
    is_profile_spoiled: bool,
}

impl ShopRow {
    fn state(&self, id: &ShopId) -> Result<&ShopState, Damage> {
        if self.spoiled { Err(damage(StoredItem::State(id.to_string()))) } else { Ok(&self.state) }
    }

    fn shop(&self, id: &ShopId) -> Result<Shop, Damage> {
        if self.is_profile_spoiled {
            return Err(damage(StoredItem::Profile(id.to_string())));
        }
        let state = self.state(id)?.clone();
        Ok(Shop { id: id.clone(), profile: self.profile.clone(), state })
    }
}
