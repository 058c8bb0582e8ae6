//! The frozen list of a campaign's shops, with a row for each chunk.

use catchment_domain::ports::StoreError;
use catchment_domain::{ShopId, ShopList};
use sea_orm::entity::prelude::*;

use crate::error::Row;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "campaign_list")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) revision: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) number: i64,
    /// The ids, one per line. No id holds a control character.
    pub(crate) ids: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// Returns the number of the list's chunk.
    pub(crate) fn number(&self) -> Result<u32, StoreError> {
        let row = Row { table: "campaign_list", key: &format_args!("campaign {}", self.revision) };
        row.number("number", self.number)
    }
}

impl TryFrom<&Model> for ShopList {
    type Error = StoreError;

    fn try_from(model: &Model) -> Result<Self, StoreError> {
        let key = format_args!("campaign {}, chunk {}", model.revision, model.number);
        let row = Row { table: "campaign_list", key: &key };
        model.ids.split('\n').map(|id| row.text::<ShopId>("ids", id)).collect()
    }
}

/// Returns the ids of a list, one per line.
pub(crate) fn lines(list: &ShopList) -> String {
    let mut lines = String::new();
    for id in list.iter() {
        if !lines.is_empty() {
            lines.push('\n');
        }
        lines.push_str(id);
    }
    lines
}
