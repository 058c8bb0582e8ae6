//! Shops.

use catchment_domain::ports::StoreError;
use catchment_domain::{Base, Location, Profile, Radius, Revision, Shop, ShopState};
use sea_orm::entity::prelude::*;

use crate::codec;
use crate::codec::causes::effect;
use crate::error::Row;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "shop")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) lane: i32,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) category: String,
    pub(crate) region: String,
    pub(crate) latitude: f64,
    pub(crate) longitude: f64,
    pub(crate) base_radius: i32,
    pub(crate) base_revision: i64,
    pub(crate) base_effect: i16,
    pub(crate) radius: i32,
    pub(crate) version: i64,
    /// What limits the radius: see [`codec::causes`].
    pub(crate) causes: Option<Vec<u8>>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl TryFrom<Model> for Shop {
    type Error = StoreError;

    fn try_from(model: Model) -> Result<Self, StoreError> {
        let row = Row { table: "shop", key: &format_args!("shop `{}`", model.id) };
        let state = StateColumns {
            base_radius: model.base_radius.into(),
            base_revision: model.base_revision,
            base_effect: model.base_effect.into(),
            radius: model.radius.into(),
            version: model.version,
        }
        .state(&row, model.causes.as_deref().unwrap_or_default())?;
        let location = Location::new(model.latitude, model.longitude);
        Ok(Self {
            id: row.text("id", &model.id)?,
            state,
            profile: Profile {
                location: row.value("latitude", location)?,
                name: model.name,
                category: model.category,
                region: model.region,
            },
        })
    }
}

/// The numbers of what is in force at a shop.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StateColumns {
    pub(crate) base_radius: i64,
    pub(crate) base_revision: i64,
    pub(crate) base_effect: i64,
    pub(crate) radius: i64,
    pub(crate) version: i64,
}

impl StateColumns {
    /// What is in force, with the bytes of the causes.
    pub(crate) fn state(self, row: &Row<'_>, causes: &[u8]) -> Result<ShopState, StoreError> {
        let radius = |column, metres| {
            row.value(column, Radius::try_from(row.number::<u64>(column, metres)?))
        };
        let (active, released) = row.value("causes", codec::causes::decode(causes))?;
        let base_effect = u8::try_from(self.base_effect).ok().and_then(effect);
        let base_effect = base_effect.ok_or_else(|| row.bad("base_effect", self.base_effect))?;
        Ok(ShopState {
            base: Base {
                radius: radius("base_radius", self.base_radius)?,
                revision: Revision(row.number("base_revision", self.base_revision)?),
                effect: base_effect,
            },
            radius: radius("radius", self.radius)?,
            version: row.number("version", self.version)?,
            active,
            released,
        })
    }
}
