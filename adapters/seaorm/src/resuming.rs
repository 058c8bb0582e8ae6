//! Resumes a lane after its partition has lost records.

use catchment_domain::ports::StoreError;
use catchment_domain::{Lane, LogIdentity, Position};
use sea_orm::{ActiveModelTrait, ActiveValue, EntityTrait, IntoActiveModel, QuerySelect};

use crate::entity::lane_state::{self, log_text};
use crate::error::{Row, classify, stored};
use crate::hot_path::no_lane;
use crate::retry::while_busy;
use crate::store::SeaOrmStore;

/// The log of a request lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneLog {
    /// The identity of the log.
    pub log: LogIdentity,
    /// The first position of the lane in the log.
    pub first: Position,
    /// Whether the log holds the last applied request. Then it is the log that was read.
    pub holds_the_last: bool,
}

impl SeaOrmStore {
    /// Moves a request lane to the position behind the last applied request, or to `first`, the
    /// beginning of its log, if that is higher. Returns that position.
    ///
    /// Requests that were applied but not answered stay without an answer. The current owner of the
    /// lane is fenced, and claims the lane again.
    ///
    /// # Errors
    ///
    /// When the lane was never read in this log, the lane works without a resume, or the database
    /// fails.
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
        // If replies are missing, the log may lack the requests from which they are rebuilt.
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

/// Returns the applied position, the answered position and the owner's epoch of a lane.
fn numbers(lane: Lane, known: &lane_state::Model) -> Result<(Position, Position, u64), StoreError> {
    let row = Row { table: "lane_state", key: &format_args!("lane {lane}") };
    let applied = row.number("applied_next", known.applied_next)?;
    let replied = row.number("replied_next", known.replied_next)?;
    Ok((Position(applied), Position(replied), row.number("epoch", known.epoch)?))
}
