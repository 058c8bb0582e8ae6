//! Request lanes: their owners, how far they were applied, and how far they were answered.

use async_trait::async_trait;
use catchment_domain::ports::{Claim, Decide, ShopLedger, StoreError, VisitReceipt};
use catchment_domain::{
    Batch, Committed, Damage, Epoch, Lane, LaneProblem, LaneProgress, LogIdentity, Mismatch,
    Position, Receipt,
};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ActiveModelTrait, ActiveValue, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter,
    QueryOrder, QuerySelect,
};

use crate::acceptances::left_logs;
use crate::entity::{lane_state, receipt};
use crate::error::{classify, stored, unreadable};
use crate::hot_path::no_lane;
use crate::retry::while_busy;
use crate::store::SeaOrmStore;

#[async_trait]
impl ShopLedger for SeaOrmStore {
    async fn claim(
        &self,
        lane: Lane,
        log: LogIdentity,
        committed: Option<Committed>,
    ) -> Result<Claim, StoreError> {
        if lane.0 >= self.lanes().count() {
            let what = format!("the database has no lane {lane}; it has {}", self.lanes().count());
            return Err(StoreError::Refused { what });
        }
        while_busy(|| self.try_claim(lane, log, committed)).await
    }

    async fn apply(&self, batch: &Batch, decide: Decide<'_>) -> Result<Receipt, StoreError> {
        while_busy(|| self.apply_batch(batch, decide)).await
    }

    async fn receipts(
        &self,
        lane: Lane,
        from: Position,
        to: Position,
    ) -> Result<Vec<Receipt>, StoreError> {
        let state = lane_state::Entity::find_by_id(i32::from(lane.0)).one(&self.readers).await;
        // Positions have a meaning only in their own log.
        let log = state.map_err(classify)?.and_then(|state| state.log_id);
        let Some(log) = log else { return Ok(Vec::new()) };
        let rows = receipt::Entity::find()
            .filter(receipt::Column::Lane.eq(i32::from(lane.0)))
            .filter(receipt::Column::LogId.eq(log))
            .filter(receipt::Column::ToPosition.gt(stored(from.0)))
            .filter(receipt::Column::FromPosition.lt(stored(to.0)))
            .order_by_asc(receipt::Column::Epoch)
            .order_by_asc(receipt::Column::FromPosition)
            .all(&self.readers)
            .await
            .map_err(classify)?;
        rows.into_iter().map(|row| <(Lane, Receipt)>::try_from(row).map(|(_, r)| r)).collect()
    }

    async fn visit_receipts(&self, visit: VisitReceipt<'_>) -> Result<Vec<Damage>, StoreError> {
        self.visit_receipts_of(None, visit).await
    }

    async fn replied(&self, lane: Lane, epoch: Epoch, next: Position) -> Result<(), StoreError> {
        while_busy(|| self.try_replied(lane, epoch, next)).await
    }
}

impl SeaOrmStore {
    async fn try_claim(
        &self,
        lane: Lane,
        log: LogIdentity,
        committed: Option<Committed>,
    ) -> Result<Claim, StoreError> {
        let transaction = self.begin().await?;
        let connection = transaction.connection()?;
        let known = lane_state::Entity::find_by_id(i32::from(lane.0)).lock_exclusive();
        let known = known.one(connection).await.map_err(classify)?;
        // With another number of lanes, the lane is not that of its shops any more.
        self.check_lanes(connection, None).await?;
        let known = known.ok_or_else(|| no_lane(lane))?;
        let problem = |what| LaneProblem::of(lane, Mismatch::UnreadableRow { what });
        let before = LaneProgress::try_from(&known).map_err(|e| unreadable(e, problem))?;
        let Claim { last_id, .. } = Claim::try_from(&known).map_err(|e| unreadable(e, problem))?;
        let left = left_logs(connection).await?;
        let claim = Claim::of_next_owner(&before, last_id, (log, &left), committed)?;
        claimed(known, &claim, log).update(connection).await.map_err(classify)?;
        transaction.commit().await?;
        Ok(claim)
    }

    async fn try_replied(
        &self,
        lane: Lane,
        epoch: Epoch,
        next: Position,
    ) -> Result<(), StoreError> {
        let transaction = self.begin().await?;
        let moved = lane_state::Entity::update_many()
            .col_expr(lane_state::Column::RepliedNext, replied_next(next))
            .filter(lane_state::Column::Lane.eq(i32::from(lane.0)))
            .filter(lane_state::Column::Epoch.eq(stored(epoch.0)))
            .exec(transaction.connection()?)
            .await
            .map_err(classify)?;
        if moved.rows_affected == 0 {
            return Err(StoreError::Fenced);
        }
        transaction.commit().await
    }
}

/// Returns `next`, but at least the stored position, and at most the applied position.
fn replied_next(next: Position) -> Expr {
    let (replied, applied) = (lane_state::Column::RepliedNext, lane_state::Column::AppliedNext);
    let next = stored(next.0);
    Expr::case(Expr::col(replied).gte(next), Expr::col(replied))
        .case(Expr::col(applied).lte(next), Expr::col(applied))
        .finally(next)
        .into()
}

/// Returns the row of a lane with an owner. It keeps `expired_up_to`.
fn claimed(known: lane_state::Model, claim: &Claim, log: LogIdentity) -> lane_state::ActiveModel {
    let mut claimed = known.into_active_model();
    claimed.log_id = ActiveValue::Set(Some(lane_state::log_text(log)));
    claimed.log_lasting = ActiveValue::Set(log.lasting);
    claimed.epoch = ActiveValue::Set(stored(claim.epoch.0));
    claimed.applied_next = ActiveValue::Set(stored(claim.applied_next.0));
    claimed.replied_next = ActiveValue::Set(stored(claim.replied_next.0));
    claimed.last_id = ActiveValue::Set(claim.last_id.map(|id| id.to_string()));
    claimed
}
