//! The one row about the database itself.

use catchment_domain::Revision;
use catchment_domain::ports::StoreError;
use sea_orm::entity::prelude::*;

use crate::error::Row;

/// The id of the only row.
pub(crate) const ONLY: i32 = 1;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "installation")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: i32,
    /// The number of lanes into which the shops are divided.
    pub(crate) lanes: i32,
    /// The newest revision that was given out.
    pub(crate) revision: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Reads the newest revision that was given out, if the row is there.
pub(crate) fn newest_revision(revision: Option<i64>) -> Result<Revision, StoreError> {
    let row = Row { table: "installation", key: &"the only one" };
    let revision = revision.ok_or_else(|| row.bad("revision", "there is no row"))?;
    Ok(Revision(row.number("revision", revision)?))
}
