//! The leases of reply lanes: which requester reads which lane.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use catchment_domain::ports::{Holder, Lease, ReplyLanes, StoreError};
use catchment_domain::{
    Epoch, LaneProblem, LogChange, LogIdentity, Mismatch, Position, ReplyLane, Timestamp,
    lease_left,
};
use sea_orm::sea_query::{Expr, ExprTrait, LockType};
use sea_orm::{
    ActiveModelTrait, ActiveValue, ColumnTrait, Condition, ConnectionTrait, EntityTrait,
    QueryFilter, QuerySelect, Select, UpdateMany,
};

use crate::campaign_rows;
use crate::entity::{lane_state, reply_lane};
use crate::error::{Row, classify, stored, unreadable};
use crate::retry::while_busy;
use crate::store::SeaOrmStore;

#[async_trait]
impl ReplyLanes for SeaOrmStore {
    async fn lease(
        &self,
        lane: ReplyLane,
        holder: Holder,
        (log, end): (LogIdentity, Position),
        duration: Duration,
    ) -> Result<Option<Lease>, StoreError> {
        while_busy(|| self.try_lease(lane, holder, (log, end), duration)).await
    }

    async fn renew(&self, lease: &Lease, duration: Duration) -> Result<(), StoreError> {
        while_busy(|| self.try_renew(lease, duration)).await
    }

    async fn go_back(&self, lease: &Lease, end: Position) -> Result<(), StoreError> {
        while_busy(|| self.try_go_back(lease, end)).await
    }

    async fn surrender(&self, lease: &Lease) -> Result<(), StoreError> {
        while_busy(|| self.try_surrender(lease)).await
    }

    async fn orphans(&self) -> Result<Vec<ReplyLane>, StoreError> {
        let (campaigns, of_damaged) = campaign_rows::unfinished(&self.readers).await?;
        if campaigns.is_empty() && of_damaged.is_empty() {
            return Ok(Vec::new());
        }
        let now = self.now(&self.readers).await?;
        let unfinished = campaigns.values().filter(|campaign| {
            0 < campaign.state.open() || campaign_rows::is_to_be_ended(campaign, &campaigns, now)
        });
        let mut lanes: BTreeSet<ReplyLane> = unfinished.filter_map(|c| c.reply_lane).collect();
        lanes.extend(of_damaged);
        let leased = reply_lane::Entity::find()
            .filter(reply_lane::Column::Holder.is_not_null())
            .all(&self.readers)
            .await
            .map_err(classify)?;
        for leased in leased.iter().filter(|leased| left_of_lease(leased, now).is_some()) {
            lanes.retain(|lane| leased.lane != i32::from(lane.0));
        }
        Ok(lanes.into_iter().collect())
    }
}

impl SeaOrmStore {
    async fn try_lease(
        &self,
        lane: ReplyLane,
        holder: Holder,
        (log, end): (LogIdentity, Position),
        duration: Duration,
    ) -> Result<Option<Lease>, StoreError> {
        let transaction = self.begin().await?;
        let connection = transaction.connection()?;
        let known = row(lane).lock_exclusive().one(connection).await.map_err(classify)?;
        let now = self.now(connection).await?;
        if known.as_ref().is_some_and(|known| is_held_by_another(known, holder, now)) {
            return Ok(None);
        }
        let (epoch, position) = match &known {
            None => (Epoch(1), end),
            Some(known) => {
                let problem =
                    |what| LaneProblem::of_replies(lane, Mismatch::UnreadableRow { what });
                next_lease(known, lane, log, end).map_err(|error| unreadable(error, problem))?
            }
        };
        let leased = reply_lane::ActiveModel {
            lane: ActiveValue::Set(lane.0.into()),
            log_id: ActiveValue::Set(lane_state::log_text(log)),
            log_lasting: ActiveValue::Set(log.lasting),
            holder: ActiveValue::Set(Some(holder.0.to_string())),
            epoch: ActiveValue::Set(stored(epoch.0)),
            position: ActiveValue::Set(stored(position.0)),
            leased_until: ActiveValue::Set(Some(now.saturating_add(duration).millis())),
        };
        let leased = match known {
            None => leased.insert(connection).await,
            Some(_) => leased.update(connection).await,
        };
        leased.map_err(classify)?;
        transaction.commit().await?;
        Ok(Some(Lease { lane, holder, epoch, position }))
    }

    async fn try_renew(&self, lease: &Lease, duration: Duration) -> Result<(), StoreError> {
        let transaction = self.begin().await?;
        let connection = transaction.connection()?;
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        let until = self.clock().add(millis);
        let renewed = held(lease).col_expr(reply_lane::Column::LeasedUntil, until);
        update_lease(connection, renewed).await?;
        transaction.commit().await
    }

    async fn try_go_back(&self, lease: &Lease, end: Position) -> Result<(), StoreError> {
        let transaction = self.begin().await?;
        let position = Expr::value(stored(end.0));
        let gone_back = held(lease).col_expr(reply_lane::Column::Position, position);
        update_lease(transaction.connection()?, gone_back).await?;
        transaction.commit().await
    }

    async fn try_surrender(&self, lease: &Lease) -> Result<(), StoreError> {
        let transaction = self.begin().await?;
        let given_back = held(lease)
            .col_expr(reply_lane::Column::Holder, Expr::value(None::<String>))
            .col_expr(reply_lane::Column::LeasedUntil, Expr::value(None::<i64>));
        update_lease(transaction.connection()?, given_back).await?;
        transaction.commit().await
    }
}

async fn update_lease(
    connection: &impl ConnectionTrait,
    update: UpdateMany<reply_lane::Entity>,
) -> Result<(), StoreError> {
    let updated = update.exec(connection).await.map_err(classify)?;
    if updated.rows_affected == 0 { Err(StoreError::Fenced) } else { Ok(()) }
}

/// Returns an update of a lane that takes effect only while the lease is valid.
pub(crate) fn held(lease: &Lease) -> UpdateMany<reply_lane::Entity> {
    reply_lane::Entity::update_many().filter(is_held(lease))
}

/// Returns the condition that this lease is in force for its lane.
pub(crate) fn is_held(lease: &Lease) -> Condition {
    Condition::all()
        .add(reply_lane::Column::Lane.eq(i32::from(lease.lane.0)))
        .add(reply_lane::Column::Holder.eq(lease.holder.0.to_string()))
        .add(reply_lane::Column::Epoch.eq(stored(lease.epoch.0)))
}

/// Fails if the lease is no longer valid. Until the transaction ends, nobody else can lease the
/// lane, but its position may move.
pub(crate) async fn lock_held(
    connection: &impl ConnectionTrait,
    lease: &Lease,
) -> Result<(), StoreError> {
    let row = row(lease.lane).filter(is_held(lease)).lock(LockType::KeyShare);
    row.one(connection).await.map_err(classify)?.map(drop).ok_or(StoreError::Fenced)
}

fn row(lane: ReplyLane) -> Select<reply_lane::Entity> {
    reply_lane::Entity::find_by_id(i32::from(lane.0))
}

fn is_held_by_another(known: &reply_lane::Model, holder: Holder, now: Timestamp) -> bool {
    let in_force = left_of_lease(known, now).is_some();
    in_force && known.holder.as_ref().is_some_and(|other| *other != holder.0.to_string())
}

/// How long somebody still has a lane.
pub(crate) fn left_of_lease(known: &reply_lane::Model, now: Timestamp) -> Option<Duration> {
    let end = known.holder.as_ref().and(known.leased_until)?;
    lease_left(Timestamp::from_millis(end), now)
}

/// Returns the epoch and position of the next lease of a lane that was leased before.
fn next_lease(
    known: &reply_lane::Model,
    lane: ReplyLane,
    log: LogIdentity,
    end: Position,
) -> Result<(Epoch, Position), StoreError> {
    let row = Row { table: "reply_lane", key: &format_args!("lane {lane}") };
    // INVARIANT: an epoch that can be read has a next one.
    let epoch = lane_state::epoch(&row, known.epoch)?.next().unwrap_or(Epoch::LAST);
    let before = lane_state::log(&row, &known.log_id, known.log_lasting)?;
    match LogChange::between(Some(before), log) {
        LogChange::Same => Ok((epoch, Position(row.number("position", known.position)?))),
        LogChange::Anew => Ok((epoch, end)),
        LogChange::Other => Err(LaneProblem::of_replies(lane, Mismatch::OtherLog).into()),
    }
}
