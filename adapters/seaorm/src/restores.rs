//! What is changed after the database was restored from a backup while the logs went on.

use std::collections::BTreeSet;

use async_trait::async_trait;
use catchment_domain::ports::{Restores, StoreError};
use catchment_domain::{
    AskedAgain, CampaignState, Epoch, Found, Known, LaneProblem, LaneProgress, LogIdentity,
    ReplyLane, RestoreTerms, Restored, Revision, StoredItem, StoredReplyLane, Timestamp, ask_again,
    check_log, epoch_after, reply_lane_after,
};
use sea_orm::sea_query::{Expr, LockType};
use sea_orm::{
    ActiveModelTrait, ActiveValue, ColumnTrait, Condition, ConnectionTrait, EntityTrait,
    IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, Select,
};

use crate::acceptances::{left_logs, reply_lane_row, what_is_wrong};
use crate::campaign_rows;
use crate::connection::OwnConnection;
use crate::entity::{campaign, installation, lane_state, reply_lane};
use crate::error::{classify, stored};
use crate::reply_lanes::left_of_lease;
use crate::retry::while_busy_or_locked;
use crate::store::{SeaOrmStore, highest_mark};

#[async_trait]
impl Restores for SeaOrmStore {
    async fn lanes(&self) -> Result<Vec<LaneProgress>, StoreError> {
        let query = lane_state::Entity::find().order_by_asc(lane_state::Column::Lane);
        let lanes = query.all(&self.readers).await.map_err(classify)?;
        let mut found = Vec::with_capacity(lanes.len());
        for lane in &lanes {
            match LaneProgress::try_from(lane) {
                Ok(progress) => found.push(progress),
                Err(StoreError::BadData { what }) => tracing::debug!(what, "a lane is left out"),
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    async fn has_left(&self, log: LogIdentity) -> Result<bool, StoreError> {
        // Read before the lanes: if a lane is accepted in the log meanwhile, the log is not left.
        if !left_logs(&self.readers).await?.contains(&log) {
            return Ok(false);
        }
        let lanes = Restores::lanes(self).await?;
        Ok(lanes.iter().all(|lane| lane.log != Some(log)))
    }

    async fn known(&self) -> Result<Known, StoreError> {
        let newest = newest(&self.readers, |query| query).await?;
        let campaigns = campaign_rows::all(&self.readers, Condition::all()).await?;
        let damaged = campaigns.damaged.into_iter().filter_map(|damage| match damage.item {
            StoredItem::Campaign(revision) => Some(revision),
            _ => None,
        });
        let damaged = damaged.collect();
        let campaigns = campaigns.found.into_iter();
        let campaigns = campaigns.map(|campaign| (campaign.name, campaign.nonce)).collect();
        Ok(Known { newest, campaigns, damaged })
    }

    async fn restored(&self, terms: &RestoreTerms) -> Result<Restored, StoreError> {
        while_busy_or_locked(|| self.try_restored(terms)).await
    }
}

impl SeaOrmStore {
    async fn try_restored(&self, terms: &RestoreTerms) -> Result<Restored, StoreError> {
        let transaction = self.begin().await?;
        let connection = transaction.connection()?;
        let (reply_lanes, left_out) = self.move_reply_lanes(connection, terms).await?;
        let (campaigns, left) = self.ask_all_again(connection, terms).await?;
        let lanes = raise_epochs(connection, terms).await?;
        // Locked, so that no revision that is given out meanwhile is given out again.
        let known = newest(connection, QuerySelect::lock_exclusive).await?;
        self.check_lanes(connection, None).await?;
        let newest = known.max(terms.since_backup.newest());
        installation::Entity::update_many()
            .col_expr(installation::Column::Revision, Expr::value(stored(newest.0)))
            .filter(installation::Column::Id.eq(installation::ONLY))
            .exec(connection)
            .await
            .map_err(classify)?;
        // What is not committed is rolled back.
        if !terms.dry_run {
            transaction.commit().await?;
        }
        Ok(Restored { campaigns, left, known, newest, lanes, reply_lanes, left_out })
    }

    /// Fences the holder of each reply lane, and lets the next holder begin at the lane's end.
    /// Returns how many lanes were moved, and the lanes that keep their places.
    async fn move_reply_lanes(
        &self,
        connection: &OwnConnection,
        RestoreTerms { replies: (log, ends), .. }: &RestoreTerms,
    ) -> Result<(u32, Vec<LaneProblem>), StoreError> {
        let rows = reply_lane::Entity::find().order_by_asc(reply_lane::Column::Lane);
        let rows = rows.lock_exclusive().all(connection).await.map_err(classify)?;
        let now = self.now(connection).await?;
        let (mut moved, mut left_out) = (0, Vec::new());
        for row in rows {
            check_lease(&row, now)?;
            // One that has no next stays as it is, so that the lane is still named.
            let epoch = lane_state::counted_epoch(row.epoch).and_then(Epoch::next);
            // No log has a lane of another number.
            let after = u16::try_from(row.lane).ok().map(|lane| {
                let lane = ReplyLane(lane);
                let known = reply_lane_row(&row, now).map_err(what_is_wrong);
                let stored = StoredReplyLane { lane, row: Some(known) };
                let after = reply_lane_after(&stored, (*log, ends));
                after.map_err(|mismatch| LaneProblem::of_replies(lane, mismatch))
            });
            let mut next = row.into_active_model();
            if let Some(epoch) = epoch {
                next.epoch = ActiveValue::Set(stored(epoch.0));
            }
            next.holder = ActiveValue::Set(None);
            next.leased_until = ActiveValue::Set(None);
            match after {
                Some(Ok(end)) => {
                    next.log_id = ActiveValue::Set(lane_state::log_text(*log));
                    next.log_lasting = ActiveValue::Set(log.lasting);
                    next.position = ActiveValue::Set(stored(end.0));
                    moved += 1;
                }
                Some(Err(problem)) => left_out.push(problem),
                None => {}
            }
            next.update(connection).await.map_err(classify)?;
        }
        Ok((moved, left_out))
    }

    /// Asks the open shops of all campaigns again. Returns the campaigns that were changed, and
    /// the campaigns that have used up their attempts. A damaged campaign is left out.
    async fn ask_all_again(
        &self,
        connection: &OwnConnection,
        RestoreTerms { since_backup, .. }: &RestoreTerms,
    ) -> Result<(Found<Vec<AskedAgain>>, Vec<Revision>), StoreError> {
        let seen: BTreeSet<Revision> = since_backup.campaigns().collect();
        let now = self.now(connection).await?;
        let mark = highest_mark(connection).await?;
        let (mut again, mut left) = (Found::<Vec<AskedAgain>>::default(), Vec::new());
        for revision in may_change(connection, &seen).await? {
            let how = LockType::Update;
            let locked = campaign_rows::lock_one(connection, revision, how).await?;
            again.damaged.extend(locked.damaged);
            let Some(campaign) = locked.found else { continue };
            let seen = since_backup.of(&campaign);
            if campaign.state.open() == 0 && seen.is_none() {
                continue;
            }
            let shops = Some(campaign.shops);
            let chunks = campaign_rows::all_chunks(connection, revision, shops).await?;
            if !chunks.damaged.is_empty() {
                again.damaged.extend(chunks.damaged);
                continue;
            }
            let (before, mut after) = (&chunks.found, chunks.found.clone());
            match ask_again(&campaign, &mut after, seen, (now, mark)) {
                Ok(None) => {}
                Ok(Some(asked)) => {
                    campaign_rows::update_chunks(connection, revision, before, &after).await?;
                    campaign_rows::update(connection, &asked).await?;
                    again.found.push(AskedAgain::new(&asked, seen));
                }
                Err(_) => left.push(revision),
            }
        }
        Ok((again, left))
    }
}

/// Refuses a reply lane whose lease is in force.
fn check_lease(row: &reply_lane::Model, now: Timestamp) -> Result<(), StoreError> {
    let Some(left) = left_of_lease(row, now) else { return Ok(()) };
    let (lane, left) = (row.lane, left.as_millis().div_ceil(1_000));
    let what = format!(
        "stop all requesters: reply lane {lane} is leased; if its requester was killed, the lease \
         ends in {left} s"
    );
    Err(StoreError::Refused { what })
}

/// The campaigns that are unfinished, and those with requests since the backup, the oldest first. One
/// whose number is out of range cannot be read, and is named.
async fn may_change(
    connection: &impl ConnectionTrait,
    seen: &BTreeSet<Revision>,
) -> Result<Vec<Revision>, StoreError> {
    let campaigns: Vec<(i64, String)> = campaign::Entity::find()
        .select_only()
        .columns([campaign::Column::Revision, campaign::Column::State])
        .order_by_asc(campaign::Column::Revision)
        .into_tuple()
        .all(connection)
        .await
        .map_err(classify)?;
    let ended = CampaignState::Ended.as_str();
    let may_change = campaigns.into_iter().filter_map(|(revision, state)| {
        let (revision, is_bad) = (Revision(revision.cast_unsigned()), revision < 0);
        (is_bad || state != ended || seen.contains(&revision)).then_some(revision)
    });
    Ok(may_change.collect())
}

/// Gives every request lane an epoch above all that its log remembers, if the log belongs to the
/// database. A lane that cannot be read is left out. Returns how many lanes got one.
async fn raise_epochs(
    connection: &OwnConnection,
    RestoreTerms { requests: (log, committed), .. }: &RestoreTerms,
) -> Result<u32, StoreError> {
    let rows = lane_state::Entity::find().order_by_asc(lane_state::Column::Lane);
    let rows = rows.lock_exclusive().all(connection).await.map_err(classify)?;
    let mut lanes = Vec::with_capacity(rows.len());
    for row in rows {
        match LaneProgress::try_from(&row) {
            Ok(progress) => lanes.push((progress, row)),
            Err(StoreError::BadData { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    let progress: Vec<LaneProgress> = lanes.iter().map(|(progress, _)| *progress).collect();
    check_log(&progress, (*log, committed))?;
    let raised = u32::try_from(lanes.len()).unwrap_or(u32::MAX);
    for (LaneProgress { lane, epoch, .. }, row) in lanes {
        let epoch = epoch_after(epoch, committed.get(&lane).copied());
        let mut next = row.into_active_model();
        next.epoch = ActiveValue::Set(stored(epoch.0));
        next.update(connection).await.map_err(classify)?;
    }
    Ok(raised)
}

/// The newest revision that was given out. `lock` may lock its row.
async fn newest(
    connection: &impl ConnectionTrait,
    lock: impl FnOnce(Select<installation::Entity>) -> Select<installation::Entity>,
) -> Result<Revision, StoreError> {
    let query = lock(installation::Entity::find_by_id(installation::ONLY));
    let model = query.one(connection).await.map_err(classify)?;
    installation::newest_revision(model.map(|row| row.revision))
}
