//! How the lanes stand, and taking lanes as they are.

use std::collections::BTreeSet;

use async_trait::async_trait;
use catchment_domain::ports::{Acceptances, Claim, StoreError};
use catchment_domain::{
    AcceptTerms, Acceptance, Accepted, AcceptedLane, AcceptedReplyLane, AskedInLanes, Deadline,
    Epoch, Found, Lane, LaneProgress, LaneRemains, Lanes, LogIdentity, Position, ReplyLane,
    ReplyLaneRow, Revision, StoredLane, StoredReplyLane, Timestamp, ask_in_time,
};
use sea_orm::sea_query::{Expr, LockType};
use sea_orm::{
    ActiveModelTrait, ActiveValue, ColumnTrait, Condition, ConnectionTrait, EntityTrait,
    IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
};

use crate::campaign_rows;
use crate::connection::OwnConnection;
use crate::entity::{
    campaign, campaign_chunk, import_receipt, lane_state, left_log, receipt, reply_lane,
};
use crate::error::{Row, classify, stored};
use crate::reply_lanes::left_of_lease;
use crate::retry::while_busy_or_locked;
use crate::store::{SeaOrmStore, highest, highest_mark};

#[async_trait]
impl Acceptances for SeaOrmStore {
    async fn request_lanes(&self) -> Result<Vec<(Lane, StoredLane)>, StoreError> {
        stored_lanes(&self.readers, self.lanes()).await
    }

    async fn reply_lanes(&self) -> Result<Vec<StoredReplyLane>, StoreError> {
        let now = self.now(&self.readers).await?;
        stored_reply_lanes(&self.readers, now).await
    }

    async fn accept(&self, terms: &AcceptTerms) -> Result<Accepted, StoreError> {
        while_busy_or_locked(|| self.try_accept(terms)).await
    }
}

impl SeaOrmStore {
    async fn try_accept(&self, terms: &AcceptTerms) -> Result<Accepted, StoreError> {
        let transaction = self.begin().await?;
        let connection = transaction.connection()?;
        let now = self.now(connection).await?;
        for accepted in &terms.replies {
            accept_replies(connection, accepted, now).await?;
        }
        let mark = highest_mark(connection).await?;
        let accepted = ask_in(connection, terms, (now, mark)).await?;
        let mut moved = Vec::new();
        for gone in terms.replies.iter().filter(|accepted| accepted.end.is_none()) {
            moved.extend(leave_reply_lane(connection, gone.stored.lane).await?);
        }
        for lane in &terms.requests {
            accept_requests(connection, lane, mark.max(Deadline::at(now))).await?;
        }
        // The command looked at the lanes by the number of lanes that it knew.
        self.check_lanes(connection, Some(LockType::KeyShare)).await?;
        // What is not committed is rolled back.
        if !terms.dry_run {
            transaction.commit().await?;
        }
        Ok(Accepted { moved, ..accepted })
    }
}

/// How each request lane stands.
pub(crate) async fn stored_lanes(
    connection: &impl ConnectionTrait,
    lanes: Lanes,
) -> Result<Vec<(Lane, StoredLane)>, StoreError> {
    let mut stored = Vec::new();
    let rows = lane_state::Entity::find().all(connection).await.map_err(classify)?;
    let left = left_logs(connection).await?;
    for lane in lanes.iter() {
        let row = rows.iter().find(|row| row.lane == i32::from(lane.0));
        stored.push((lane, stored_lane(connection, lane, (row, &left)).await?));
    }
    Ok(stored)
}

/// How each reply lane stands that has a row, or that an unfinished campaign names.
pub(crate) async fn stored_reply_lanes(
    connection: &impl ConnectionTrait,
    now: Timestamp,
) -> Result<Vec<StoredReplyLane>, StoreError> {
    let (campaigns, of_damaged) = campaign_rows::unfinished(connection).await?;
    let named = campaigns.values().filter_map(|campaign| campaign.reply_lane);
    let mut lanes: BTreeSet<ReplyLane> = of_damaged.into_iter().chain(named).collect();
    let rows = reply_lane::Entity::find().all(connection).await.map_err(classify)?;
    let numbers = rows.iter().filter_map(|row| u16::try_from(row.lane).ok());
    lanes.extend(numbers.map(ReplyLane));
    let stored = |lane: ReplyLane| {
        let row = rows.iter().find(|row| row.lane == i32::from(lane.0));
        let row = row.map(|row| reply_lane_row(row, now).map_err(what_is_wrong));
        StoredReplyLane { lane, row }
    };
    Ok(lanes.into_iter().map(stored).collect())
}

/// The logs that the database has left. A row that cannot be read names no log.
pub(crate) async fn left_logs(
    connection: &impl ConnectionTrait,
) -> Result<Vec<LogIdentity>, StoreError> {
    let rows = left_log::Entity::find().order_by_asc(left_log::Column::LogId);
    let rows = rows.all(connection).await.map_err(classify)?;
    let log = |left_log::Model { log_id }: &left_log::Model| {
        let row = Row { table: "left_log", key: &format_args!("log {log_id}") };
        lane_state::log(&row, log_id, true)
    };
    Ok(rows.iter().filter_map(|row| log(row).ok()).collect())
}

/// A request lane as its row says, or as its receipts do.
async fn stored_lane(
    connection: &impl ConnectionTrait,
    lane: Lane,
    (row, left): (Option<&lane_state::Model>, &[LogIdentity]),
) -> Result<StoredLane, StoreError> {
    let unreadable = match row.map(|row| known_lane(row, left)) {
        Some(Ok(known)) => return Ok(known),
        Some(Err(StoreError::BadData { what })) => Some(what),
        Some(Err(error)) => return Err(error),
        None => None,
    };
    let newest: Option<(i64, String, i64)> = receipt::Entity::find()
        .select_only()
        .columns([receipt::Column::Epoch, receipt::Column::LogId, receipt::Column::ToPosition])
        .filter(receipt::Column::Lane.eq(i32::from(lane.0)))
        .filter(receipt::Column::Epoch.lt(stored(Epoch::LAST.0)))
        .order_by_desc(receipt::Column::Epoch)
        .order_by_desc(receipt::Column::FromPosition)
        .into_tuple()
        .one(connection)
        .await
        .map_err(classify)?;
    let remains = newest.map_or_else(LaneRemains::default, |(epoch, log, to)| {
        let position = Position(u64::try_from(to).unwrap_or_default());
        LaneRemains {
            epoch: lane_state::counted_epoch(epoch).unwrap_or_default(),
            read: u128::from_str_radix(&log, 16).ok().map(|log| (log, position)),
        }
    });
    Ok(StoredLane::Lost { unreadable, remains })
}

fn known_lane(row: &lane_state::Model, left: &[LogIdentity]) -> Result<StoredLane, StoreError> {
    let progress = LaneProgress::try_from(row)?;
    let last_id = Claim::try_from(row)?.last_id;
    Ok(StoredLane::Known { progress, last_id, left: left.to_vec() })
}

pub(crate) fn reply_lane_row(
    model: &reply_lane::Model,
    now: Timestamp,
) -> Result<ReplyLaneRow, StoreError> {
    let row = Row { table: "reply_lane", key: &format_args!("lane {}", model.lane) };
    let is_leased = left_of_lease(model, now).is_some();
    Ok(ReplyLaneRow {
        log: lane_state::log(&row, &model.log_id, model.log_lasting)?,
        epoch: lane_state::epoch(&row, model.epoch)?,
        position: Position(row.number("position", model.position)?),
        holder: model.holder.clone().filter(|_| is_leased),
    })
}

pub(crate) fn what_is_wrong(error: StoreError) -> String {
    match error {
        StoreError::BadData { what } => what,
        error => error.to_string(),
    }
}

/// Lets a reply lane begin at its end, or forgets it.
async fn accept_replies(
    connection: &OwnConnection,
    accepted: &AcceptedReplyLane,
    now: Timestamp,
) -> Result<(), StoreError> {
    let (lane, log) = (accepted.stored.lane, accepted.log);
    let known = reply_lane::Entity::find_by_id(i32::from(lane.0)).lock_exclusive();
    let known = known.one(connection).await.map_err(classify)?;
    let row = known.as_ref().map(|row| reply_lane_row(row, now).map_err(what_is_wrong));
    accepted.check(row.as_ref())?;
    let Some(end) = accepted.end else {
        let deleted = reply_lane::Entity::delete_by_id(i32::from(lane.0)).exec(connection).await;
        return deleted.map(drop).map_err(classify);
    };
    let newest = known.as_ref().and_then(|known| lane_state::counted_epoch(known.epoch));
    let epoch = newest.unwrap_or_default().next().unwrap_or_default();
    let begun = reply_lane::ActiveModel {
        lane: ActiveValue::Set(lane.0.into()),
        log_id: ActiveValue::Set(lane_state::log_text(log)),
        log_lasting: ActiveValue::Set(log.lasting),
        holder: ActiveValue::Set(None),
        epoch: ActiveValue::Set(stored(epoch.0)),
        position: ActiveValue::Set(stored(end.0)),
        leased_until: ActiveValue::Set(None),
    };
    let begun = match known {
        None => begun.insert(connection).await,
        Some(_) => begun.update(connection).await,
    };
    begun.map(drop).map_err(classify)
}

/// Gives the unfinished campaigns of a reply lane to the next requester that looks for campaigns.
/// Returns those campaigns.
async fn leave_reply_lane(
    connection: &OwnConnection,
    lane: ReplyLane,
) -> Result<Vec<Revision>, StoreError> {
    let lane = i32::from(lane.0);
    let moved: Vec<i64> = campaign::Entity::find()
        .select_only()
        .column(campaign::Column::Revision)
        .filter(campaign::Column::ReplyLane.eq(lane))
        .filter(campaign::is_unfinished())
        .order_by_asc(campaign::Column::Revision)
        .into_tuple()
        .all(connection)
        .await
        .map_err(classify)?;
    campaign::Entity::update_many()
        .col_expr(campaign::Column::ReplyLane, Expr::value(None::<i32>))
        .filter(campaign::Column::ReplyLane.eq(lane))
        .filter(campaign::is_unfinished())
        .exec(connection)
        .await
        .map_err(classify)?;
    Ok(moved.into_iter().map(revision).collect())
}

/// Lets the campaigns with open shops in the request lanes, and those on the reply lanes, ask them in
/// time. A damaged one stays as it is.
async fn ask_in(
    connection: &OwnConnection,
    AcceptTerms { requests, replies, .. }: &AcceptTerms,
    time: (Timestamp, Deadline),
) -> Result<Accepted, StoreError> {
    let lanes = requests.iter().map(|accepted| i32::from(accepted.lane.0));
    let reply_lanes = replies.iter().map(|accepted| i32::from(accepted.stored.lane.0));
    let on_reply_lanes = campaign::Entity::find()
        .select_only()
        .column(campaign::Column::Revision)
        .filter(campaign::Column::ReplyLane.is_in(reply_lanes))
        .into_query();
    let is_asked = Condition::any()
        .add(campaign_chunk::Column::Lane.is_in(lanes))
        .add(campaign_chunk::Column::Revision.in_subquery(on_reply_lanes));
    let unfinished = campaign::Entity::find()
        .select_only()
        .column(campaign::Column::Revision)
        .filter(campaign::is_unfinished())
        .into_query();
    let open: Vec<(i64, i64)> = campaign_chunk::Entity::find()
        .select_only()
        .column(campaign_chunk::Column::Revision)
        .column_as(Expr::cust("CAST(SUM(open) AS bigint)"), "open")
        .filter(campaign_chunk::Column::Revision.in_subquery(unfinished))
        .filter(is_asked)
        .filter(campaign_chunk::Column::Open.gt(0))
        .group_by(campaign_chunk::Column::Revision)
        .order_by_asc(campaign_chunk::Column::Revision)
        .into_tuple()
        .all(connection)
        .await
        .map_err(classify)?;
    let mut accepted = Accepted::default();
    for (number, open) in open {
        let locked = campaign_rows::lock_one(connection, revision(number), LockType::Update);
        let Found { found, damaged } = locked.await?;
        accepted.damaged.extend(damaged);
        let Some(campaign) = found else { continue };
        let next = ask_in_time(&campaign, time).unwrap_or_else(|_| {
            accepted.left.push(campaign.name.revision);
            None
        });
        if let Some(next) = &next {
            campaign_rows::update(connection, next).await?;
        }
        accepted.asked.push(AskedInLanes {
            campaign: campaign.name.revision,
            state: campaign.state,
            open: u64::try_from(open).unwrap_or_default(),
            new_attempt: next.map(|next| next.attempt),
        });
    }
    Ok(accepted)
}

/// Moves a request lane to the accepted position. A lane without a row gets a row that treats every
/// deadline up to `mark` as passed.
async fn accept_requests(
    connection: &OwnConnection,
    accepted: &AcceptedLane,
    mark: Deadline,
) -> Result<(), StoreError> {
    let (lane, number) = (accepted.lane, i32::from(accepted.lane.0));
    let row = lane_state::Entity::find_by_id(number).lock_exclusive();
    let row = row.one(connection).await.map_err(classify)?;
    let left = left_logs(connection).await?;
    accepted.check(&stored_lane(connection, lane, (row.as_ref(), &left)).await?)?;
    if !accepted.acceptance.keeps_receipts {
        receipt::Entity::update_many()
            .col_expr(receipt::Column::LogId, Expr::value(lane_state::log_text(LogIdentity::NONE)))
            .filter(receipt::Column::Lane.eq(number))
            .exec(connection)
            .await
            .map_err(classify)?;
    }
    match (&accepted.stored, row) {
        (StoredLane::Known { .. }, Some(row)) => {
            // It may have been claimed since it was looked at.
            let newest = lane_state::counted_epoch(row.epoch).unwrap_or_default();
            let lane = goes_on(row.into_active_model(), accepted, newest);
            lane.update(connection).await.map_err(classify)?;
        }
        (_, row) => {
            let newest = highest_epoch(connection).await?;
            let new = make_anew(connection, accepted.lane, row, mark).await?;
            let lane = goes_on(new, accepted, newest);
            lane.insert(connection).await.map_err(classify)?;
        }
    }
    Ok(())
}

/// A lane as it goes on. `newest` is the newest owner as the database has it.
fn goes_on(
    mut lane: lane_state::ActiveModel,
    accepted: &AcceptedLane,
    newest: Epoch,
) -> lane_state::ActiveModel {
    let Acceptance { log, applied_next, replied_next, .. } = accepted.acceptance;
    lane.log_id = ActiveValue::Set(Some(lane_state::log_text(log)));
    lane.log_lasting = ActiveValue::Set(log.lasting);
    lane.epoch = ActiveValue::Set(stored(accepted.next_epoch(newest).0));
    lane.applied_next = ActiveValue::Set(stored(applied_next.0));
    lane.replied_next = ActiveValue::Set(stored(replied_next.0));
    lane.last_id = ActiveValue::Set(accepted.last_id.map(|id| id.to_string()));
    lane
}

/// A row for a lane that has none, or one that cannot be read, which is deleted.
async fn make_anew(
    connection: &OwnConnection,
    lane: Lane,
    unreadable: Option<lane_state::Model>,
    mark: Deadline,
) -> Result<lane_state::ActiveModel, StoreError> {
    let number = i32::from(lane.0);
    let imports = import_receipt::Entity::find().filter(import_receipt::Column::Lane.eq(number));
    let newest = highest(connection, imports, import_receipt::Column::Number).await?;
    let counted = unreadable.as_ref().map_or(0, |row| row.imports);
    // A writer that read the lane's shops before must notice that they may have changed.
    let imports = newest.unwrap_or_default().max(counted).saturating_add(1);
    if unreadable.is_some() {
        let deleted = lane_state::Entity::delete_by_id(number).exec(connection).await;
        deleted.map_err(classify)?;
    }
    let mut new = lane_state::unclaimed(lane);
    new.expired_up_to = ActiveValue::Set(Some(mark.instant().millis()));
    new.imports = ActiveValue::Set(imports);
    Ok(new)
}

/// The highest number that an owner of any lane has. A row whose epoch has no next one cannot be
/// read, and does not count.
pub(crate) async fn highest_epoch(connection: &impl ConnectionTrait) -> Result<Epoch, StoreError> {
    let is_readable = lane_state::Column::Epoch.lt(stored(Epoch::LAST.0));
    let lanes = lane_state::Entity::find().filter(is_readable);
    let highest = highest(connection, lanes, lane_state::Column::Epoch).await?;
    Ok(highest.and_then(lane_state::counted_epoch).unwrap_or_default())
}

fn revision(number: i64) -> Revision {
    Revision(u64::try_from(number).unwrap_or_default())
}
