//! The holder of each reply lane, and how far the lane was read.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "reply_lane")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) lane: i32,
    pub(crate) log_id: String,
    pub(crate) log_lasting: bool,
    /// The holder of the lease, or `None` after the lease was given back.
    pub(crate) holder: Option<String>,
    pub(crate) epoch: i64,
    pub(crate) position: i64,
    pub(crate) leased_until: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
