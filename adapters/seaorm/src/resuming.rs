//! Letting a lane go on after its partition has lost records.

use catchment_domain::ports::StoreError;
use catchment_domain::{Lane, LogIdentity, Position};
use sea_orm::{ActiveModelTrait, ActiveValue, EntityTrait, IntoActiveModel, QuerySelect};

use crate::entity::lane_state::{self, log_text};
use crate::error::{Row, classify, stored};
use crate::hot_path::no_lane;
use crate::retry::while_busy;
use crate::store::SeaOrmStore;

/// What the log of a request lane is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneLog {
    /// Which log it is.
    pub log: LogIdentity,
    /// Where the lane begins in it.
    pub first: Position,
    /// Whether it holds the request that was applied last, and so is the log that was read.
    pub holds_the_last: bool,
}

impl SeaOrmStore {
    /// Moves a request lane to the position behind the last request that was applied, or to
    /// `first`, where its log begins, if that is higher. Returns that position.
    ///
    /// Requests that were applied and not answered stay without an answer. The present owner of
    /// the lane is fenced, and claims the lane again.
    ///
    /// # Errors
    ///
    /// When the lane was never read in this log, the lane works, or the database cannot.
    pub async fn resume(&self, lane: Lane, log: LaneLog) -> Result<Position, StoreError> {
        while_busy(|| self.try_resume(lane, log)).await
    }

    async fn try_resume(
        &self,
        lane: Lane,
        LaneLog { log, first, holds_the_last }: LaneLog,
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
        let (applied, replied, epoch) = numbers(lane, &known)?;
        // Where replies are missing, the log may lack the requests that they are rebuilt from.
        if holds_the_last && first <= applied && replied == applied {
            let what = format!(
                "lane {lane} works: its partition holds what was applied, and all of that is \
                 answered"
            );
            return Err(StoreError::Refused { what });
        }
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

/// What was applied of a lane and what was answered, and its owner's epoch.
fn numbers(lane: Lane, known: &lane_state::Model) -> Result<(Position, Position, u64), StoreError> {
    let row = Row { table: "lane_state", key: &format_args!("lane {lane}") };
    let applied = row.number("applied_next", known.applied_next)?;
    let replied = row.number("replied_next", known.replied_next)?;
    Ok((Position(applied), Position(replied), row.number("epoch", known.epoch)?))
}
