//! What is changed after an older store took the place of the present one, while the logs went on.

use std::collections::BTreeSet;

use async_trait::async_trait;
use catchment_domain::ports::{Restores, StoreError};
use catchment_domain::{
    AskedAgain, CampaignState, Damage, Found, Known, LaneProgress, RestoreTerms, Restored,
    ask_again, epoch_after,
};

use super::MemoryStore;

#[async_trait]
impl Restores for MemoryStore {
    async fn lanes(&self) -> Result<Vec<LaneProgress>, StoreError> {
        let tables = self.tables();
        let lanes = tables.lanes.iter().filter(|(_, row)| !row.is_lost);
        Ok(lanes.map(|(lane, row)| row.progress(*lane)).collect())
    }

    async fn known(&self) -> Result<Known, StoreError> {
        let tables = self.tables();
        let mut known =
            Known { newest: tables.revision, campaigns: Vec::new(), damaged: BTreeSet::new() };
        for (revision, stored) in &tables.campaigns {
            match stored.read() {
                Ok(campaign) => known.campaigns.push((campaign.name, campaign.nonce)),
                Err(_) => drop(known.damaged.insert(*revision)),
            }
        }
        Ok(known)
    }

    async fn restored(&self, terms: &RestoreTerms) -> Result<Restored, StoreError> {
        let mut tables = self.tables();
        let now = self.clock.now();
        for (lane, row) in &tables.reply_lanes {
            if let Some(left) = row.leased_for(now) {
                let what = format!("a requester has reply lane {lane} for {left:?} more: stop it");
                return Err(StoreError::Refused { what });
            }
        }
        let mark = tables.mark();
        let (mut again, mut damaged, mut left) = (Vec::new(), Vec::new(), Vec::new());
        for stored in tables.campaigns.values() {
            let campaign = &stored.campaign;
            let (seen, mut chunks) = (terms.since_backup.of(campaign), stored.chunks.clone());
            if campaign.state == CampaignState::Ended && seen.is_none() {
                continue;
            }
            let lost: Vec<Damage> = stored.damaged().collect();
            if !lost.is_empty() {
                damaged.extend(lost);
                continue;
            }
            match ask_again(campaign, &mut chunks, seen, (now, mark)) {
                Ok(Some(asked)) => again.push((AskedAgain::new(&asked, seen), asked, chunks)),
                Ok(None) => {}
                Err(_) => left.push(campaign.name.revision),
            }
        }
        let known = tables.revision;
        let newest = known.max(terms.since_backup.newest());
        let restored = Restored {
            campaigns: Found { found: again.iter().map(|(said, ..)| *said).collect(), damaged },
            left,
            known,
            newest,
            lanes: tables.lanes.values().map(|row| u32::from(!row.is_lost)).sum(),
            reply_lanes: u32::try_from(tables.reply_lanes.len()).unwrap_or(u32::MAX),
        };
        if terms.dry_run {
            return Ok(restored);
        }
        let (_, committed) = &terms.requests;
        for (lane, row) in tables.lanes.iter_mut().filter(|(_, row)| !row.is_lost) {
            row.epoch = epoch_after(row.epoch, committed.get(lane).copied());
        }
        let (log, ends) = &terms.replies;
        for (lane, row) in &mut tables.reply_lanes {
            if let Some(end) = ends.get(lane) {
                row.move_on(*log, *end);
            }
        }
        tables.revision = newest;
        for (_, campaign, chunks) in again {
            let revision = campaign.name.revision;
            if let Some(stored) = tables.campaigns.get_mut(&revision) {
                (stored.campaign, stored.chunks) = (campaign, chunks);
            }
        }
        Ok(restored)
    }
}
