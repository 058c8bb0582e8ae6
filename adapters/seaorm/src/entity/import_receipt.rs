//! The receipts of imports: what a batch did to the shops of a lane.

use catchment_domain::ports::StoreError;
use catchment_domain::{ImportNumber, ImportReceipt, Lane, Revision, Timestamp};
use sea_orm::ActiveValue;
use sea_orm::entity::prelude::*;

use crate::codec;
use crate::error::{Row, stored};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "import_receipt")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) lane: i32,
    /// The number of the import in its lane.
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) number: i64,
    pub(crate) revision: i64,
    pub(crate) stored_at: i64,
    /// See [`codec::import_receipt`].
    pub(crate) entries: Vec<u8>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl TryFrom<Model> for ImportReceipt {
    type Error = StoreError;

    fn try_from(model: Model) -> Result<Self, StoreError> {
        let key = format_args!("lane {}, number {}", model.lane, model.number);
        let row = Row { table: "import_receipt", key: &key };
        Ok(Self {
            lane: Lane(row.number("lane", model.lane.into())?),
            number: ImportNumber(row.number("number", model.number)?),
            revision: Revision(row.number("revision", model.revision)?),
            at: Timestamp::from_millis(model.stored_at),
            entries: row.value("entries", codec::import_receipt::decode(&model.entries))?,
        })
    }
}

/// Returns a new row.
pub(crate) fn active(receipt: &ImportReceipt) -> ActiveModel {
    ActiveModel {
        lane: ActiveValue::Set(receipt.lane.0.into()),
        number: ActiveValue::Set(stored(receipt.number.0)),
        revision: ActiveValue::Set(stored(receipt.revision.0)),
        stored_at: ActiveValue::Set(receipt.at.millis()),
        entries: ActiveValue::Set(codec::import_receipt::encode(&receipt.entries)),
    }
}
