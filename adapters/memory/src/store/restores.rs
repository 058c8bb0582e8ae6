//! What is changed after an older store took the place of the present one, while the logs went on.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use catchment_domain::ports::{Restores, StoreError};
use catchment_domain::{
    AskedAgain, CampaignState, Damage, Found, Known, LaneProblem, LaneProgress, LogIdentity,
    Position, ReplyLane, RestoreTerms, Restored, StoredReplyLane, Timestamp, ask_again, check_log,
    epoch_after, reply_lane_after,
};

use super::{MemoryStore, Tables};

#[async_trait]
impl Restores for MemoryStore {
    async fn lanes(&self) -> Result<Vec<LaneProgress>, StoreError> {
        Ok(self.tables().progress())
    }

    async fn has_left(&self, log: LogIdentity) -> Result<bool, StoreError> {
        let tables = self.tables();
        let is_read = tables.lanes.values().any(|row| row.log == Some(log));
        Ok(tables.left.contains(&log) && !is_read)
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
        tables.check_leases(now)?;
        let (log, committed) = &terms.requests;
        check_log(&tables.progress(), (*log, committed))?;
        let (moved, left_out) = tables.after_restore(terms, now);
        let mark = tables.mark();
        let (mut again, mut damaged, mut left) = (Vec::new(), Vec::new(), Vec::new());
        for stored in tables.campaigns.values() {
            let campaign = &stored.campaign;
            let (seen, mut chunks) = (terms.since_backup.of(campaign), stored.chunks.clone());
            // One that cannot be read may have open shops.
            let has_ended = campaign.state == CampaignState::Ended;
            let has_none_open = campaign.state.open() == 0 && stored.read().is_ok();
            if (has_ended || has_none_open) && seen.is_none() {
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
            lanes: tables.lanes.values().map(|row| u32::from(row.mismatch().is_none())).sum(),
            reply_lanes: u32::try_from(moved.len()).unwrap_or(u32::MAX),
            left_out,
        };
        if terms.dry_run {
            return Ok(restored);
        }
        for (lane, row) in tables.lanes.iter_mut().filter(|(_, row)| row.mismatch().is_none()) {
            row.epoch = epoch_after(row.epoch, committed.get(lane).copied());
        }
        for (lane, row) in &mut tables.reply_lanes {
            row.fence();
            if let Some(end) = moved.get(lane) {
                row.move_to(terms.replies.0, *end);
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

impl Tables {
    /// Where the request lanes stand, without the lost ones.
    fn progress(&self) -> Vec<LaneProgress> {
        let lanes = self.lanes.iter().filter(|(_, row)| row.mismatch().is_none());
        lanes.map(|(lane, row)| row.progress(*lane)).collect()
    }

    /// Refuses a reply lane whose lease is in force.
    fn check_leases(&self, now: Timestamp) -> Result<(), StoreError> {
        for (lane, row) in &self.reply_lanes {
            if let Some(left) = row.leased_for(now) {
                let what = format!("a requester has reply lane {lane} for {left:?} more: stop it");
                return Err(StoreError::Refused { what });
            }
        }
        Ok(())
    }

    /// The reply lanes that go on at another place, and those that keep their places.
    fn after_restore(
        &self,
        RestoreTerms { replies: (log, ends), .. }: &RestoreTerms,
        now: Timestamp,
    ) -> (BTreeMap<ReplyLane, Position>, Vec<LaneProblem>) {
        let (mut moved, mut left_out) = (BTreeMap::new(), Vec::new());
        for (lane, row) in &self.reply_lanes {
            let stored = StoredReplyLane { lane: *lane, row: Some(Ok(row.stored(now))) };
            match reply_lane_after(&stored, (*log, ends)) {
                Ok(end) => drop(moved.insert(*lane, end)),
                Err(mismatch) => left_out.push(LaneProblem::of_replies(*lane, mismatch)),
            }
        }
        (moved, left_out)
    }
}
