//! How far the database has read every lane, to be compared with the logs. A lane whose row cannot
//! be read is returned with its problem.

use std::collections::BTreeMap;

use catchment_domain::ports::{Claim, StoreError};
use catchment_domain::{LogIdentity, Position, RequestId};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use crate::entity::{lane_state, reply_lane};
use crate::error::{Row, classify};
use crate::store::SeaOrmStore;

/// How far a lane was read, of requests or of replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reached {
    /// The log that the position belongs to.
    pub log: LogIdentity,
    /// The lane's number.
    pub lane: u16,
    /// The first position that was not read yet.
    pub next: Position,
    /// The request before it; of replies none is kept.
    pub last_id: Option<RequestId>,
}

/// How far the lanes were read, of requests or of replies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LanesReached {
    /// The lanes that can be read.
    pub found: Vec<Reached>,
    /// The lanes that cannot be read, by their numbers, with table, column and what is wrong.
    pub damaged: BTreeMap<u16, String>,
}

impl SeaOrmStore {
    /// How far each lane of requests was applied; one that nobody claimed yet is left out.
    ///
    /// # Errors
    ///
    /// When they cannot be read.
    pub async fn requests_reached(&self) -> Result<LanesReached, StoreError> {
        let lanes = lane_state::Entity::find()
            .filter(lane_state::Column::LogId.is_not_null())
            .all(&self.readers)
            .await
            .map_err(classify)?;
        collect(lanes.iter().map(|lane| (lane.lane, of_requests(lane))))
    }

    /// How far each lane of replies was recorded; one that nobody leased yet is left out.
    ///
    /// # Errors
    ///
    /// When they cannot be read.
    pub async fn replies_reached(&self) -> Result<LanesReached, StoreError> {
        let lanes = reply_lane::Entity::find().all(&self.readers).await.map_err(classify)?;
        collect(lanes.iter().map(|lane| (lane.lane, of_replies(lane))))
    }
}

fn collect(
    lanes: impl Iterator<Item = (i32, Result<Reached, StoreError>)>,
) -> Result<LanesReached, StoreError> {
    let mut all = LanesReached::default();
    for (lane, reached) in lanes {
        match reached {
            Ok(reached) => all.found.push(reached),
            Err(StoreError::BadData { what }) => {
                // A number that no lane has names no other one either.
                all.damaged.insert(u16::try_from(lane).unwrap_or(u16::MAX), what);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(all)
}

fn of_requests(model: &lane_state::Model) -> Result<Reached, StoreError> {
    let row = Row { table: "lane_state", key: &format_args!("lane {}", model.lane) };
    let Claim { applied_next, last_id, .. } = Claim::try_from(model)?;
    Ok(Reached {
        log: lane_state::log(&row, model.log_id.as_deref().unwrap_or_default(), model.log_lasting)?,
        lane: row.number("lane", model.lane.into())?,
        next: applied_next,
        last_id,
    })
}

fn of_replies(model: &reply_lane::Model) -> Result<Reached, StoreError> {
    let row = Row { table: "reply_lane", key: &format_args!("lane {}", model.lane) };
    Ok(Reached {
        log: lane_state::log(&row, &model.log_id, model.log_lasting)?,
        lane: row.number("lane", model.lane.into())?,
        next: Position(row.number("position", model.position)?),
        last_id: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(log_id: String) -> reply_lane::Model {
        reply_lane::Model {
            lane: 3,
            log_id,
            log_lasting: true,
            holder: None,
            epoch: 1,
            position: 25,
            leased_until: None,
        }
    }

    #[test]
    fn a_log_is_read_as_it_was_written() {
        let log = LogIdentity { id: 0x00ff_3ff1_df17_5856_ac80_7518_18db_7e51, lasting: true };
        let reached = of_replies(&lane(lane_state::log_text(log))).unwrap();
        assert_eq!(reached, Reached { log, lane: 3, next: Position(25), last_id: None });
    }

    #[test]
    fn a_lane_that_cannot_be_read_is_named_beside_the_others() {
        let log = LogIdentity { id: 7, lasting: true };
        let (whole, bad) = (lane(lane_state::log_text(log)), lane("elsewhere".to_owned()));
        let bad = reply_lane::Model { lane: 4, ..bad };
        let rows = [&whole, &bad];
        let all = collect(rows.into_iter().map(|row| (row.lane, of_replies(row)))).unwrap();
        assert_eq!(all.found, [Reached { log, lane: 3, next: Position(25), last_id: None }]);
        assert_eq!(all.damaged.keys().copied().collect::<Vec<_>>(), [4]);
        assert!(all.damaged[&4].contains("reply_lane.log_id of lane 4"), "{:?}", all.damaged);
    }
}
