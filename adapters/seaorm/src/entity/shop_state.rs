//! The states of shops: only what a request can change, so that applying requests writes few pages.

use catchment_domain::ports::StoreError;
use catchment_domain::{Base, Radius, Revision, ShopState, StateRemains};
use sea_orm::entity::prelude::*;

use crate::codec::causes;
use crate::error::Row;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "shop_state")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) lane: i32,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: String,
    pub(crate) base_radius: i32,
    pub(crate) base_revision: i64,
    pub(crate) base_effect: i16,
    pub(crate) radius: i32,
    pub(crate) version: i64,
    /// The causes: see [`causes`].
    pub(crate) causes: Option<Vec<u8>>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl TryFrom<Model> for ShopState {
    type Error = StoreError;

    fn try_from(model: Model) -> Result<Self, StoreError> {
        let row = Row { table: "shop_state", key: &format_args!("shop `{}`", model.id) };
        let columns = Columns {
            base_radius: model.base_radius.into(),
            base_revision: model.base_revision,
            base_effect: model.base_effect.into(),
            radius: model.radius.into(),
            version: model.version,
        };
        columns.state(&row, model.causes.as_deref().unwrap_or_default())
    }
}

impl Model {
    /// Returns what can be read of the state except its causes.
    pub(crate) fn remains(&self) -> StateRemains {
        let radius = |metres: i32| u64::try_from(metres).ok()?.try_into().ok();
        let effect = u8::try_from(self.base_effect).ok().and_then(causes::effect);
        let revision = u64::try_from(self.base_revision).ok().map(Revision);
        let base = radius(self.base_radius).zip(revision).zip(effect);
        StateRemains {
            base: base.map(|((radius, revision), effect)| Base { radius, revision, effect }),
            radius: radius(self.radius),
            version: u64::try_from(self.version).ok(),
        }
    }
}

/// The columns of a row that hold numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Columns {
    pub(crate) base_radius: i64,
    pub(crate) base_revision: i64,
    pub(crate) base_effect: i64,
    pub(crate) radius: i64,
    pub(crate) version: i64,
}

impl Columns {
    /// Returns the state, with its causes decoded from these bytes.
    pub(crate) fn state(self, row: &Row<'_>, causes: &[u8]) -> Result<ShopState, StoreError> {
        let radius = |column, metres| {
            row.value(column, Radius::try_from(row.number::<u64>(column, metres)?))
        };
        let (active, released) = row.value("causes", causes::decode(causes))?;
        let effect = u8::try_from(self.base_effect).ok().and_then(causes::effect);
        let effect = effect.ok_or_else(|| row.bad("base_effect", self.base_effect))?;
        Ok(ShopState {
            base: Base {
                radius: radius("base_radius", self.base_radius)?,
                revision: Revision(row.number("base_revision", self.base_revision)?),
                effect,
            },
            radius: radius("radius", self.radius)?,
            version: row.number("version", self.version)?,
            active: active.into(),
            released,
        })
    }
}
