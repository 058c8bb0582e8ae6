//! The receipts of batches: what became of their requests.

use catchment_domain::ports::StoreError;
use catchment_domain::{Lane, Position, Receipt};
use sea_orm::entity::prelude::*;

use crate::codec;
use crate::error::Row;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "receipt")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) lane: i32,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) epoch: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) from_position: i64,
    pub(crate) to_position: i64,
    pub(crate) log_id: String,
    pub(crate) stored_at: i64,
    pub(crate) entries: Vec<u8>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl TryFrom<Model> for (Lane, Receipt) {
    type Error = StoreError;

    fn try_from(model: Model) -> Result<Self, StoreError> {
        let key = format_args!(
            "lane {}, epoch {}, from {}",
            model.lane, model.epoch, model.from_position
        );
        let row = Row { table: "receipt", key: &key };
        let lane = Lane(row.number("lane", model.lane.into())?);
        let from = Position(row.number("from_position", model.from_position)?);
        let to = Position(row.number("to_position", model.to_position)?);
        let entries = row.value("entries", codec::receipt::decode(&model.entries, from))?;
        Ok((lane, Receipt { from, to, entries }))
    }
}
