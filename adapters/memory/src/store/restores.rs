//! What is done once the store is older than its logs.

use async_trait::async_trait;
use catchment_domain::ports::{Restores, StoreError};
use catchment_domain::{
    AskedAgain, LaneProgress, RestoreTerms, Restored, Revision, ask_again, epoch_after,
};

use super::MemoryStore;

#[async_trait]
impl Restores for MemoryStore {
    async fn lanes(&self) -> Result<Vec<LaneProgress>, StoreError> {
        let tables = self.tables();
        Ok(tables.lanes.iter().map(|(lane, row)| row.progress(*lane)).collect())
    }

    async fn newest(&self) -> Result<Revision, StoreError> {
        Ok(self.tables().revision)
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
        let (mut again, mut left) = (Vec::new(), Vec::new());
        for stored in tables.campaigns.values() {
            let campaign = stored.whole()?;
            let (seen, mut chunks) = (terms.lost.of(campaign), stored.chunks.clone());
            match ask_again(campaign, &mut chunks, seen, (now, mark)) {
                Ok(Some(asked)) => again.push((AskedAgain::new(&asked, seen), asked, chunks)),
                Ok(None) => {}
                Err(_) => left.push(campaign.name.revision),
            }
        }
        let known = tables.revision;
        let newest = known.max(terms.lost.newest());
        let restored = Restored {
            campaigns: again.iter().map(|(said, ..)| *said).collect(),
            left,
            known,
            newest,
            lanes: u32::try_from(tables.lanes.len()).unwrap_or(u32::MAX),
            reply_lanes: u32::try_from(tables.reply_lanes.len()).unwrap_or(u32::MAX),
        };
        if terms.dry_run {
            return Ok(restored);
        }
        let (_, committed) = &terms.requests;
        for (lane, row) in &mut tables.lanes {
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
