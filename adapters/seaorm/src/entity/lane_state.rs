//! The owner of each request lane, and how far the lane was applied and answered. Every lane has
//! its row from the beginning. Each transaction that writes shops of a lane takes the lane's row
//! first.

use catchment_domain::ports::{Claim, StoreError};
use catchment_domain::{
    Deadline, Epoch, Lane, LaneProgress, LogIdentity, Position, RequestId, Timestamp,
};
use sea_orm::ActiveValue;
use sea_orm::entity::prelude::*;

use crate::error::Row;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "lane_state")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) lane: i32,
    /// The log of the positions, or `None` until the lane is claimed.
    pub(crate) log_id: Option<String>,
    pub(crate) log_lasting: bool,
    pub(crate) epoch: i64,
    pub(crate) applied_next: i64,
    pub(crate) replied_next: i64,
    pub(crate) last_id: Option<String>,
    pub(crate) expired_up_to: Option<i64>,
    /// How many imports wrote shops of the lane. While this number and the lane's position stay the
    /// same, the lane's shops are unchanged.
    pub(crate) imports: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl TryFrom<&Model> for Claim {
    type Error = StoreError;

    fn try_from(model: &Model) -> Result<Self, StoreError> {
        let row = Row { table: "lane_state", key: &format_args!("lane {}", model.lane) };
        let last_id = match &model.last_id {
            Some(id) => Some(RequestId(row.text::<uuid::Uuid>("last_id", id)?)),
            None => None,
        };
        Ok(Self {
            epoch: epoch(&row, model.epoch)?,
            applied_next: Position(row.number("applied_next", model.applied_next)?),
            replied_next: Position(row.number("replied_next", model.replied_next)?),
            last_id,
        })
    }
}

impl TryFrom<&Model> for LaneProgress {
    type Error = StoreError;

    fn try_from(model: &Model) -> Result<Self, StoreError> {
        let row = Row { table: "lane_state", key: &format_args!("lane {}", model.lane) };
        let Claim { epoch, applied_next, replied_next, last_id } = Claim::try_from(model)?;
        let has_read = Position(0) < applied_next.max(replied_next) || last_id.is_some();
        let log = match &model.log_id {
            Some(text) => Some(log(&row, text, model.log_lasting)?),
            // INVARIANT: a claim stores its log, and without a claim nothing is applied.
            None if has_read || model.log_lasting => {
                return Err(row.bad("log_id", "there is none, although the lane was read"));
            }
            None => None,
        };
        let lane = Lane(row.number("lane", model.lane.into())?);
        Ok(Self { lane, log, epoch, applied_next, replied_next })
    }
}

/// Reads the stored identity of a log.
pub(crate) fn log(row: &Row<'_>, text: &str, lasting: bool) -> Result<LogIdentity, StoreError> {
    Ok(LogIdentity { id: row.value("log_id", u128::from_str_radix(text, 16))?, lasting })
}

/// The newest owner of a lane of requests or of replies, as it was stored.
pub(crate) fn epoch(row: &Row<'_>, number: i64) -> Result<Epoch, StoreError> {
    let bad = || row.bad("epoch", format_args!("`{number}` is out of range"));
    counted_epoch(number).ok_or_else(bad)
}

/// Reads an epoch. Returns `None` for a number that no owner can have: one without a next epoch.
pub(crate) fn counted_epoch(number: i64) -> Option<Epoch> {
    let epoch = Epoch(u64::try_from(number).ok()?);
    epoch.next().map(|_| epoch)
}

/// Returns the row of a lane that was never claimed.
pub(crate) fn unclaimed(lane: Lane) -> ActiveModel {
    ActiveModel {
        lane: ActiveValue::Set(lane.0.into()),
        log_id: ActiveValue::Set(None),
        log_lasting: ActiveValue::Set(false),
        epoch: ActiveValue::Set(0),
        applied_next: ActiveValue::Set(0),
        replied_next: ActiveValue::Set(0),
        last_id: ActiveValue::Set(None),
        expired_up_to: ActiveValue::Set(None),
        imports: ActiveValue::Set(0),
    }
}

/// Returns a log's number as it is stored.
pub(crate) fn log_text(log: LogIdentity) -> String {
    format!("{:032x}", log.id)
}

/// Returns the highest deadline that was treated as passed.
pub(crate) fn mark(expired_up_to: Option<i64>) -> Deadline {
    expired_up_to.map_or(Deadline::MIN, |millis| Deadline::at(Timestamp::from_millis(millis)))
}
