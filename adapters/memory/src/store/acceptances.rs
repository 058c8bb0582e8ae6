//! Taking lanes as they are.

use async_trait::async_trait;
use catchment_domain::ports::{Acceptances, StoreError};
use catchment_domain::{
    AcceptTerms, Accepted, AcceptedReplyLane, AskedInLanes, Campaign, CampaignState, Deadline,
    Lane, ReplyLane, Revision, StoredLane, StoredReplyLane, Timestamp, ask_in_time,
};

use super::campaigns::StoredCampaign;
use super::{MemoryStore, Tables, no_lane};

#[async_trait]
impl Acceptances for MemoryStore {
    async fn request_lanes(&self) -> Result<Vec<(Lane, StoredLane)>, StoreError> {
        let tables = self.tables();
        Ok(tables.stored_lanes())
    }

    async fn reply_lanes(&self) -> Result<Vec<StoredReplyLane>, StoreError> {
        let (tables, now) = (self.tables(), self.clock.now());
        Ok(tables.stored_reply_lanes(now))
    }

    async fn accept(&self, terms: &AcceptTerms) -> Result<Accepted, StoreError> {
        let (mut tables, now) = (self.tables(), self.clock.now());
        for accepted in &terms.requests {
            let row = tables.lanes.get(&accepted.lane).ok_or_else(|| no_lane(accepted.lane))?;
            accepted.check(&row.stored(accepted.lane, &[]))?;
        }
        for accepted in &terms.replies {
            let lane = accepted.stored.lane;
            let row = tables.reply_lanes.get(&lane).map(|row| Ok(row.stored(now)));
            accepted.check(row.as_ref())?;
        }
        let mark = tables.mark();
        let (accepted, later) = tables.ask_in(terms, (now, mark));
        let gone = |lane: ReplyLane| {
            let mut replies = terms.replies.iter();
            replies.any(|accepted| accepted.stored.lane == lane && accepted.end.is_none())
        };
        let moved = tables.campaigns.values().filter(|stored| is_unfinished(stored));
        let moved = moved.filter(|stored| stored.campaign.reply_lane.is_some_and(gone));
        let moved: Vec<Revision> = moved.map(|stored| stored.campaign.name.revision).collect();
        let accepted = Accepted { moved: moved.clone(), ..accepted };
        if terms.dry_run {
            return Ok(accepted);
        }
        let readable = tables.lanes.values().filter(|row| row.mismatch().is_none());
        let highest = readable.map(|row| row.epoch).max().unwrap_or_default();
        for accepted in &terms.requests {
            if let Some(row) = tables.lanes.get_mut(&accepted.lane) {
                row.accept(accepted, (highest, mark.max(Deadline::at(now))));
            }
        }
        for AcceptedReplyLane { stored, log, end } in &terms.replies {
            match end {
                Some(end) => tables.begin_at(stored.lane, *log, *end),
                None => drop(tables.reply_lanes.remove(&stored.lane)),
            }
        }
        for campaign in later {
            if let Some(stored) = tables.campaigns.get_mut(&campaign.name.revision) {
                stored.campaign = campaign;
            }
        }
        for revision in moved {
            if let Some(stored) = tables.campaigns.get_mut(&revision) {
                stored.campaign.reply_lane = None;
            }
        }
        Ok(accepted)
    }
}

impl Tables {
    /// How each request lane stands.
    pub(super) fn stored_lanes(&self) -> Vec<(Lane, StoredLane)> {
        self.lanes.iter().map(|(lane, row)| (*lane, row.stored(*lane, &self.left))).collect()
    }

    /// How each reply lane stands that has a row, or that an unfinished campaign names.
    pub(super) fn stored_reply_lanes(&self, now: Timestamp) -> Vec<StoredReplyLane> {
        let unfinished = self.campaigns.values().filter(|stored| is_unfinished(stored));
        let named = unfinished.filter_map(|stored| stored.campaign.reply_lane);
        let mut lanes: Vec<ReplyLane> = named.chain(self.reply_lanes.keys().copied()).collect();
        lanes.sort_unstable();
        lanes.dedup();
        let stored = |lane| StoredReplyLane {
            lane,
            row: self.reply_lanes.get(&lane).map(|row| Ok(row.stored(now))),
        };
        lanes.into_iter().map(stored).collect()
    }

    /// The campaigns that ask shops of these lanes again, and those that change for it.
    fn ask_in(
        &self,
        terms: &AcceptTerms,
        time: (Timestamp, Deadline),
    ) -> (Accepted, Vec<Campaign>) {
        let is_here = |lane: Lane| terms.requests.iter().any(|accepted| accepted.lane == lane);
        let is_on =
            |lane: ReplyLane| terms.replies.iter().any(|accepted| accepted.stored.lane == lane);
        let (mut accepted, mut later) = (Accepted::default(), Vec::new());
        for stored in self.campaigns.values().filter(|stored| is_unfinished(stored)) {
            let is_whole = stored.campaign.reply_lane.is_some_and(is_on);
            let chunks = stored.chunks.iter().filter(|chunk| is_whole || is_here(chunk.lane));
            let open: u64 = chunks.map(|chunk| u64::from(chunk.open())).sum();
            if open == 0 {
                continue;
            }
            let campaign = match stored.read() {
                Ok(campaign) => campaign,
                Err(damage) => {
                    accepted.damaged.push(damage);
                    continue;
                }
            };
            let next = ask_in_time(campaign, time).unwrap_or_else(|_| {
                accepted.left.push(campaign.name.revision);
                None
            });
            accepted.asked.push(AskedInLanes {
                campaign: campaign.name.revision,
                state: campaign.state,
                open,
                new_attempt: next.as_ref().map(|next| next.attempt),
            });
            later.extend(next);
        }
        (accepted, later)
    }
}

fn is_unfinished(stored: &StoredCampaign) -> bool {
    stored.campaign.state != CampaignState::Ended
}
