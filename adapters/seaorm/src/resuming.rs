//! Letting a lane go on after its partition has lost records.

use catchment_domain::ports::StoreError;
use catchment_domain::{Lane, LogIdentity, Position};
use sea_orm::{ActiveModelTrait, ActiveValue, EntityTrait, IntoActiveModel, QuerySelect};

use crate::entity::lane_state::{self, log_text};
use crate::error::{Row, classify, stored};
use crate::hot_path::no_lane;
use crate::retry::while_busy;
use crate::store::SeaOrmStore;

impl SeaOrmStore {
    /// Moves a request lane to the position behind the last request that was applied, or to
    /// `first`, where its log begins, if that is higher. Returns that position.
    ///
    /// Requests that were applied and not answered stay without an answer. The present owner of
    /// the lane is fenced, and claims the lane again.
    ///
    /// # Errors
    ///
    /// When the lane was never read in this log, or the database cannot.
    pub async fn resume(
        &self,
        lane: Lane,
        (log, first): (LogIdentity, Position),
    ) -> Result<Position, StoreError> {
        while_busy(|| self.try_resume(lane, (log, first))).await
    }

    async fn try_resume(
        &self,
        lane: Lane,
        (log, first): (LogIdentity, Position),
    ) -> Result<Position, StoreError> {
        let transaction = self.begin().await?;
        let connection = transaction.connection()?;
        let known = lane_state::Entity::find_by_id(i32::from(lane.0)).lock_exclusive();
        let known = known.one(connection).await.map_err(classify)?;
        let known = known.ok_or_else(|| no_lane(lane))?;
        if known.log_id.as_deref() != Some(log_text(log).as_str()) {
            let what = format!("nothing of lane {lane} was read in this topic and cluster");
            return Err(StoreError::Refused { what });
        }
        let (applied, epoch) = numbers(lane, &known)?;
        let next = applied.max(first);
        let mut resumed = known.into_active_model();
        resumed.epoch = ActiveValue::Set(stored(epoch.saturating_add(1)));
        resumed.applied_next = ActiveValue::Set(stored(next.0));
        resumed.replied_next = ActiveValue::Set(stored(next.0));
        resumed.last_id = ActiveValue::Set(None);
        resumed.update(connection).await.map_err(classify)?;
        transaction.commit().await?;
        Ok(next)
    }
}

/// What was applied of a lane, and its owner's epoch.
fn numbers(lane: Lane, known: &lane_state::Model) -> Result<(Position, u64), StoreError> {
    let row = Row { table: "lane_state", key: &format_args!("lane {lane}") };
    let applied = row.number("applied_next", known.applied_next)?;
    Ok((Position(applied), row.number("epoch", known.epoch)?))
}
